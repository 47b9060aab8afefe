//! `wasi:config/store`: the plugin's settings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bindings::wasi::config::store::{Error, Host};
use crate::state::CallState;

/// A plugin's settings as guests read them: text by key. A string is itself, any other value its JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    texts: BTreeMap<String, String>,
    json: Map<String, Value>,
}

impl Settings {
    /// Settings from an object.
    pub fn new(json: Map<String, Value>) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { texts: json.iter().map(|(key, value)| (key.clone(), text(value))).collect(), json }
    }

    /// The object they came from.
    pub fn json(&self) -> &Map<String, Value> {
        &self.json
    }
}

impl Host for CallState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        self.count_host_call()?;
        Ok(Ok(self.owner.settings.texts.get(&key).cloned()))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        self.count_host_call()?;
        let pairs = self.owner.settings.texts.iter();
        Ok(Ok(pairs.map(|(key, text)| (key.clone(), text.clone())).collect()))
    }
}

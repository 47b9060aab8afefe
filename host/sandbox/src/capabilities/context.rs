//! `hookbox:plugin/context`: what the guest may know about the call it is in.

use super::bindings::hookbox::plugin::context::{FilterMetadata, Host};
use super::bindings::hookbox::plugin::types;
use crate::state::CallState;

/// What the guest can ask about a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallContext {
    /// The filter's metadata; `None` for events and the settings' check.
    pub filter: Option<hookbox_hooks::StepMetadata>,
}

impl Host for CallState {
    fn plugin_name(&mut self) -> wasmtime::Result<String> {
        self.count_host_call()?;
        Ok(self.owner.name.to_string())
    }

    fn get_filter_metadata(&mut self) -> wasmtime::Result<Option<FilterMetadata>> {
        self.count_host_call()?;
        Ok(self.context.filter.as_ref().map(|metadata| FilterMetadata {
            filter_type: metadata.filter_type.clone(),
            running_pipeline: metadata.running_pipeline.clone(),
            extra_config: serde_json::Value::Object(metadata.extra_config.clone()).to_string(),
        }))
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        self.count_host_call()?;
        Ok(u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX))
    }
}

/// The shared types have no functions; the linker wants their host all the same.
impl types::Host for CallState {}

//! `hookbox:plugin/context`: what the guest may know about the call it is in.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::bindings::hookbox::plugin::context::{FilterMetadata, Host};
use super::bindings::hookbox::plugin::{delivery, types};
use crate::state::CallState;

/// What the guest can ask about a call.
#[derive(Debug, Default)]
pub struct CallContext {
    /// The filter's metadata; `None` for events and the settings' check.
    pub filter: Option<hookbox_hooks::StepMetadata>,
    /// What a receiver says about its delivery; `None` for filters and the settings' check.
    pub delivery: Option<DeliveryWishes>,
}

/// What a receiver says about the delivery it is called with, and what the host says of it afterwards.
#[derive(Debug, Default)]
pub struct DeliveryWishes {
    not_before_ms: AtomicU64,
    replay: OnceLock<String>,
}

/// The longest pause that a receiver can ask for: a day.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;

impl DeliveryWishes {
    /// The pause before the next attempt that the receiver asked for last, if it did.
    pub fn not_before(&self) -> Option<Duration> {
        let asked = self.not_before_ms.load(Ordering::Relaxed);
        (asked > 0).then(|| Duration::from_millis(asked))
    }

    /// The name under which the failed delivery is kept, when it is.
    pub fn replay(&self) -> Option<&str> {
        self.replay.get().map(String::as_str)
    }

    /// Says under which name it is kept; the first counts.
    pub fn kept_as(&self, name: String) {
        let _ = self.replay.set(name);
    }
}

impl delivery::Host for CallState {
    fn not_before(&mut self, milliseconds: u64) -> wasmtime::Result<()> {
        self.count_host_call()?;
        if let Some(wishes) = &self.context.delivery {
            wishes.not_before_ms.store(milliseconds.min(LONGEST_MS), Ordering::Relaxed);
        }
        Ok(())
    }
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
        let left = u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX);
        Ok(self.tape.as_ref().map_or(left, |tape| tape.reading("remaining-ms", left)))
    }
}

/// The shared types have no functions; the linker wants their host all the same.
impl types::Host for CallState {}

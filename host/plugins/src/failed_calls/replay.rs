//! Running a kept call again.

use std::path::Path;
use std::time::Duration;

use hookbox_hooks::Catalogue;
use hookbox_hooks::StepAnswer;
use hookbox_hooks::catalogue::{any_event, any_filter};
use hookbox_sandbox::{
    Answer, CallFailure, Digest, FunctionId, Granting, Isolation, JSON_DEPTH_MOST, Limits, Plugin,
    PluginOptions, Report, Sandbox, Settings,
};
use serde::Serialize;
use serde_json::json;

use super::file::{CallFile, CallOutcome, HookKind};
use crate::files::ReleaseFiles;
use crate::load::contract;
use crate::pipeline::meaning;

/// The longest that a call may take: as long as a configuration can allow.
const TIME_MS: u64 = 600_000;
/// The most memory of a call: all that a guest can address.
const MEMORY_BYTES: usize = u32::MAX as usize;
/// The most of the limits that are counted.
const COUNT: usize = 1_000_000;
/// The most of the limits in bytes that the host keeps for a guest.
const BYTES: usize = 256 << 20;

/// What came of a call that was run again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The digest of the component that was run.
    pub digest: String,
    /// Whether that is the one whose call failed.
    pub same_component: bool,
    /// How the call ended now.
    pub outcome: CallOutcome,
    /// Whether that is an answer that a hook goes on with.
    pub succeeded: bool,
    /// Whether the call ended as it did then.
    pub reproduced: bool,
    /// Where the guest asked something else than then, and what else the record cannot say.
    pub divergences: Vec<String>,
}

/// A call that cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The component is refused.
    #[error("the component is refused{}", listed(.0))]
    Refused(Box<Report>),
    /// The component does not have the function.
    #[error("the component does not export {interface}, which was called")]
    NoFunction {
        /// The interface.
        interface: String,
    },
    /// Something that should not happen did.
    #[error("the component could not be looked at: {0}")]
    Internal(String),
}

fn listed(report: &Report) -> String {
    report.problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

/// Runs a kept call again, with this component. Nothing it does leaves the sandbox; what it asks of the host is answered from
/// the file. `sandbox` needs no services.
///
/// # Errors
/// [`ReplayError`]: the component cannot take the call at all.
pub async fn replay(sandbox: &Sandbox, file: &CallFile, component: Vec<u8>) -> Result<Replayed, ReplayError> {
    let digest = Digest::of(&component).to_string();
    let compiler = sandbox.clone();
    // Grants let nothing out here: whatever it imports is answered from the record.
    let admitting = tokio::task::spawn_blocking(move || {
        compiler.admit(&component, &contract(), &Granting::WhatItImports)
    });
    let admitted = admitting.await.map_err(|error| ReplayError::Internal(error.to_string()))?;
    let admitted = admitted.map_err(ReplayError::Refused)?;
    let plugin = sandbox.rehearsal(
        &admitted,
        PluginOptions {
            name: file.plugin.clone(),
            settings: Settings::new(file.settings.clone()),
            limits: bounded(&file.limits),
            isolation: Isolation::Call,
        },
    );
    let function = function(&plugin, file);
    let function =
        function.ok_or_else(|| ReplayError::NoFunction { interface: file.hook.interface.clone() })?;
    let time = Duration::from_millis(file.limit_ms.clamp(1, TIME_MS));
    let (answer, mut divergences) =
        plugin.call_replayed(function, &file.arguments, file.context(), time, file.record.clone()).await;
    if file.record.instance == hookbox_sandbox::RecordedInstance::Reused {
        divergences.push(
            "the call was served by a reused instance: what earlier calls left there is missing".into(),
        );
    }
    let misfit = matches!(&answer, Err(CallFailure::Argument(_)));
    let (outcome, succeeded) = ended(file, answer);
    let reproduced = outcome.same_as(&file.outcome);
    if file.redacted > 0 && !succeeded && !reproduced {
        let how = if misfit { "an argument does not fit the function" } else { "it fails in another way" };
        divergences.push(format!(
            "{how}: a redacted value may be the reason. One that was a setting can be given with --setting"
        ));
    }
    Ok(Replayed {
        same_component: digest == file.digest,
        digest,
        reproduced,
        outcome,
        succeeded,
        divergences,
    })
}

/// The function that was called.
fn function(plugin: &Plugin, file: &CallFile) -> Option<FunctionId> {
    let interface = &file.hook.interface;
    let generic = [any_filter(), any_event()].into_iter().find(|generic| generic.interface == *interface);
    match generic {
        Some(signature) => plugin.function(signature),
        None => {
            let hook = Catalogue::embedded().hooks().find(|hook| hook.signature().interface == *interface)?;
            plugin.function(hook.signature())
        }
    }
}

/// The limits of the file, within what a host can keep.
fn bounded(limits: &Limits) -> Limits {
    let default = Limits::default();
    Limits {
        filter_time_ms: limits.filter_time_ms.clamp(1, TIME_MS),
        event_time_ms: limits.event_time_ms.clamp(1, TIME_MS),
        memory_bytes: limits.memory_bytes.min(MEMORY_BYTES),
        table_elements: limits.table_elements.min(COUNT),
        answer_bytes: limits.answer_bytes.min(BYTES),
        json_depth: limits.json_depth.clamp(1, JSON_DEPTH_MOST),
        host_calls: limits.host_calls,
        log_bytes: limits.log_bytes.min(BYTES),
        handles: limits.handles.clamp(1, COUNT),
        random_bytes: limits.random_bytes.min(BYTES),
        http_requests: limits.http_requests,
        http_body_bytes: limits.http_body_bytes.min(BYTES),
        http_time_ms: limits.http_time_ms.clamp(1, TIME_MS),
        // One call runs, and what it keeps goes nowhere.
        ..default
    }
}

/// How it ended, and whether well.
fn ended(file: &CallFile, answer: Result<Answer, CallFailure>) -> (CallOutcome, bool) {
    let lifted = match answer {
        Ok(lifted) => lifted,
        Err(failure) => return (CallOutcome::failed(&failure), false),
    };
    let well =
        |code: &str, message: String, report| (CallOutcome { code: code.to_owned(), message, report }, true);
    if file.hook.kind == HookKind::Event {
        return match lifted {
            Ok(_) => well("delivered", "the receiver took the event".into(), json!(null)),
            Err(refusal) => (CallOutcome::refused(&refusal), false),
        };
    }
    match meaning(lifted, file.hook.generic, file.hook.filter().as_deref()) {
        Err(failure) => (CallOutcome::failed(&failure), false),
        Ok(StepAnswer::Error(text)) => (CallOutcome::refused(&json!({"error": text})), false),
        Ok(StepAnswer::Proceed(changes)) => {
            well("proceeded", "the step proceeded".into(), json!({"changes": changes}))
        }
        Ok(StepAnswer::Halt) => well("halted", "the step halted the pipeline".into(), json!(null)),
        Ok(StepAnswer::Raise(exception)) => {
            well("raised", format!("the step raised {}", exception.class), exception.to_json())
        }
    }
}

/// The component of this digest among those that a data folder keeps, when it is there and sound. Blocks.
pub fn kept_component(data: &Path, digest: &str) -> Option<Vec<u8>> {
    ReleaseFiles::at(data).take(digest).ok()
}

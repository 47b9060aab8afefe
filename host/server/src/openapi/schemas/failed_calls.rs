//! The shapes of kept calls.

use utoipa::ToSchema;

use super::HookKind;

/// A call that failed and is kept.
#[derive(ToSchema)]
pub(crate) struct FailedCall {
    /// Its name.
    name: String,
    /// The bytes of its file.
    bytes: u64,
    /// When it was kept. UTC.
    #[schema(format = DateTime)]
    kept_at: String,
    /// Whose call it was.
    plugin: String,
    /// The version that the component names.
    #[schema(required = true)]
    version: Option<String>,
    /// The component's digest.
    digest: String,
    /// What was called.
    hook: HookCalled,
    /// How it ended: a failure's code, or `error`, `retry` or `reject` where the plugin itself said so.
    code: String,
}

/// What was called.
#[derive(ToSchema)]
pub(crate) struct HookCalled {
    /// The hook's type.
    #[schema(rename = "type")]
    hook_type: String,
    /// `filter` or `event`.
    kind: HookKind,
    /// The interface whose function was called.
    interface: String,
    /// Whether that is a generic one.
    generic: bool,
    /// Of an event: its id.
    #[schema(value_type = String, required = false)]
    event: Option<String>,
    /// Of an event: which attempt failed.
    #[schema(value_type = u64, required = false)]
    attempt: Option<u64>,
}

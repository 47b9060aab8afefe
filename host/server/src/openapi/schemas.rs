//! Shapes of what is sent and answered, where the real types live in other crates or read more than one form.
//!
//! Tests hold them against what the real types are serialised to.

#![expect(dead_code, reason = "only the derive macro reads these types")]

mod admin;
mod failed_calls;
mod releases;

use std::collections::HashMap;

use hookbox_archive::draft::MAX_COURSE_ID;
use utoipa::ToSchema;

pub(crate) use admin::PluginOverview;
pub(crate) use failed_calls::FailedCall;
pub(super) use releases::{
    ActivateRequest, ApproveRequest, Changed, ReleaseInFull, Reloaded, RollbackRequest, TrialRequest,
    UploadForm,
};

/// Whether one user has archived one course.
#[derive(ToSchema)]
pub(crate) struct ArchiveStatus {
    /// The row's id.
    id: i64,
    /// The course key, such as `course-v1:edX+DemoX+2024`. It is kept without branch and version.
    #[schema(max_length = 255)]
    course_id: String,
    /// The id of the user whose row it is.
    user: i64,
    /// Whether the user has archived the course.
    is_archived: bool,
    /// Since when the course is archived; `null` while it is not. UTC, to the microsecond.
    #[schema(required = true, format = DateTime)]
    archive_date: Option<String>,
    /// When the row was made. UTC, to the microsecond.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the row was last written. Every write moves it, also one that changes nothing else.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What a row is made from, or replaced with. Fields that are not named here are ignored.
#[derive(ToSchema)]
pub(super) struct ArchiveStatusWrite {
    /// A course key. Spaces around it are cut off.
    #[schema(min_length = 1, max_length = 255)]
    course_id: String,
    /// Whose row it is. Left out: the caller's, on PUT too. Others than staff may only name themselves, as a number.
    #[schema(value_type = i64, required = false)]
    user: Option<i64>,
    /// Left out: `false` on POST; on PUT the row keeps its value, unless a form is sent, where it means `false`.
    /// Also read: 1 and 0, and the words true, t, yes, y, on, false, f, no, n and off, in any case.
    #[schema(value_type = bool, required = false)]
    is_archived: Option<bool>,
}

/// What is to change in a row. What is left out stays as it is.
#[derive(ToSchema)]
pub(super) struct ArchiveStatusPatch {
    /// A course key. Spaces around it are cut off.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255)]
    course_id: Option<String>,
    /// Whose row it is to be. Others than staff may only name themselves, as a number.
    #[schema(value_type = i64, required = false)]
    user: Option<i64>,
    /// Whether the course is to be archived.
    #[schema(value_type = bool, required = false)]
    is_archived: Option<bool>,
}

// The attribute above takes only a literal.
const _: () = assert!(MAX_COURSE_ID == 255, "the schemas say 255");

/// Where the API's resources are.
#[derive(ToSchema)]
pub(super) struct ArchiveRoot {
    /// The absolute address of the list.
    #[schema(rename = "course-archive-status", format = "uri")]
    course_archive_status: String,
}

/// What a resource is and takes.
#[derive(ToSchema)]
pub(super) struct ResourceDescription {
    /// Its name.
    name: String,
    /// What it is.
    description: String,
    /// Media types that it answers with.
    renders: Vec<String>,
    /// Media types that it reads.
    parses: Vec<String>,
    /// For who may write: the method, and its fields with their type, whether they are required, and their label.
    #[schema(value_type = HashMap<String, HashMap<String, Object>>, required = false)]
    actions: Option<()>,
}

/// One sentence on what is wrong.
#[derive(ToSchema)]
pub(super) struct Detail {
    /// The sentence, in the words of the Django REST Framework.
    detail: String,
}

/// What is wrong, by field: one message or more each. `non_field_errors` holds what concerns no single field.
#[derive(ToSchema)]
pub(super) struct FieldErrors(HashMap<String, Vec<String>>);

/// A `course_id` filter that is no course key. Here the message is no list.
#[derive(ToSchema)]
pub(super) struct CourseFilterError {
    /// The message.
    course_id: String,
}

/// What was wrong (RFC 9457). Some problems have members beyond these.
#[derive(ToSchema)]
pub(super) struct ProblemDetails {
    /// `urn:hookbox:problem:` and the code.
    #[schema(rename = "type", format = "uri")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// A name for programs. It never changes.
    code: String,
    /// A sentence for people. It may change.
    detail: String,
    /// Where in the arguments or the data: `user.id`, `tags[3]`.
    #[schema(value_type = String, required = false)]
    path: Option<String>,
    /// What belongs there, in words.
    #[schema(value_type = String, required = false)]
    expected: Option<String>,
    /// What stands there, in words. Never its content.
    #[schema(value_type = String, required = false)]
    found: Option<String>,
    /// The known type that is nearest to the one in the request.
    #[schema(value_type = String, required = false)]
    nearest: Option<String>,
    /// The place in the batch of the event that is wrong, from 0.
    #[schema(value_type = u32, required = false)]
    index: Option<u32>,
    /// The plugin whose step ended the call.
    #[schema(value_type = String, required = false)]
    step: Option<String>,
    /// Why that step failed.
    #[schema(value_type = StepFailure, required = false)]
    failure: Option<StepFailure>,
    /// What that step and those before it did.
    #[schema(value_type = Vec<StepReport>, required = false)]
    steps: Option<Vec<StepReport>>,
    /// The plugin that was to be changed.
    #[schema(value_type = String, required = false)]
    plugin: Option<String>,
    /// The release that is rejected.
    #[schema(value_type = u32, required = false)]
    release: Option<u32>,
    /// What its admission found.
    #[schema(value_type = Object, required = false)]
    report: Option<()>,
    /// The revision that the plugin has by now.
    #[schema(value_type = u64, required = false)]
    revision: Option<u64>,
    /// Everything that is wrong with the configuration, or that a pipeline does not allow.
    #[schema(value_type = Vec<String>, required = false)]
    mistakes: Option<Vec<String>>,
}

/// How a pipeline ended. `completed`: every step ran, or was skipped. `halted`: a step let no later one run.
/// `raised`: a step raised one of the filter's exceptions.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum FilterOutcome {
    Completed,
    Halted,
    Raised,
}

/// The exception that a step raised. Some classes have members beyond these.
#[derive(ToSchema)]
pub(crate) struct FilterExceptionView {
    /// Its class, as upstream names it.
    class: String,
    /// Its message.
    message: String,
    /// Where to send the user, or empty.
    redirect_to: String,
    /// The HTTP status that the LMS is to answer with.
    #[schema(required = true)]
    status_code: Option<u16>,
}

/// What one step did.
#[derive(ToSchema)]
pub(crate) struct StepReport {
    /// The plugin's name.
    plugin: String,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// The component's digest.
    digest: String,
    /// What came of it.
    outcome: StepOutcome,
    /// The arguments that it changed or added.
    changed: Vec<String>,
    /// Wall-clock microseconds from making the instance to reading the answer.
    microseconds: u64,
    /// Why it failed, when it did.
    #[schema(value_type = StepFailure, required = false)]
    failure: Option<StepFailure>,
    /// The name under which the failed call is kept, when it is: see `/admin/api/failed-calls`.
    #[schema(value_type = String, required = false)]
    replay: Option<String>,
}

/// What came of one step. `proceeded`: the pipeline went on with its answer. `halted` and `raised`: it ended the
/// pipeline. `skipped`: it failed, and the pipeline went on without it. `failed`: it failed, and the call with it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum StepOutcome {
    Proceeded,
    Halted,
    Raised,
    Skipped,
    Failed,
}

/// Why a step failed.
#[derive(ToSchema)]
pub(crate) struct StepFailure {
    /// The kind of failure: `trap`, `exit`, `argument`, `answer`, `error`, `overloaded`, `quarantined`,
    /// `internal`, or a limit's name.
    code: String,
    /// A sentence on it.
    message: String,
    /// What the sandbox saw; its members depend on the kind. Absent for an error of the plugin's own.
    #[schema(value_type = Object, required = false)]
    report: Option<()>,
}

/// A hook and who takes it.
#[derive(ToSchema)]
pub(crate) struct HookView {
    /// The hook's type.
    #[schema(rename = "type")]
    hook_type: String,
    /// `filter` or `event`.
    kind: HookKind,
    /// Upstream's class or signal; `null` for a type that is in no catalogue.
    #[schema(required = true)]
    upstream: Option<String>,
    /// The interface that a plugin exports for it; `null` where only generic plugins can take it.
    #[schema(required = true)]
    interface: Option<String>,
    /// The catalogued filter that this type behaves like.
    #[schema(value_type = String, required = false)]
    like: Option<String>,
    /// Whether any plugin takes it.
    live: bool,
    /// Filters: whether a failed step is skipped.
    #[schema(value_type = bool, required = false)]
    fail_silently: Option<bool>,
    /// Its arguments, or its data key, each with its type in WIT.
    arguments: Vec<HookArgument>,
    /// Filters: the steps in their order. Events: the receivers.
    plugins: Vec<TakerView>,
    /// Filters: listed plugins that are not there.
    #[schema(value_type = Vec<MissingView>, required = false)]
    missing: Option<Vec<MissingView>>,
}

/// What a hook is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum HookKind {
    Filter,
    Event,
}

/// A hook's argument.
#[derive(ToSchema)]
pub(crate) struct HookArgument {
    /// Its name in JSON.
    name: String,
    /// Its type in WIT.
    #[schema(rename = "type")]
    ty: String,
}

/// A plugin that takes a hook.
#[derive(ToSchema)]
pub(crate) struct TakerView {
    /// The plugin's name.
    plugin: String,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// The component's digest.
    digest: String,
    /// The number of its release; 0 where none was recorded.
    release: u32,
    /// What a failed step of it does: `default`, `raise` or `skip`.
    on_failure: String,
    /// Why it takes the hook.
    reason: String,
    /// Whether its calls run.
    state: PluginStateName,
    /// Since when it is put aside, until when, and why; `null` while it is live.
    #[schema(required = true)]
    quarantine: Option<Quarantine>,
}

/// `live`: its calls run. `quarantined`: it kept failing and is put aside, its calls fail at once.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = PluginState)]
pub(crate) enum PluginStateName {
    Live,
    Quarantined,
}

/// That a plugin is put aside, and why.
#[derive(ToSchema)]
pub(crate) struct Quarantine {
    /// When it was put aside. UTC.
    #[schema(format = DateTime)]
    since: String,
    /// The first call after this is made as a trial; when it succeeds, the quarantine is over. UTC.
    #[schema(format = DateTime)]
    until: String,
    /// Failures in a row so far, trials among them.
    failures: u32,
    /// The last of them.
    last_failure: LastFailure,
}

/// The failure that put a plugin aside, or kept it there.
#[derive(ToSchema)]
pub(crate) struct LastFailure {
    /// The kind of failure, as of a step.
    code: String,
    /// A sentence on it.
    message: String,
}

/// A listed plugin that is not there.
#[derive(ToSchema)]
pub(crate) struct MissingView {
    /// Its name in the pipeline.
    plugin: String,
    /// Why it does not run.
    reason: String,
}

/// A live plugin.
#[derive(ToSchema)]
pub(crate) struct PluginView {
    /// Its name.
    name: String,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// What its component says of itself.
    #[schema(required = true)]
    description: Option<String>,
    /// The component's digest.
    digest: String,
    /// Where its component came from.
    origin: String,
    /// The interfaces that it exports for the host.
    exports: Vec<String>,
    /// What it is granted, as the configuration spells it.
    grants: Vec<String>,
    /// What its calls may use.
    limits: PluginLimits,
    /// Whether its calls run.
    state: PluginStateName,
    /// Since when it is put aside, until when, and why; `null` while it is live.
    #[schema(required = true)]
    quarantine: Option<Quarantine>,
}

/// What one plugin's calls may use.
#[derive(ToSchema)]
pub(crate) struct PluginLimits {
    /// Wall-clock milliseconds of one filter step.
    filter_time_ms: u64,
    /// Wall-clock milliseconds of one event delivery.
    event_time_ms: u64,
    /// Bytes of all memories of an instance together.
    memory_bytes: u64,
    /// Elements of all tables of an instance together.
    table_elements: u64,
    /// Bytes of values that one crossing from the plugin to the host may carry.
    answer_bytes: u64,
    /// Levels of nesting in a JSON document that the plugin answers with.
    json_depth: u64,
    /// Calls into the host in one call.
    host_calls: u64,
    /// Bytes of log lines in one call.
    log_bytes: u64,
    /// Bytes of log lines that all its calls together write in a second.
    log_bytes_per_second: u64,
    /// Streams and pollables held at once.
    handles: u64,
    /// Bytes of random data in one call.
    random_bytes: u64,
    /// Calls that run at once.
    concurrent_calls: u64,
    /// Calls that wait for their turn; more are refused at once.
    queued_calls: u64,
    /// Keys that it may keep.
    key_value_keys: u64,
    /// Bytes that it may keep.
    key_value_bytes: u64,
    /// Requests that one call may send.
    http_requests: u64,
    /// Bytes of one request's body, and of one answer's.
    http_body_bytes: u64,
    /// Milliseconds from sending a request to the end of its answer.
    http_time_ms: u64,
}

/// One CloudEvent 1.0 in its structured form. Attributes beyond these reach the receivers as extensions.
#[derive(ToSchema)]
pub(super) struct CloudEvent {
    /// Always `1.0`.
    specversion: String,
    /// The event's id, unique for its source. One that is no UUID becomes one, always the same for the same source.
    #[schema(min_length = 1)]
    id: String,
    /// Who sends it, as a URI reference.
    #[schema(min_length = 1)]
    source: String,
    /// The event's type.
    #[schema(rename = "type", min_length = 1)]
    event_type: String,
    /// When it happened, with an offset. Left out: when it arrived.
    #[schema(value_type = String, format = DateTime, required = false)]
    time: Option<String>,
    /// A JSON media type, when it is given.
    #[schema(value_type = String, required = false)]
    datacontenttype: Option<String>,
    /// The host that sent it.
    #[schema(value_type = String, required = false)]
    sourcehost: Option<String>,
    /// The version of the sender's library, such as `11.2.0`; a list of integers is read too.
    #[schema(value_type = String, required = false)]
    sourcelib: Option<String>,
    /// The minor version of the event's type.
    #[schema(value_type = u32, required = false)]
    minorversion: Option<u32>,
    /// An object with the event's one data key.
    #[schema(value_type = Object, required = false)]
    data: Option<()>,
    /// The same as base64 of JSON, in place of `data`.
    #[schema(value_type = String, required = false)]
    data_base64: Option<String>,
}

//! The shapes of releases, and of what is done with them.

use utoipa::ToSchema;

use super::PluginOverview;

/// How a release stands.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum ReleaseState {
    Installed,
    Checked,
    NeedsApproval,
    Live,
    Disabled,
    Quarantined,
    Replaced,
    Rejected,
    Removed,
}

/// What somebody should look at.
#[derive(ToSchema)]
pub(crate) struct Attention {
    /// The release.
    release: u32,
    /// `rejected`, `needs-approval` or `quarantined`.
    state: ReleaseState,
    /// Why.
    reason: String,
}

/// By which way a release came.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum ReleaseSource {
    Upload,
    Folder,
    Configuration,
    Sample,
}

/// A release of a plugin.
#[derive(ToSchema)]
pub(crate) struct Release {
    /// Its number, from 1.
    release: u32,
    /// `installed`: nobody has looked at it yet. `checked`: it passed admission and could go live. `needs-approval`: it
    /// wants more than it is granted. `live`: it takes calls. `disabled`: its plugin is. `quarantined`: it could not be
    /// brought back. `replaced`: another took its place; it can come back. `rejected`: it failed admission. `removed`:
    /// its plugin is.
    state: ReleaseState,
    /// Why, where there is something to say.
    #[schema(required = true)]
    reason: Option<String>,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// Its component's digest.
    digest: String,
    /// How many bytes the component has.
    bytes: u64,
    /// By which way it came.
    source: ReleaseSource,
    /// From where: a file, a sample, the name of who sent it.
    origin: String,
    /// When it came. UTC.
    #[schema(format = DateTime)]
    installed_at: String,
    /// Who brought it.
    installed_by: String,
    /// Whether it has recorded cases.
    cases: bool,
}

/// A release with what its admission found.
#[derive(ToSchema)]
pub(crate) struct ReleaseInFull {
    /// Its number, from 1.
    release: u32,
    /// How it stands.
    state: ReleaseState,
    /// Why, where there is something to say.
    #[schema(required = true)]
    reason: Option<String>,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// Its component's digest.
    digest: String,
    /// How many bytes the component has.
    bytes: u64,
    /// By which way it came.
    source: ReleaseSource,
    /// From where.
    origin: String,
    /// When it came. UTC.
    #[schema(format = DateTime)]
    installed_at: String,
    /// Who brought it.
    installed_by: String,
    /// Whether it has recorded cases.
    cases: bool,
    /// What its admission found; its members depend on how far it came.
    #[schema(value_type = Object)]
    report: (),
}

/// What a tried release's answers are for. `shadow`: they are compared with the live one's and thrown away. `canary`:
/// they answer their share of the calls.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum TrialKind {
    Shadow,
    Canary,
}

/// When a trial ends by itself.
#[derive(ToSchema)]
pub(crate) struct TrialRule {
    /// After so many calls it is promoted.
    #[schema(minimum = 1)]
    calls: u64,
    /// With more differences than this it is rolled back at once. Failures count as differences.
    differences: u64,
}

/// A trial: a release beside the live one.
#[derive(ToSchema)]
pub(crate) struct Trial {
    /// The release that is tried.
    release: u32,
    /// Beside the live one, or in its place.
    kind: TrialKind,
    /// Of a hundred calls, how many it gets.
    percent: f64,
    /// When it ends by itself; `null`: by hand.
    #[schema(required = true)]
    rule: Option<TrialRule>,
    /// Whether examples hold the values, or only where they differ.
    values: bool,
    /// When it began. UTC.
    #[schema(format = DateTime)]
    began_at: String,
    /// Who began it.
    began_by: String,
    /// What it found since the host last started.
    counts: TrialCounts,
    /// The latest differences, at most twenty.
    examples: Vec<TrialExample>,
}

/// What a trial found.
#[derive(ToSchema)]
pub(crate) struct TrialCounts {
    /// Calls of the tried release that ended.
    calls: u64,
    /// Shadow: with the same answer as the live release's.
    equal: u64,
    /// Shadow: with another.
    different: u64,
    /// That failed.
    failed: u64,
    /// Shadow: left out, because too many ran already.
    left_out: u64,
}

/// One difference that was found.
#[derive(ToSchema)]
pub(crate) struct TrialExample {
    /// The hook.
    hook: String,
    /// When. UTC.
    #[schema(format = DateTime)]
    at: String,
    /// Each place where the answers differ.
    differences: Vec<Difference>,
}

/// One place where two answers differ.
#[derive(ToSchema)]
pub(crate) struct Difference {
    /// Where: `outcome`, `changes.url`, `failure.code`.
    path: String,
    /// The live release's value; absent where it has none, or where values are left out.
    #[schema(value_type = serde_json::Value, required = false)]
    live: Option<()>,
    /// The tried release's.
    #[schema(value_type = serde_json::Value, required = false)]
    trial: Option<()>,
}

/// What came of a change.
#[derive(ToSchema)]
pub(crate) struct Changed {
    /// What happened: `live`, `checked`, `needs-approval`, `trial`, `unchanged`, `disabled` or `removed`.
    outcome: String,
    /// The release it happened to, where it is about one.
    #[schema(required = true)]
    release: Option<u32>,
    /// The generation that calls get from now on.
    generation: u64,
    /// The plugin as it is now.
    plugin: PluginOverview,
}

/// A component with its recorded cases.
#[derive(ToSchema)]
pub(crate) struct UploadForm {
    /// The component.
    #[schema(format = Binary)]
    component: String,
    /// The file of recorded cases, at most 1 MiB.
    #[schema(value_type = String, format = Binary, required = false)]
    cases: Option<String>,
}

/// Which release is to go live.
#[derive(ToSchema)]
pub(crate) struct ActivateRequest {
    /// Its number, or as a text its digest (at least six digits) or its version.
    #[schema(schema_with = release_name)]
    release: (),
}

/// Where to go back to.
#[derive(ToSchema)]
pub(crate) struct RollbackRequest {
    /// The release; left out: the one that was live before.
    #[schema(schema_with = release_name, required = false)]
    release: Option<()>,
}

/// What is granted.
#[derive(ToSchema)]
pub(crate) struct ApproveRequest {
    /// The release that waits; left out: the newest that does.
    #[schema(schema_with = release_name, required = false)]
    release: Option<()>,
    /// Grants as the configuration spells them. Left out: what the release wants, where that can be said without an
    /// origin.
    #[schema(value_type = Vec<String>, required = false)]
    grants: Option<Vec<String>>,
}

/// Which release is tried, and how.
#[derive(ToSchema)]
pub(crate) struct TrialRequest {
    /// Its number, or as a text its digest (at least six digits) or its version.
    #[schema(schema_with = release_name)]
    release: (),
    /// Beside the live one, or in its place.
    kind: TrialKind,
    /// Of a hundred calls, how many it gets; above 0.
    #[schema(maximum = 100)]
    percent: f64,
    /// When it ends by itself; left out: by hand.
    rule: Option<TrialRule>,
    /// Whether examples hold values. Left out: they do not.
    #[schema(value_type = bool, required = false)]
    values: Option<bool>,
}

/// A number or a text.
fn release_name() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
        .description(Some("Its number, or as a text its digest (at least six digits) or its version."))
        .build()
}

/// What a reload changes.
#[derive(ToSchema)]
pub(crate) struct Reloaded {
    /// Plugins that come, go or change.
    plugins: Vec<PluginChange>,
    /// Hooks whose pipeline or receivers change.
    hooks: Vec<HookChange>,
    /// What an operator should look at.
    warnings: Vec<String>,
    /// The generation that calls get from now on; absent in a dry run.
    #[schema(value_type = u64, required = false)]
    generation: Option<u64>,
    /// Keys that changed, and that the server takes up when it starts again.
    needs_restart: Vec<String>,
}

/// What a reload does to one plugin.
#[derive(ToSchema)]
pub(crate) struct PluginChange {
    /// Its name.
    plugin: String,
    /// `added`, `removed`, `upgraded` or `changed`.
    change: String,
    /// The keys of its table that change, or the digests.
    what: Vec<String>,
}

/// What a reload does to one hook.
#[derive(ToSchema)]
pub(crate) struct HookChange {
    /// The hook's type.
    hook: String,
    /// The plugins before, in order.
    before: Vec<String>,
    /// The plugins after, in order.
    after: Vec<String>,
    /// Other settings of the filter that change.
    #[schema(value_type = Vec<String>, required = false)]
    settings: Option<Vec<String>>,
}

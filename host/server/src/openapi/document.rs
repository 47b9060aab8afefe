//! The document: everything that the host answers, with the names and limits of its configuration.

use utoipa::ToSchema;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, ComponentsBuilder, OpenApi, OpenApiBuilder, RefOr, Schema};

use super::archive_answers::Shared;
use super::schemas::{
    ActivateRequest, ApproveRequest, Changed, ReleaseInFull, Reloaded, RollbackRequest, TrialRequest,
    UploadForm,
};
use super::schemas::{
    ArchiveRoot, ArchiveStatusPatch, ArchiveStatusWrite, CloudEvent, CourseFilterError, Detail, FieldErrors,
    ProblemDetails, ResourceDescription,
};
use super::{admin, archive, events, hooks, host, security};
use crate::admin::events::{
    BulkAsked, BulkDone, EventInFull, EventList, EventsSummary, ReplayAsked, ReplayCount, ReplayList,
};
use crate::admin::{AuditPage, FailedCallList, Lifted, PluginList};
use crate::archive::ListBody;
use crate::config::Config;
use crate::events::EventsAccepted;
use crate::filters::FilterAnswer;
use crate::hooks::HookList;
use crate::throttle::Rate;

/// Makes the document for a host with this configuration.
pub(super) fn document(config: &Config) -> OpenApi {
    let paths = archive::paths(config)
        .into_iter()
        .chain(hooks::paths(config))
        .chain([events::path(config)])
        .chain(admin::paths(config))
        .chain(host::paths());
    let paths = paths.fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item));
    let tag =
        |name: &str, description: String| TagBuilder::new().name(name).description(Some(description)).build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Hookbox")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Filters and event receivers for Open edX as sandboxed WebAssembly plugins, and the \
                     course archive's REST API.",
                ))
                .license(Some(
                    LicenseBuilder::new().name("Apache 2.0").identifier(Some("Apache-2.0")).build(),
                )),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("This host.")).build()]))
        .tags(Some([
            tag(archive::TAG, format!("{}\n\n{}", archive::ABOUT, archive_limits(config))),
            tag(hooks::TAG, format!("{}\n\n{}", hooks::ABOUT, hook_limits(config))),
            tag(admin::TAG, admin::ABOUT.to_owned()),
            tag(admin::events::TAG, admin::events::ABOUT.to_owned()),
            tag(host::TAG, host::ABOUT.to_owned()),
        ]))
        .paths(paths)
        .components(Some(components(config)))
        .build()
}

fn archive_limits(config: &Config) -> String {
    let body = config.archive.body;
    let rate = match config.archive.rate_limit {
        Rate::Limited { requests, window } => {
            format!("Each user may send {requests} requests in {} seconds", window.as_secs())
        }
        Rate::Unlimited => "There is no limit on the number of requests".to_owned(),
    };
    format!("{rate}; a body may have {} bytes ({body}).", body.as_u64())
}

fn hook_limits(config: &Config) -> String {
    format!(
        "A body may have {} bytes ({}), and its JSON 64 levels. {} deliveries of events may wait for their receivers.",
        config.server.body.as_u64(),
        config.server.body,
        config.events.backlog
    )
}

fn components(config: &Config) -> Components {
    let components = SCHEMAS
        .iter()
        .fold(ComponentsBuilder::new(), |components, schemas| components.schemas_from_iter(schemas()));
    let components = Shared::ALL
        .into_iter()
        .fold(components, |components, shared| components.response(shared.name(), shared.answer(config).1));
    security::schemes(&config.auth)
        .into_iter()
        .fold(components, |components, (name, scheme)| components.security_scheme(name, scheme))
        .build()
}

type Schemas = Vec<(String, RefOr<Schema>)>;

/// The types that bodies and answers name; what they are made of comes with them.
const SCHEMAS: [fn() -> Schemas; 33] = [
    with_parts::<ArchiveRoot>,
    with_parts::<ListBody<'static>>,
    with_parts::<ArchiveStatusWrite>,
    with_parts::<ArchiveStatusPatch>,
    with_parts::<ResourceDescription>,
    with_parts::<Detail>,
    with_parts::<FieldErrors>,
    with_parts::<CourseFilterError>,
    with_parts::<ProblemDetails>,
    with_parts::<HookList>,
    with_parts::<FilterAnswer>,
    with_parts::<CloudEvent>,
    with_parts::<EventsAccepted>,
    with_parts::<PluginList>,
    with_parts::<Lifted>,
    with_parts::<ReleaseInFull>,
    with_parts::<Changed>,
    with_parts::<UploadForm>,
    with_parts::<ActivateRequest>,
    with_parts::<RollbackRequest>,
    with_parts::<ApproveRequest>,
    with_parts::<TrialRequest>,
    with_parts::<Reloaded>,
    with_parts::<AuditPage>,
    with_parts::<EventList>,
    with_parts::<EventInFull>,
    with_parts::<EventsSummary>,
    with_parts::<BulkAsked>,
    with_parts::<BulkDone>,
    with_parts::<ReplayAsked>,
    with_parts::<ReplayList>,
    with_parts::<ReplayCount>,
    with_parts::<FailedCallList>,
];

/// A type's schema and those that it refers to.
fn with_parts<T: ToSchema>() -> Schemas {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

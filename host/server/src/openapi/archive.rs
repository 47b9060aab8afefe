//! The course archive's operations.

use axum::http::StatusCode;
use hookbox_archive::query::{MAX_PAGE_SIZE, PAGE_SIZE};
use hookbox_archive::{Act, Row};
use hookbox_store::Timestamp;
use serde_json::{Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle, PathItem,
    PathItemBuilder,
};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::archive_answers::{
    ALWAYS, Shared, bad_body, bad_query, bad_request, forbidden, no_page, no_row, shared,
};
use super::parts::{
    Answer, Responses, Shown, body, content, empty, int64, item, json, operation, parameter, schema_of,
};
use super::schemas::{
    ArchiveRoot, ArchiveStatus, ArchiveStatusPatch, ArchiveStatusWrite, ResourceDescription,
};
use super::security::Login;
use crate::archive::ListBody;
use crate::archive::metadata;
use crate::archive::route::{BASE, Resource, STATUSES};
use crate::config::Config;

/// The operations' tag.
pub(super) const TAG: &str = "Course archive";
/// What the tag means.
pub(super) const ABOUT: &str = "Which learners have archived which courses. Everybody sees and edits their \
                                own rows; staff and superusers see and edit all. The answers are those of \
                                the Django sample plugin, down to the wording of the errors.\n\nEvery answer \
                                carries `Allow`. `HEAD` works wherever `GET` does. A path without its last \
                                slash is redirected to the one with it (301). `Accept: application/json; \
                                indent=4` indents the answer, by at most 8 spaces. With `.json` in place of \
                                the last slash a path answers the same, and other endings are 404. A request \
                                whose `Host` names no host, or with more than 1000 parameters, form fields \
                                or 100 files, is refused at once (400), with a page in HTML.";

/// The names that `ordering` knows, each also with `-` in front.
pub(super) const ORDERINGS: [&str; 6] =
    ["course_id", "user", "is_archived", "archive_date", "created_at", "updated_at"];

const COURSE: &str = "course-v1:edX+DemoX+2024";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 3] {
    [
        (BASE.to_owned(), root(config)),
        (format!("{BASE}{STATUSES}/"), list(config)),
        (format!("{BASE}{STATUSES}/{{id}}/"), detail(config)),
    ]
}

/// 2026-11-22T19:43:22.411797Z, the moment of all examples.
const MOMENT: Timestamp = Timestamp::from_micros(1_795_376_602_411_797);

/// The row that the examples show, written as the API writes rows.
pub(super) fn row(is_archived: bool) -> Row {
    Row {
        id: 1,
        course_id: COURSE.into(),
        user: 1,
        is_archived,
        archive_date: is_archived.then_some(MOMENT),
        created_at: MOMENT,
        updated_at: MOMENT,
    }
}

/// The page that the examples show.
fn page() -> Value {
    let row = row(true);
    let page = ListBody { count: 1, next: None, previous: None, results: std::slice::from_ref(&row) };
    json!(page)
}

fn root(config: &Config) -> PathItem {
    let link = format!("http://127.0.0.1:8000{BASE}{STATUSES}/");
    let get = operation(
        TAG,
        "getArchiveRoot",
        "Find the resources",
        "The address of each resource of this API. No login is needed, but a token that does not hold is \
         refused.",
    )
    .securities(Some(Login::Optional.requirements()))
    .responses_of([json(
        StatusCode::OK,
        "The resources.",
        schema_of::<ArchiveRoot>(),
        vec![Shown::new("root", "The resources", json!({STATUSES: link}))],
    )])
    .responses_of([bad_request()])
    .responses_of(shared(config, [Shared::Unauthenticated, Shared::Restricted, Shared::NotAcceptable]));
    let options = describe("describeArchiveRoot", &Resource::Root)
        .securities(Some(Login::Optional.requirements()))
        .responses_of(shared(config, [Shared::Unauthenticated, Shared::Restricted, Shared::NotAcceptable]));
    item([(HttpMethod::Get, get), (HttpMethod::Options, options)])
}

fn list(config: &Config) -> PathItem {
    let get = operation(
        TAG,
        "listArchiveStatuses",
        "List rows",
        "A page of the rows that the caller sees: their own, or for staff and superusers all. Without \
         `ordering` the row that was written last comes first. `next` and `previous` keep the query.",
    )
    .parameters(Some(list_parameters()))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "A page of rows.",
            schema_of::<ListBody<'_>>(),
            vec![Shown::new("page", "One row", page())],
        ),
        bad_query(),
        no_page(),
    ])
    .responses_of(shared(config, ALWAYS));
    let post = operation(
        TAG,
        "createArchiveStatus",
        "Create a row",
        "Makes the caller's row for a course, or for staff and superusers anybody's. There is one row for \
         each course and user, whatever the case of the letters in the course key. The answer repeats the \
         key in its canonical form, with branch and version; they are not kept.",
    )
    .request_body(Some(written(
        &schema_of::<ArchiveStatusWrite>(),
        &json!({"course_id": COURSE, "is_archived": true}),
    )))
    .securities(Some(Login::Writes.requirements()))
    .responses_of([row_answer(StatusCode::CREATED, "The new row."), bad_body(false), forbidden(Act::Create)])
    .responses_of(shared(config, on_writing()));
    let options = describe("describeArchiveStatuses", &Resource::List)
        .securities(Some(Login::Reads.requirements()))
        .responses_of(shared(config, ALWAYS));
    item([(HttpMethod::Get, get), (HttpMethod::Post, post), (HttpMethod::Options, options)])
}

fn detail(config: &Config) -> PathItem {
    let get = operation(TAG, "getArchiveStatus", "Read a row", "One row that the caller sees.")
        .securities(Some(Login::Reads.requirements()))
        .responses_of([row_answer(StatusCode::OK, "The row."), bad_query(), no_row()])
        .responses_of(shared(config, ALWAYS));
    let put = operation(
        TAG,
        "replaceArchiveStatus",
        "Replace a row",
        "Writes the row anew. **A body without `user` makes the caller the row's owner**: staff who mean to \
         leave it with its user must name that user, or use PATCH. `archive_date` is set when `is_archived` \
         becomes true, cleared when it becomes false, and kept otherwise.",
    )
    .request_body(Some(written(
        &schema_of::<ArchiveStatusWrite>(),
        &json!({"course_id": COURSE, "user": 1, "is_archived": false}),
    )))
    .responses_of([row_answer(StatusCode::OK, "The row as it is now.")]);
    let patch = operation(
        TAG,
        "updateArchiveStatus",
        "Change a row",
        "Changes the fields that the body holds. Also an empty body moves `updated_at`. `archive_date` is \
         set when `is_archived` becomes true, cleared when it becomes false, and kept otherwise.",
    )
    .request_body(Some(written(&schema_of::<ArchiveStatusPatch>(), &json!({"is_archived": true}))))
    .responses_of([row_answer(StatusCode::OK, "The row as it is now.")]);
    let update = |operation: OperationBuilder| {
        operation
            .securities(Some(Login::Writes.requirements()))
            .responses_of([bad_body(true), forbidden(Act::Update), no_row()])
            .responses_of(shared(config, on_writing()))
    };
    let delete =
        operation(TAG, "deleteArchiveStatus", "Delete a row", "Deletes one row that the caller sees.")
            .securities(Some(Login::Writes.requirements()))
            .responses_of([empty(StatusCode::NO_CONTENT, "It is gone."), bad_query(), no_row()])
            .responses_of(shared(config, ALWAYS));
    let options = describe("describeArchiveStatus", &Resource::Detail(String::new()))
        .securities(Some(Login::Reads.requirements()))
        .responses_of(shared(config, ALWAYS));
    let item = item([
        (HttpMethod::Get, get),
        (HttpMethod::Put, update(put)),
        (HttpMethod::Patch, update(patch)),
        (HttpMethod::Delete, delete),
        (HttpMethod::Options, options),
    ]);
    let id = ObjectBuilder::new().schema_type(Type::Integer).format(Some(int64()));
    let id = parameter(ParameterIn::Path, "id", "The row's id.", id, Some(json!(1)));
    let hides = |parameter: Parameter| {
        let mut parameter = parameter;
        let name = &parameter.name;
        parameter.description = Some(format!("The list's `{name}` filter: a row that it hides is 404."));
        parameter
    };
    let parameters = std::iter::once(id.build()).chain(filters().map(hides));
    PathItemBuilder::from(item).parameters(Some(parameters)).build()
}

fn on_writing() -> impl Iterator<Item = Shared> {
    // The 403 of an operation that writes says more than the shared one.
    let rest = ALWAYS.into_iter().filter(|shared| *shared != Shared::Restricted);
    rest.chain([Shared::TooLarge, Shared::MediaType])
}

fn row_answer(status: StatusCode, description: &str) -> Answer {
    let archived = status == StatusCode::CREATED;
    let example = Shown::new("row", "A row", json!(row(archived)));
    json(status, description, schema_of::<ArchiveStatus>(), vec![example])
}

/// A body in the three media types.
fn written(schema: &RefOr<Schema>, example: &Value) -> RequestBody {
    let example = || vec![Shown::new("body", "A body", example.clone())];
    body(
        "As JSON, as a form, or in parts; the charset that the media type names is honoured. A form that \
         names a `user` is taken from staff and superusers only, because its values are text and not \
         numbers.",
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
            .map(|media| (media, content(schema.clone(), example()))),
    )
    .build()
}

fn describe(id: &str, resource: &Resource) -> OperationBuilder {
    let what =
        "What the resource is, what it reads and answers, and for who may write the fields with their rules.";
    let example = metadata::of(resource, *resource != Resource::Root);
    operation(TAG, id, summary_of(resource), what)
        .responses_of([json(
            StatusCode::OK,
            "The description.",
            schema_of::<ResourceDescription>(),
            vec![Shown::new("description", "The description", example)],
        )])
        .responses_of([bad_request()])
}

fn summary_of(resource: &Resource) -> &'static str {
    match resource {
        Resource::Root => "Describe the API's root",
        Resource::List => "Describe the list",
        Resource::Detail(_) => "Describe a row",
    }
}

/// The filters of list and rows.
fn filters() -> impl Iterator<Item = Parameter> {
    let integer = || ObjectBuilder::new().schema_type(Type::Integer);
    [
        parameter(
            ParameterIn::Query,
            "course_id",
            "Only rows of this course. The case of the letters does not matter. Empty: no filter.",
            String::schema(),
            Some(json!(COURSE)),
        ),
        parameter(
            ParameterIn::Query,
            "user",
            "Only rows of the user with this id, who must exist. Others than staff get an empty list for \
             anybody else. Empty: no filter.",
            integer().format(Some(int64())),
            None,
        ),
        parameter(
            ParameterIn::Query,
            "is_archived",
            "Only rows that are archived, or are not: `true`, `false`, 1 or 0. Anything else is no filter.",
            bool::schema(),
            Some(json!(true)),
        ),
    ]
    .into_iter()
    .map(ParameterBuilder::build)
}

fn list_parameters() -> impl Iterator<Item = Parameter> {
    let integer = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let orderings = ORDERINGS.iter().flat_map(|name| [(*name).to_owned(), format!("-{name}")]);
    let ordering = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(orderings));
    let last = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["last"]));
    let sizes = integer().maximum(Some(f64::from(MAX_PAGE_SIZE))).default(Some(json!(PAGE_SIZE)));
    let own = [
        parameter(
            ParameterIn::Query,
            "ordering",
            "What to sort by, separated by commas; `-` in front turns the order round. Names that are not \
             known are skipped. Rows that are equal are in the order of their ids.",
            ArrayBuilder::new().items(ordering),
            Some(json!(["-updated_at"])),
        )
        .style(Some(ParameterStyle::Form))
        .explode(Some(false)),
        parameter(
            ParameterIn::Query,
            "page",
            "The page, from 1, or `last`.",
            OneOfBuilder::new().item(integer()).item(last),
            Some(json!(1)),
        ),
        parameter(
            ParameterIn::Query,
            "page_size",
            &format!(
                "Rows on a page, {MAX_PAGE_SIZE} at most; more is cut to that. What is no size means \
                      {PAGE_SIZE}."
            ),
            sizes,
            None,
        ),
    ];
    filters().chain(own.into_iter().map(ParameterBuilder::build))
}

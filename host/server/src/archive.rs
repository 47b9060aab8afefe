//! The course archive's REST API: what the Django sample plugin answers, over HTTP.
//!
//! Each request goes through the same checks in the same order as there: negotiation, authentication, permission,
//! throttle, method, query and row, body, rules. The rules are `hookbox_archive`'s; this is only their HTTP.

mod charset;
mod content;
pub(crate) mod fault;
mod form;
mod links;
mod media;
pub(crate) mod metadata;
mod multipart;
pub(crate) mod route;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hookbox_archive::draft::Write;
use hookbox_archive::query::Params;
use hookbox_archive::{Caller, Row};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth;
use crate::openapi::schemas;
use crate::telemetry::{ARCHIVE_REQUESTS, ARCHIVE_SECONDS};
use content::Content;
use fault::Fault;
use media::Layout;
use route::{BASE, Resource, Route, STATUSES, route};

pub(crate) use fault::status_of;

/// Whether a path belongs to this API's prefix, also one that names nothing in it.
pub(crate) fn owns(path: &str) -> bool {
    let path = links::decoded(path).to_ascii_lowercase();
    let path = path.trim_start_matches('/');
    path == "sample-plugin" || path.starts_with("sample-plugin/")
}

/// Answers any request below the API's prefix.
pub(crate) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    // WSGI servers hand on methods in capitals, and browsers send `patch` as a page spells it.
    if let Ok(method) = Method::from_bytes(parts.method.as_str().to_ascii_uppercase().as_bytes()) {
        parts.method = method;
    }
    if let Some(preflight) = app.cors.preflight(&parts.method, &parts.headers) {
        return preflight;
    }
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let mut response = respond(&app, &parts, body).await;
    app.cors.allow(origin.as_ref(), response.headers_mut());
    response
}

async fn respond(app: &App, parts: &Parts, body: HttpBody) -> Response {
    let base = match links::base(parts) {
        Ok(base) => base,
        Err(fault) => return bad_request(&fault),
    };
    let path = links::decoded(parts.uri.path());
    let (resource, suffix) = match route(&path) {
        Route::Nothing => {
            let text = format!("Nothing is at this path. The API begins at <a href=\"{BASE}\">{BASE}</a>.");
            return page(StatusCode::NOT_FOUND, "Not Found", &text);
        }
        Route::AppendSlash => return redirect(&links::with_slash(&path, &parts.uri)),
        Route::To { resource, suffix } => (resource, suffix),
    };
    let params = match links::params(&parts.uri) {
        Ok(params) => params,
        Err(fault) if suffix.as_deref().is_none_or(|suffix| suffix == "json") => return bad_request(&fault),
        Err(_) => Params::default(),
    };
    let started = Instant::now();
    let asked = Asked {
        app,
        base: &base,
        path: &path,
        resource: &resource,
        suffix,
        params: &params,
        parts,
        cookies_counted: AtomicBool::new(false),
    };
    let response = asked.answer(Sent::Unread(body)).await;
    count(&resource, &parts.method, response.status(), started.elapsed());
    response
}

fn bad_request(fault: &Fault) -> Response {
    let detail = fault.body()["detail"].as_str().unwrap_or_default().to_owned();
    page(StatusCode::BAD_REQUEST, "Bad Request", &detail)
}

/// Counts a request. Methods that nobody takes share a name.
fn count(resource: &Resource, method: &Method, status: StatusCode, took: Duration) {
    let resource = match resource {
        Resource::Root => "root",
        Resource::List => "list",
        Resource::Detail(_) => "detail",
    };
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let status = status.as_str().to_owned();
    metrics::counter!(ARCHIVE_REQUESTS, "resource" => resource, "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!(ARCHIVE_SECONDS, "resource" => resource, "method" => method).record(took);
}

/// An answer in HTML, for people who mistyped something, and where Django answers before the REST framework does. The
/// text is ours, never the request's.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><title>{title}</title></head><body><h1>{title}</h1>\
         <p>{text}</p></body></html>\n"
    );
    let mut response = Response::new(HttpBody::from(html));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

fn redirect(location: &str) -> Response {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // A percent-encoded path and the request's own query are always sound; without them there is nothing to say.
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    response
}

/// What one request asks for.
struct Asked<'a> {
    app: &'a App,
    base: &'a str,
    path: &'a str,
    resource: &'a Resource,
    suffix: Option<String>,
    params: &'a Params,
    parts: &'a Parts,
    /// Whether cookies, or that there were none, decided who asks.
    cookies_counted: AtomicBool,
}

/// A request's content, read when it is needed.
enum Sent {
    Unread(HttpBody),
    Read(Result<Content, Fault>),
}

/// An answer before it has its common headers.
struct Answer {
    status: StatusCode,
    body: Option<Vec<u8>>,
}

impl Answer {
    fn json(status: StatusCode, layout: Layout, value: &impl Serialize) -> Self {
        Self { status, body: Some(written(value, layout)) }
    }
}

/// One page of a list.
// Keys in this order.
#[derive(Serialize, ToSchema)]
#[schema(as = ArchiveStatusPage)]
pub(crate) struct ListBody<'a> {
    /// Rows on all pages together.
    pub(crate) count: u64,
    /// The next page's address; `null` on the last one.
    #[schema(required = true, format = "uri")]
    pub(crate) next: Option<String>,
    /// The previous page's address; `null` on the first one.
    #[schema(required = true, format = "uri")]
    pub(crate) previous: Option<String>,
    /// This page's rows.
    #[schema(value_type = Vec<schemas::ArchiveStatus>)]
    pub(crate) results: &'a [Row],
}

impl Asked<'_> {
    async fn answer(&self, sent: Sent) -> Response {
        let layout = match self.negotiated() {
            Ok(layout) => layout,
            Err(fault) => return self.finish(self.refused(&fault, Layout::default()), Some(&fault)),
        };
        match self.checked(layout, sent).await {
            Ok(answer) => self.finish(answer, None),
            Err(fault @ Fault::BadRequest(_)) => bad_request(&fault),
            Err(fault) => self.finish(self.refused(&fault, layout), Some(&fault)),
        }
    }

    /// How the answer is to be written, when the client takes one.
    fn negotiated(&self) -> Result<Layout, Fault> {
        if self.suffix.as_ref().is_some_and(|suffix| suffix != "json") {
            return Err(Fault::NoSuchFormat);
        }
        media::accepted(&self.parts.headers).ok_or(Fault::NotAcceptable)
    }

    /// The checks in their order, then the resource.
    async fn checked(&self, layout: Layout, sent: Sent) -> Result<Answer, Fault> {
        let (claims, sent) = self.authenticated(sent).await;
        let method = match self.parts.method.clone() {
            Method::HEAD => Method::GET,
            other => other,
        };
        if *self.resource == Resource::Root {
            return self.root(claims, &method, layout);
        }
        let claims = claims.map_err(Fault::Unauthenticated)?;
        let user = self.app.user_of(&claims).await?;
        if claims.is_restricted {
            return Err(Fault::Forbidden);
        }
        self.app.throttle.admit(user.id).map_err(|seconds| Fault::Throttled { seconds })?;
        let caller = Caller::from(&*user);
        match (self.resource, method) {
            (Resource::List, Method::GET) => self.list(caller, layout).await,
            (Resource::List, Method::POST) => self.create(caller, layout, sent).await,
            (Resource::List, Method::OPTIONS) => Ok(self.options(true, layout)),
            (Resource::Detail(id), Method::GET) => {
                let row = self.app.archive.retrieve(caller, id, self.params).await?;
                Ok(Answer::json(StatusCode::OK, layout, &row))
            }
            (Resource::Detail(id), Method::PUT) => {
                self.update(caller, id, Write::Replace, layout, sent).await
            }
            (Resource::Detail(id), Method::PATCH) => {
                self.update(caller, id, Write::Patch, layout, sent).await
            }
            (Resource::Detail(id), Method::DELETE) => {
                self.app.archive.delete(caller, id, self.params).await?;
                Ok(Answer { status: StatusCode::NO_CONTENT, body: None })
            }
            (Resource::Detail(id), Method::OPTIONS) => {
                let writable = self.app.archive.retrieve(caller, id, self.params).await.is_ok();
                Ok(self.options(writable, layout))
            }
            _ => Err(Fault::Method(self.parts.method.clone())),
        }
    }

    /// Who asks. A POST with cookies is read first: its form may hold the CSRF token, and one that cannot be read is
    /// taken for no login at all, as in Django.
    async fn authenticated(&self, sent: Sent) -> (Result<auth::Claims, auth::Refusal>, Sent) {
        let Parts { method, headers, .. } = self.parts;
        let by_form = *method == Method::POST
            && *self.resource != Resource::Root
            && headers.contains_key(header::COOKIE);
        let sent = if by_form { Sent::Read(self.content(sent).await) } else { sent };
        let form_token = match &sent {
            Sent::Read(Ok(content)) => content.csrf_token.as_deref(),
            _ => None,
        };
        let mut claims = self.app.authenticate(method, headers, form_token);
        let by_cookie = matches!(&claims, Ok(claims) if claims.source == auth::Source::Cookie);
        if by_cookie && matches!(sent, Sent::Read(Err(_))) {
            claims = Err(auth::Refusal::NotProvided);
        }
        let counted = by_cookie || matches!(claims, Err(auth::Refusal::NotProvided));
        self.cookies_counted.store(counted, Ordering::Relaxed);
        (claims, sent)
    }

    fn root(
        &self,
        claims: Result<auth::Claims, auth::Refusal>,
        method: &Method,
        layout: Layout,
    ) -> Result<Answer, Fault> {
        match claims {
            // No login is needed; one that is no good is still refused.
            Ok(claims) if claims.is_restricted => return Err(Fault::Forbidden),
            Ok(_) | Err(auth::Refusal::NotProvided) => {}
            Err(refusal) => return Err(Fault::Unauthenticated(refusal)),
        }
        match *method {
            Method::GET => {
                let end = if self.suffix.is_some() { ".json" } else { "/" };
                let link = format!("{}{BASE}{STATUSES}{end}", self.base);
                Ok(Answer::json(StatusCode::OK, layout, &json!({STATUSES: link})))
            }
            Method::OPTIONS => Ok(self.options(false, layout)),
            _ => Err(Fault::Method(self.parts.method.clone())),
        }
    }

    async fn list(&self, caller: Caller, layout: Layout) -> Result<Answer, Fault> {
        let page = self.app.archive.list(caller, self.params).await?;
        let link = |number: u64| links::to_page(self.base, self.path, self.params, number);
        let body = ListBody {
            count: page.count,
            next: (page.number < page.pages).then(|| link(page.number + 1)),
            previous: (page.number > 1).then(|| link(page.number - 1)),
            results: &page.rows,
        };
        Ok(Answer::json(StatusCode::OK, layout, &body))
    }

    async fn create(&self, caller: Caller, layout: Layout, sent: Sent) -> Result<Answer, Fault> {
        let content = self.content(sent).await?;
        let row = self.app.archive.create(caller, &content.body).await?;
        Ok(Answer::json(StatusCode::CREATED, layout, &row))
    }

    async fn update(
        &self,
        caller: Caller,
        id: &str,
        write: Write,
        layout: Layout,
        sent: Sent,
    ) -> Result<Answer, Fault> {
        let content = match self.content(sent).await {
            Ok(content) => content,
            Err(fault) => {
                // A row that is not there is said before a body that cannot be read.
                self.app.archive.retrieve(caller, id, self.params).await?;
                return Err(fault);
            }
        };
        let row = self.app.archive.update(caller, id, self.params, &content.body, write).await?;
        Ok(Answer::json(StatusCode::OK, layout, &row))
    }

    fn options(&self, writable: bool, layout: Layout) -> Answer {
        Answer::json(StatusCode::OK, layout, &metadata::of(self.resource, writable))
    }

    async fn content(&self, sent: Sent) -> Result<Content, Fault> {
        let body = match sent {
            Sent::Read(content) => return content,
            Sent::Unread(body) => body,
        };
        let mut request = Request::new(body);
        request.extensions_mut().clone_from(&self.parts.extensions);
        let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Fault::TooLarge { limit: self.app.archive_body }
            }
            other => Fault::Malformed(other.body_text()),
        })?;
        content::read(&self.parts.headers, &bytes)
    }

    fn refused(&self, fault: &Fault, layout: Layout) -> Answer {
        let status = fault.status();
        if status.is_server_error() {
            tracing::error!(path = self.path, method = %self.parts.method, %status, ?fault, "the archive cannot answer");
        }
        let mut body = written(&fault.body(), layout);
        // These two end lines in JavaScript; a message may repeat them from the request.
        if body.windows(2).any(|pair| pair == [0xe2, 0x80]) {
            let text = String::from_utf8_lossy(&body);
            body = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").into_bytes();
        }
        Answer { status, body: Some(body) }
    }

    /// The response with what every answer carries.
    fn finish(&self, answer: Answer, fault: Option<&Fault>) -> Response {
        let has_body = answer.body.is_some();
        let mut response = Response::new(answer.body.map_or_else(HttpBody::empty, HttpBody::from));
        *response.status_mut() = answer.status;
        let own = fault.map_or_else(HeaderMap::new, |fault| fault.headers(&self.app.auth.challenge()));
        let headers = response.headers_mut();
        headers.extend(own);
        headers.insert(header::ALLOW, HeaderValue::from_static(self.resource.allow()));
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if self.cookies_counted.load(Ordering::Relaxed) {
            headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
        }
        response
    }
}

/// JSON, compact or indented.
fn written(value: &impl Serialize, layout: Layout) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let spaces = [b' '; 8];
    let written = if layout.indent == 0 {
        serde_json::to_writer(&mut bytes, value)
    } else {
        let indent = &spaces[..usize::from(layout.indent).min(spaces.len())];
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
    };
    if let Err(error) = written {
        // Rows, links and messages are plain values; there is no way to get here.
        tracing::error!(%error, "an answer could not be written");
    }
    bytes
}

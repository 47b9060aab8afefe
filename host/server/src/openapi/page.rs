//! The page: the document in HTML, without scripts and without anything from elsewhere.

mod curl;
mod operation;
mod schema;
mod text;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use operation::Operation;
use text::{escaped, inline, prose, slug};

/// The page's only style.
const STYLE: &str = include_str!("page/style.css");

/// The methods of a path, in the order of the page.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];

/// What a browser may load for the page: the style in it, known by its digest.
pub(super) fn policy() -> HeaderValue {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The page for a document. `prefix` is the word before a token.
pub(super) fn render(document: &Value, prefix: &str) -> String {
    let page = Page { document, prefix };
    let mut html = String::with_capacity(256 << 10);
    let info = &document["info"];
    let title = format!("{} {}", text_of(info, "title"), text_of(info, "version"));
    html.push_str(&format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · HTTP interface</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n",
        escaped(&title)
    ));
    page.contents(&mut html);
    html.push_str("<main id=\"content\">\n");
    page.introduction(&mut html);
    for tag in members(document, "tags") {
        page.tag(&mut html, tag);
    }
    page.schemas(&mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// A document that is being written as a page.
struct Page<'a> {
    document: &'a Value,
    prefix: &'a str,
}

impl<'a> Page<'a> {
    /// What a `$ref` in the document refers to; the value itself when it is none.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        target.and_then(|target| self.document.pointer(target)).unwrap_or(value)
    }

    /// The operations of a tag.
    fn operations(&'a self, tag: &'a str) -> impl Iterator<Item = Operation<'a>> {
        object(&self.document["paths"]).flat_map(move |(path, item)| {
            METHODS.iter().filter_map(move |method| {
                let operation = item.get(method)?;
                let tagged = members(operation, "tags").any(|name| name == tag);
                tagged.then_some(Operation { page: self, path, method, item, operation })
            })
        })
    }

    /// The table of contents.
    fn contents(&self, html: &mut String) {
        html.push_str(
            "<nav aria-label=\"Contents\">\n<p class=\"brand\"><a href=\"#content\">Hookbox</a></p>\n<ul>\n",
        );
        html.push_str("<li><a class=\"group\" href=\"#login\">Logging in</a></li>\n");
        for tag in members(self.document, "tags") {
            let name = text_of(tag, "name");
            html.push_str(&format!(
                "<li><a class=\"group\" href=\"#{}\">{}</a>\n<ul>\n",
                slug(name),
                escaped(name)
            ));
            for operation in self.operations(name) {
                operation.entry(html);
            }
            html.push_str("</ul></li>\n");
        }
        html.push_str("<li><a class=\"group\" href=\"#schemas\">Schemas</a></li>\n</ul>\n</nav>\n");
    }

    fn introduction(&self, html: &mut String) {
        let info = &self.document["info"];
        html.push_str(&format!(
            "<header>\n<h1>{} <span class=\"version\">{}</span></h1>\n{}<p>For programs, the same in OpenAPI \
             {}: <a href=\"{}\"><code>{}</code></a>. In the commands below, <code>$HOOKBOX</code> is this \
             host's address and <code>$TOKEN</code> a token:</p>\n<pre \
             class=\"copy\"><code>{}</code></pre>\n<p class=\"hint\">One click selects a whole \
             command.</p>\n</header>\n",
            escaped(text_of(info, "title")),
            escaped(text_of(info, "version")),
            prose(text_of(info, "description")),
            escaped(text_of(self.document, "openapi")),
            super::OPENAPI,
            super::OPENAPI,
            escaped(curl::SETTING),
        ));
        html.push_str("<section id=\"login\">\n<h2>Logging in</h2>\n<dl class=\"schemes\">\n");
        for (_, scheme) in object(&self.document["components"]["securitySchemes"]) {
            html.push_str(&format!(
                "<dt><code>{}</code> <span class=\"kind\">{}</span></dt>\n<dd>{}</dd>\n",
                escaped(text_of(scheme, "name")),
                escaped(text_of(scheme, "in")),
                prose(text_of(scheme, "description"))
            ));
        }
        html.push_str("</dl>\n</section>\n");
    }

    fn tag(&self, html: &mut String, tag: &Value) {
        let name = text_of(tag, "name");
        html.push_str(&format!(
            "<section id=\"{}\">\n<h2>{}</h2>\n{}",
            slug(name),
            escaped(name),
            prose(text_of(tag, "description"))
        ));
        for operation in self.operations(name) {
            operation.write(html);
        }
        html.push_str("</section>\n");
    }

    fn schemas(&self, html: &mut String) {
        html.push_str("<section id=\"schemas\">\n<h2>Schemas</h2>\n");
        for (name, schema) in object(&self.document["components"]["schemas"]) {
            let description = text_of(schema, "description");
            html.push_str(&format!(
                "<article class=\"schema\" id=\"{}\">\n<h3>{}</h3>\n{}",
                escaped(&schema::anchor(name)),
                escaped(name),
                prose(description)
            ));
            schema::body(html, schema);
            html.push_str("</article>\n");
        }
        html.push_str("</section>\n");
    }
}

/// A member that is text; empty when it is not there.
fn text_of<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a member that is a list.
fn members<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// The members of an object.
fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().map(Map::iter).into_iter().flatten()
}

/// A sentence without paragraphs.
fn sentence(value: &Value) -> String {
    inline(text_of(value, "description"))
}

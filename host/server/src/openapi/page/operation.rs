//! One operation: what it is called, takes and answers.

use serde_json::Value;

use super::text::{escaped, inline, prose};
use super::{Page, curl, members, object, schema, sentence, text_of};

/// One operation of the document.
pub(super) struct Operation<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    pub(super) item: &'a Value,
    pub(super) operation: &'a Value,
}

impl<'a> Operation<'a> {
    /// The path's parameters, then its own.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let page = self.page;
        members(self.item, "parameters")
            .chain(members(self.operation, "parameters"))
            .map(move |parameter| page.resolved(parameter))
    }

    /// Whether nobody gets in without a token or cookies.
    pub(super) fn needs_login(&self) -> bool {
        let mut ways = members(self.operation, "security").peekable();
        ways.peek().is_some() && ways.all(|way| object(way).next().is_some())
    }

    fn id(&self) -> &'a str {
        text_of(self.operation, "operationId")
    }

    /// Its line in the table of contents.
    pub(super) fn entry(&self, html: &mut String) {
        html.push_str(&format!(
            "<li><a href=\"#{}\"><span class=\"method {}\">{}</span> {}</a></li>\n",
            escaped(self.id()),
            escaped(self.method),
            escaped(self.method),
            escaped(text_of(self.operation, "summary"))
        ));
    }

    /// Its article.
    pub(super) fn write(&self, html: &mut String) {
        html.push_str(&format!(
            "<article id=\"{id}\">\n<h3><a href=\"#{id}\">{}</a></h3>\n<p class=\"line\"><span \
             class=\"method {method}\">{method}</span> <code class=\"path\">{}</code></p>\n{}",
            escaped(text_of(self.operation, "summary")),
            // Long paths break between their parts.
            escaped(self.path).replace('/', "/<wbr>"),
            prose(text_of(self.operation, "description")),
            id = escaped(self.id()),
            method = escaped(self.method),
        ));
        html.push_str(&format!("<p class=\"login\">{}</p>\n", self.login()));
        self.parameter_table(html);
        self.body(html);
        self.commands(html);
        self.answers(html);
        html.push_str("</article>\n");
    }

    /// Who may, in a line.
    fn login(&self) -> String {
        if self.needs_login() {
            let schemes = members(self.operation, "security").flat_map(object);
            let csrf = schemes.filter(|(name, _)| name.starts_with("csrf")).count() > 0;
            let with = if csrf { "a token, or cookies with the CSRF pair" } else { "a token, or cookies" };
            format!("Needs <a href=\"#login\">{with}</a>.")
        } else {
            "Needs no login.".to_owned()
        }
    }

    fn parameter_table(&self, html: &mut String) {
        let mut parameters = self.parameters().peekable();
        if parameters.peek().is_none() {
            return;
        }
        html.push_str(
            "<h4>Parameters</h4>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Name</th>\
             <th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n",
        );
        for parameter in parameters {
            html.push_str(&format!(
                "<tr><th scope=\"row\"><code>{}</code> <span \
                 class=\"optional\">{}</span></th><td>{}</td><td>{}</td></tr>\n",
                escaped(text_of(parameter, "name")),
                escaped(text_of(parameter, "in")),
                schema::type_of(&parameter["schema"]),
                sentence(parameter)
            ));
        }
        html.push_str("</tbody></table></div>\n");
    }

    fn body(&self, html: &mut String) {
        let body = &self.operation["requestBody"];
        if !body.is_object() {
            return;
        }
        html.push_str(&format!("<h4>Body</h4>\n{}", prose(text_of(body, "description"))));
        let mut shown: Option<&Value> = None;
        html.push_str("<ul class=\"media\">\n");
        for (media, content) in object(&body["content"]) {
            let schema = &content["schema"];
            html.push_str(&format!(
                "<li><code>{}</code>: {}</li>\n",
                escaped(media),
                schema::type_of(schema)
            ));
            shown = shown.or(Some(schema));
        }
        html.push_str("</ul>\n");
        if let Some(schema) =
            shown.map(|schema| self.page.resolved(schema)).filter(|schema| schema.get("properties").is_some())
        {
            schema::body(html, schema);
        }
    }

    fn commands(&self, html: &mut String) {
        html.push_str("<h4>Try it</h4>\n");
        for (media, command) in curl::commands(self) {
            if let Some(media) = media {
                html.push_str(&format!("<p class=\"media\"><code>{}</code></p>\n", escaped(&media)));
            }
            html.push_str(&format!("<pre class=\"copy\"><code>{}</code></pre>\n", escaped(&command)));
        }
    }

    fn answers(&self, html: &mut String) {
        html.push_str("<h4>Answers</h4>\n<div class=\"answers\">\n");
        for (status, response) in object(&self.operation["responses"]) {
            self.answer(html, status, self.page.resolved(response));
        }
        html.push_str("</div>\n");
    }

    fn answer(&self, html: &mut String, status: &str, response: &Value) {
        let class = status.chars().next().unwrap_or('x');
        let head = format!(
            "<span class=\"status s{class}\">{}</span> <span>{}</span>",
            escaped(status),
            inline(text_of(response, "description"))
        );
        let contents: Vec<_> = object(&response["content"]).collect();
        if contents.is_empty() {
            html.push_str(&format!("<p class=\"bare\">{head}</p>\n"));
            return;
        }
        html.push_str(&format!("<details>\n<summary>{head}</summary>\n"));
        for (name, header) in object(&response["headers"]) {
            html.push_str(&format!(
                "<p>Header <code>{}: {}</code>. {}</p>\n",
                escaped(name),
                escaped(&plain(&header["example"])),
                sentence(header)
            ));
        }
        for (media, content) in contents {
            html.push_str(&format!(
                "<p class=\"media\"><code>{}</code>: {}</p>\n",
                escaped(media),
                schema::type_of(&content["schema"])
            ));
            if let Some(example) = content.get("example") {
                example_block(html, None, example);
            }
            for (_, example) in object(&content["examples"]) {
                example_block(html, Some(text_of(example, "summary")), &example["value"]);
            }
        }
        html.push_str("</details>\n");
    }
}

fn example_block(html: &mut String, title: Option<&str>, value: &Value) {
    if let Some(title) = title {
        html.push_str(&format!("<p class=\"example\">{}</p>\n", inline(title)));
    }
    let text = if value.is_string() { plain(value) } else { format!("{value:#}") };
    html.push_str(&format!("<pre><code>{}</code></pre>\n", escaped(text.trim_end())));
}

/// A value as text: strings without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

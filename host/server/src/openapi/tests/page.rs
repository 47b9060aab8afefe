//! The page as a browser reads it.

use std::collections::HashSet;

use serde_json::json;

use super::{document, operations};
use crate::openapi::page;

/// Elements without an end.
const VOID: [&str; 3] = ["meta", "wbr", "link"];

/// The tags of a page as they stand between `<` and `>`.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag that ends").0)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"').unwrap().0)
}

#[test]
fn elements_are_closed_where_they_were_opened() {
    let html = page::render(&document(), "JWT");
    let mut open = Vec::new();
    for tag in tags(&html).filter(|tag| !tag.starts_with('!')) {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn links_lead_to_places_on_the_page_and_places_have_one_name() {
    let html = page::render(&document(), "JWT");
    let mut ids = HashSet::new();
    for id in tags(&html).filter_map(|tag| attribute(tag, "id")) {
        assert!(ids.insert(id), "{id} twice");
    }
    for target in tags(&html).filter_map(|tag| attribute(tag, "href")) {
        match target.strip_prefix('#') {
            Some(id) => assert!(ids.contains(id), "nothing is at #{id}"),
            None => assert_eq!(target, crate::openapi::OPENAPI),
        }
    }
    for (_, _, operation) in operations(&document()) {
        assert!(ids.contains(operation["operationId"].as_str().unwrap()));
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let html = page::render(&document(), "JWT");
    for tag in tags(&html) {
        let name = tag.split(' ').next().unwrap();
        assert!(
            !["script", "img", "link", "iframe", "object", "embed", "form", "base"].contains(&name),
            "<{tag}>"
        );
        for refused in ["style", "src", "onclick", "onload"] {
            assert_eq!(attribute(tag, refused), None, "<{tag}>");
        }
    }
    assert_eq!(html.matches("<style>").count(), 1);
    assert!(!html.contains("url(") && !html.contains("@import"));
}

#[test]
fn what_the_document_holds_cannot_become_markup() {
    let evil = "\"><script>alert('x')</script>`<b>`**<i>**";
    let mut document = document();
    let info = &mut document["info"];
    info["title"] = json!(evil);
    info["description"] = json!(evil);
    document["tags"][0]["description"] = json!(evil);
    let item = document["paths"].as_object_mut().unwrap().get_mut("/hooks/filters/{filter_type}").unwrap();
    let operation = &mut item["post"];
    for member in ["summary", "description", "operationId"] {
        operation[member] = json!(evil);
    }
    operation["parameters"][0]["name"] = json!(evil);
    operation["parameters"][0]["description"] = json!(evil);
    operation["parameters"][0]["example"] = json!(evil);
    operation["requestBody"]["content"]["application/json"]["example"] = json!({evil: evil});
    operation["responses"]["200"]["description"] = json!(evil);
    operation["responses"]["200"]["content"][evil] = json!({"schema": {"type": evil}, "example": evil});
    operation["responses"]["200"]["headers"][evil] = json!({"description": evil, "example": evil});
    document["components"]["schemas"][evil] =
        json!({"properties": {evil: {"enum": [evil], "description": evil}}});
    let html = page::render(&document, evil);
    assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<i>"));
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn descriptions_use_no_markdown_that_the_page_does_not_know() {
    super::walk(&document(), "", &mut |place, value| {
        let Some(text) = value.as_str().filter(|_| place.ends_with("/description")) else { return };
        for mark in ["](", "\n#", "\n-", "\n*", "__", "```", "<!--"] {
            assert!(!text.contains(mark), "{place}: {text}");
        }
        assert_eq!(text.matches('`').count() % 2, 0, "{place}: {text}");
        assert_eq!(text.matches("**").count() % 2, 0, "{place}: {text}");
        assert!(!text.contains("  "), "{place}: {text:?}");
    });
}

#[test]
fn commands_are_what_a_person_would_type() {
    let html = page::render(&document(), "JWT");
    for line in [
        "curl &quot;$HOOKBOX/healthz&quot;",
        "curl -X DELETE &quot;$HOOKBOX/sample-plugin/api/v1/course-archive-status/1/&quot;",
        "-H &quot;Authorization: JWT $TOKEN&quot;",
        "-H &#39;Content-Type: application/cloudevents+json&#39;",
        "-H &#39;ce-specversion: 1.0&#39;",
        "-F &#39;is_archived=true&#39;",
        "--data-urlencode &#39;course_id=course-v1:edX+DemoX+2024&#39;",
    ] {
        assert!(html.contains(line), "{line}");
    }
    let writes = html.contains("hookbox token --user ada --staff");
    assert!(writes, "the page says where a token comes from");
}

//! Requests that the Django sample plugin was sent, and what it answered, against a real server.
//!
//! `vectors/archive_api.json` holds them as data. Where that plugin crashed, a clear 4xx is wanted instead.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::support::raw::{Raw, exchange};
use crate::support::{Server, Site};

const VECTORS: &str = include_str!("vectors/archive_api.json");

/// Fields whose values are numbered as they appear, a row at a time.
const TIMES: [&str; 3] = ["archive_date", "created_at", "updated_at"];

/// One group of requests, with what is known of the server's answers so far.
struct Run {
    server: Server,
    users: Map<String, Value>,
    tokens: HashMap<String, String>,
    captured: HashMap<String, i64>,
    /// Row ids in order of appearance.
    ids: Vec<i64>,
    /// The distinct values of each row's times, in order of appearance.
    times: HashMap<(i64, &'static str), Vec<String>>,
}

impl Run {
    fn new(users: &Map<String, Value>, rate: &str) -> Self {
        let configuration = format!("[plugins]\nsamples = false\n[archive]\nrate_limit = \"{rate}\"\n");
        let site = Site::new(&configuration);
        let server = site.serve();
        let tokens = users.iter().map(|(name, id)| {
            let id = id.to_string();
            let mut arguments = vec!["--user", name, "--user-id", &id];
            match name.as_str() {
                "staff" => arguments.push("--staff"),
                "root" => arguments.push("--superuser"),
                _ => {}
            }
            (name.clone(), site.token(&arguments))
        });
        let tokens: HashMap<String, String> = tokens.collect();
        let run = Self {
            server,
            users: users.clone(),
            tokens,
            captured: HashMap::new(),
            ids: Vec::new(),
            times: HashMap::new(),
        };
        // In the recording all users were there before the first request. Whoever shows a token at another door is
        // known from then on, and that door counts for no throttle.
        for name in users.keys() {
            let answer = run.send(name, "GET", "/hooks/", &[], None);
            assert!(matches!(answer.status, 200 | 403), "{name}: {}", answer.text());
        }
        run
    }

    fn credentials(&self, actor: Option<&str>) -> Option<String> {
        let token = |name: &str| &self.tokens[name];
        Some(match actor? {
            "invalid-token" => "JWT not.a.token".to_owned(),
            "empty-token" => "JWT ".to_owned(),
            "token-with-spaces" => "JWT a b c".to_owned(),
            "wrong-scheme" => format!("Bearer {}", token("alice")),
            "garbage-header" => "garbage".to_owned(),
            "alice-lowercase-scheme" => format!("jwt {}", token("alice")),
            name => format!("JWT {}", token(name)),
        })
    }

    fn send(
        &self,
        actor: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Raw {
        let mut headers = headers.to_vec();
        let actor = Some(actor).filter(|actor| !actor.is_empty());
        headers.extend(self.credentials(actor).map(|value| ("Authorization".to_owned(), value)));
        exchange(self.server.address(), method, path, &headers, body)
    }

    /// Text with what it refers to: `<<uid:alice>>`, `<<a1>>`.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, id) in &self.users {
            for kind in ["uid", "suid"] {
                filled = filled.replace(
                    &format!("\"<<{kind}:{name}>>\""),
                    &match kind {
                        "uid" => id.to_string(),
                        _ => format!("\"{id}\""),
                    },
                );
                filled = filled.replace(&format!("<<{kind}:{name}>>"), &id.to_string());
            }
        }
        for (name, id) in &self.captured {
            filled = filled.replace(&format!("\"<<{name}>>\""), &id.to_string());
            filled = filled.replace(&format!("<<{name}>>"), &id.to_string());
        }
        assert!(!filled.contains("<<"), "{filled}");
        filled
    }

    fn step(&mut self, step: &Value, json: Option<&str>) {
        let times = step["repeat"].as_u64().unwrap_or(1);
        for _ in 0..times {
            let answer = self.ask(step, json);
            self.observe(&answer);
            if let Some(name) = step["capture"].as_str() {
                let id = answer.json(201)["id"].as_i64().unwrap();
                self.captured.insert(name.to_owned(), id);
            }
            if let Some(expected) = step.get("expect") {
                self.compare(step, expected, &answer);
            } else {
                assert_eq!(answer.status, 201, "{step}: {}", answer.text());
            }
        }
    }

    fn ask(&self, step: &Value, json: Option<&str>) -> Raw {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut body = None;
        if let Some(json) = json {
            headers.push(("Content-Type".into(), "application/json".into()));
            body = Some(self.filled(json).into_bytes());
        } else if let Some(form) = step.get("form") {
            headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
            let pairs = form.as_object().unwrap().iter().map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{}={}", encoded(name), encoded(&self.filled(&text)))
            });
            body = Some(pairs.collect::<Vec<_>>().join("&").into_bytes());
        } else if let Some(raw) = step["raw"].as_str() {
            body = Some(self.filled(raw).into_bytes());
        }
        for (name, value) in step["headers"].as_object().into_iter().flatten() {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            if let Some(value) = value.as_str() {
                headers.push((name.clone(), value.to_owned()));
            }
        }
        let path = self.filled(step["path"].as_str().unwrap());
        let actor = step["actor"].as_str().unwrap_or_default();
        self.send(actor, step["method"].as_str().unwrap(), &path, &headers, body.as_deref())
    }

    /// Numbers the ids and times of an answer as they appear.
    fn observe(&mut self, answer: &Raw) {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
        let rows = body["results"].as_array().cloned().unwrap_or_else(|| vec![body]);
        for row in rows {
            let Some(id) = row["id"].as_i64() else { continue };
            if !self.ids.contains(&id) {
                self.ids.push(id);
            }
            for field in TIMES {
                let Some(time) = row[field].as_str() else { continue };
                let seen = self.times.entry((id, field)).or_default();
                if !seen.iter().any(|known| known == time) {
                    seen.push(time.to_owned());
                }
            }
        }
    }

    /// An answer's body in the recording's terms.
    fn abstracted(&self, body: &Value) -> Value {
        let Some(object) = body.as_object() else { return body.clone() };
        if let Some(results) = object.get("results").and_then(Value::as_array) {
            let mut list = object.clone();
            list.insert("results".into(), results.iter().map(|row| self.abstracted(row)).collect());
            for link in ["next", "previous"] {
                if let Some(text) = object[link].as_str() {
                    list.insert(link.into(), text.replace(self.server.url(), "<base>").into());
                }
            }
            return Value::Object(list);
        }
        let Some(id) = object.get("id").and_then(Value::as_i64) else {
            let text = body.to_string().replace(self.server.url(), "<base>");
            return serde_json::from_str(&text).unwrap();
        };
        let mut row = object.clone();
        let number = self.ids.iter().position(|known| *known == id).unwrap() + 1;
        row.insert("id".into(), format!("<id#{number}>").into());
        let user = self.users.iter().find(|(_, known)| **known == object["user"]).unwrap().0;
        row.insert("user".into(), format!("<user:{user}>").into());
        for field in TIMES {
            if let Some(time) = object[field].as_str() {
                let seen = &self.times[&(id, field)];
                let number = seen.iter().position(|known| known == time).unwrap() + 1;
                row.insert(field.into(), format!("<ts {number}>").into());
            }
        }
        Value::Object(row)
    }

    fn compare(&self, step: &Value, expected: &Value, answer: &Raw) {
        let id = &step["id"];
        let shown = || format!("{id}: {} {:?} {}", answer.status, answer.headers, answer.text());
        let status = expected["status"].as_u64().unwrap();
        if status == 500 {
            assert!((400..500).contains(&answer.status), "{}", shown());
            assert!(answer.json(answer.status).is_object(), "{}", shown());
            return;
        }
        assert_eq!(u64::from(answer.status), status, "{}", shown());
        let level = step["level"].as_str();
        if level == Some("status") {
            return;
        }
        for (name, value) in expected["headers"].as_object().unwrap() {
            let got = answer.header(&name.to_ascii_lowercase());
            match value {
                Value::Array(_) => {
                    let mut names: Vec<String> =
                        got.unwrap_or_default().split(", ").map(str::to_owned).collect();
                    if name == "Vary" {
                        names = names.iter().map(|part| part.to_ascii_lowercase()).collect();
                    }
                    names.sort();
                    assert_eq!(json!(names), *value, "{name} of {}", shown());
                }
                Value::String(text) if text == "<1..60>" => {
                    let seconds: u32 = got.unwrap_or_default().parse().unwrap();
                    assert!((1..=60).contains(&seconds), "{name} of {}", shown());
                }
                other => assert_eq!(got, other.as_str(), "{name} of {}", shown()),
            }
        }
        for absent in ["vary", "www-authenticate", "retry-after"] {
            let wanted = expected["headers"].as_object().unwrap().keys();
            if !wanted.map(|name| name.to_ascii_lowercase()).any(|name| name == absent) {
                assert_eq!(answer.header(absent), None, "{}", shown());
            }
        }
        if level == Some("nobody") {
            return;
        }
        match expected.get("body") {
            None => {}
            Some(Value::Null) => assert!(answer.body.is_empty(), "{}", shown()),
            Some(Value::String(html)) => {
                assert_eq!(html, "<html: Not Found>");
                assert!(answer.text().contains("<h1>Not Found</h1>"), "{}", shown());
            }
            Some(body) => {
                let got = self.abstracted(&answer.json(answer.status));
                assert_eq!(relaxed(&got, body), *body, "{}", shown());
            }
        }
    }
}

/// What is not promised word for word takes the recording's words.
fn relaxed(got: &Value, expected: &Value) -> Value {
    let mut got = got.clone();
    if expected["description"] == "<any text>"
        && got["description"].as_str().is_some_and(|text| !text.is_empty())
    {
        got["description"] = expected["description"].clone();
    }
    if let (Some(mine), Some(theirs)) = (got["detail"].as_str(), expected["detail"].as_str()) {
        let parse = "JSON parse error - ";
        let throttled = mine.strip_prefix("Request was throttled. Expected available in ");
        let seconds =
            throttled.and_then(|rest| rest.split(' ').next()).and_then(|text| text.parse::<u32>().ok());
        let same = (mine.starts_with(parse) && theirs == "JSON parse error - ...")
            || (theirs.contains("<1..60> second(s)")
                && seconds.is_some_and(|seconds| (1..=60).contains(&seconds)));
        if same {
            got["detail"] = expected["detail"].clone();
        }
    }
    got
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The JSON bodies of a group's steps as the recording spells them: some numbers in them fit no type of Rust's.
fn spelled(group: &str) -> Vec<Option<String>> {
    #[derive(Deserialize)]
    struct Vectors {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        group: String,
        steps: Vec<Step>,
    }
    #[derive(Deserialize)]
    struct Step {
        json: Option<Box<RawValue>>,
    }
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    let group = vectors.groups.into_iter().find(|known| known.group == group).unwrap();
    group.steps.into_iter().map(|step| step.json.map(|json| json.get().to_owned())).collect()
}

fn group(name: &str) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let users = vectors["users"].as_object().unwrap();
    let groups = vectors["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["group"] == name).unwrap();
    let rate = if name == "throttle" { "60/minute" } else { "unlimited" };
    let mut run = Run::new(users, rate);
    let steps = group["steps"].as_array().unwrap();
    assert!(!steps.is_empty());
    for (step, json) in steps.iter().zip(spelled(name)) {
        run.step(step, json.as_deref());
    }
}

macro_rules! groups {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { group($name); })*

        #[test]
        fn every_group_is_run() {
            let vectors: Value = serde_json::from_str(VECTORS).unwrap();
            let names: Vec<&str> =
                vectors["groups"].as_array().unwrap().iter().map(|group| group["group"].as_str().unwrap()).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

groups! {
    credentials_are_wanted: "auth",
    who_sees_what_in_the_list: "list",
    details_and_odd_ids: "retrieve",
    paging_an_empty_list: "pagination-empty",
    filters: "filter",
    fields_of_a_new_row: "create-fields",
    every_spelling_of_is_archived: "create-is-archived",
    every_spelling_of_user: "create-user-as-alice",
    one_row_a_course_and_user: "create-duplicate",
    full_updates: "put",
    archive_date_over_time: "archive-date",
    methods: "methods",
    the_throttle: "throttle",
}

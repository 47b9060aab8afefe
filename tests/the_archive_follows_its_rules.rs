//! Random requests by a few people, against a small model of the rules in memory: the same answers, and the same rows
//! in the end.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::http::Answer;
use crate::support::{Server, Site};

/// Who asks: the last of them is staff.
const PEOPLE: [(&str, i64); 3] = [("alice", 11), ("bob", 12), ("staff", 13)];
const NOBODY: i64 = 999;

/// A course as it is written, and as it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Course {
    text: &'static str,
    kept: Option<&'static str>,
}

const COURSES: [Course; 6] = [
    Course { text: "course-v1:X+A+1", kept: Some("course-v1:X+A+1") },
    Course { text: "course-v1:x+a+1", kept: Some("course-v1:x+a+1") },
    Course { text: "course-v1:X+A+1+branch@draft", kept: Some("course-v1:X+A+1") },
    Course { text: "X/B/2", kept: Some("X/B/2") },
    Course { text: "course-v1:Y+C+3", kept: Some("course-v1:Y+C+3") },
    Course { text: "no course", kept: None },
];

/// `user` in a body.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Named {
    Id(i64),
    /// As a string, which a regular user may not send even for themselves.
    Text(i64),
    Null,
}

/// `is_archived` in a body.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flag {
    Is(bool),
    Word(&'static str, bool),
    Null,
    Maybe,
}

#[derive(Debug, Clone)]
struct Fields {
    course: Option<Course>,
    user: Option<Named>,
    is_archived: Option<Flag>,
}

impl Fields {
    fn json(&self) -> Value {
        let mut body = json!({"id": 5, "archive_date": "2001-01-01T00:00:00Z", "unknown": [1]});
        if let Some(course) = self.course {
            body["course_id"] = course.text.into();
        }
        match self.user {
            Some(Named::Id(id)) => body["user"] = id.into(),
            Some(Named::Text(id)) => body["user"] = id.to_string().into(),
            Some(Named::Null) => body["user"] = Value::Null,
            None => {}
        }
        match self.is_archived {
            Some(Flag::Is(is)) => body["is_archived"] = is.into(),
            Some(Flag::Word(word, _)) => body["is_archived"] = word.into(),
            Some(Flag::Null) => body["is_archived"] = Value::Null,
            Some(Flag::Maybe) => body["is_archived"] = "maybe".into(),
            None => {}
        }
        body
    }
}

#[derive(Debug, Clone)]
struct Query {
    course: Option<Course>,
    user: Option<i64>,
    is_archived: Option<(&'static str, Option<bool>)>,
    ordering: Vec<(&'static str, bool)>,
    size: usize,
    page: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Write {
    Replace,
    Patch,
}

#[derive(Debug, Clone)]
enum Request {
    Create(Fields),
    Update(Index, Write, Fields),
    Show(Index),
    Delete(Index),
    List(Query),
}

fn fields() -> impl Strategy<Value = Fields> {
    let user = prop_oneof![
        6 => select(&PEOPLE[..]).prop_map(|(_, id)| Named::Id(id)),
        1 => select(&PEOPLE[..]).prop_map(|(_, id)| Named::Text(id)),
        1 => Just(Named::Id(NOBODY)),
        1 => Just(Named::Null),
    ];
    let flag = prop_oneof![
        6 => any::<bool>().prop_map(Flag::Is),
        1 => select(&[("YES", true), ("off", false), ("1", true)][..]).prop_map(|(word, is)| Flag::Word(word, is)),
        1 => select(&[Flag::Null, Flag::Maybe][..]),
    ];
    let course = prop::option::weighted(0.8, select(&COURSES[..]));
    let fields = (course, prop::option::weighted(0.3, user), prop::option::of(flag));
    fields.prop_map(|(course, user, is_archived)| Fields { course, user, is_archived })
}

fn query() -> impl Strategy<Value = Query> {
    let columns = ["course_id", "user", "is_archived", "archive_date", "created_at", "updated_at"];
    let flags = [("true", Some(true)), ("0", Some(false)), ("False", Some(false)), ("perhaps", None)];
    (
        prop::option::weighted(0.3, select(&COURSES[..])),
        prop::option::weighted(0.3, select(&[11, 12, 13, NOBODY][..])),
        prop::option::weighted(0.3, select(flags.to_vec())),
        prop::collection::vec((select(columns.to_vec()), any::<bool>()), 0..3),
        1_usize..4,
        1_usize..4,
    )
        .prop_map(|(course, user, is_archived, ordering, size, page)| Query {
            course,
            user,
            is_archived,
            ordering,
            size,
            page,
        })
}

fn request() -> impl Strategy<Value = (usize, Request)> {
    let request = prop_oneof![
        6 => fields().prop_map(Request::Create),
        6 => (any::<Index>(), select(&[Write::Replace, Write::Patch][..]), fields())
            .prop_map(|(row, write, fields)| Request::Update(row, write, fields)),
        2 => any::<Index>().prop_map(Request::Show),
        2 => any::<Index>().prop_map(Request::Delete),
        4 => query().prop_map(Request::List),
    ];
    (0..PEOPLE.len(), request)
}

/// A row of the model. Times are as the server told them.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: i64,
    course: &'static str,
    user: i64,
    is_archived: bool,
    archive_date: Option<String>,
    created_at: String,
    updated_at: String,
}

impl Row {
    /// The row as an answer shows it; a write's answer repeats the course as it was written.
    fn json(&self, course: &str) -> Value {
        json!({
            "id": self.id, "course_id": course, "user": self.user, "is_archived": self.is_archived,
            "archive_date": self.archive_date, "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let course = |row: &Self| row.course.to_ascii_lowercase();
        let since = |row: &Self| row.archive_date.as_deref().map(moment);
        match column {
            "course_id" => course(self).cmp(&course(other)),
            "user" => self.user.cmp(&other.user),
            "is_archived" => self.is_archived.cmp(&other.is_archived),
            "archive_date" => since(self).cmp(&since(other)),
            "created_at" => moment(&self.created_at).cmp(&moment(&other.created_at)),
            _ => moment(&self.updated_at).cmp(&moment(&other.updated_at)),
        }
    }
}

/// A time whose text sorts: without a fraction it is at the second's beginning.
fn moment(time: &str) -> String {
    let time = time.strip_suffix('Z').expect("UTC");
    if time.contains('.') { time.to_owned() } else { format!("{time}.000000") }
}

/// What an answer must be.
#[derive(Debug)]
enum Expected {
    Is(u16, Value),
    /// A row of these values; its times are the server's to choose, within the rules.
    Written {
        status: u16,
        row: Row,
        before: Option<Row>,
        echo: &'static str,
    },
}

fn refused(status: u16, body: Value) -> Expected {
    Expected::Is(status, body)
}

fn no_match() -> Expected {
    refused(404, json!({"detail": "No CourseArchiveStatus matches the given query."}))
}

#[derive(Debug, Default)]
struct Model {
    rows: BTreeMap<i64, Row>,
    /// Also of those that are gone.
    ids: Vec<i64>,
}

impl Model {
    fn sees(asker: usize, row: &Row) -> bool {
        asker == 2 || row.user == PEOPLE[asker].1
    }

    /// A row that was made once, or an id that never was one.
    fn pick(&self, index: Index) -> i64 {
        let at = index.index(self.ids.len() + 1);
        self.ids.get(at).copied().unwrap_or(1_000_000)
    }

    fn visible(&self, asker: usize, id: i64) -> Option<&Row> {
        self.rows.get(&id).filter(|row| Self::sees(asker, row))
    }

    /// The checks of a body that need no row, in one answer.
    fn invalid(fields: &Fields, required: bool) -> Option<Expected> {
        let mut errors = json!({});
        if required && fields.course.is_none() {
            errors["course_id"] = json!(["This field is required."]);
        }
        match fields.user {
            Some(Named::Null) => errors["user"] = json!(["This field may not be null."]),
            Some(Named::Id(id)) if id == NOBODY => {
                errors["user"] = json!([format!("Invalid pk \"{id}\" - object does not exist.")]);
            }
            _ => {}
        }
        match fields.is_archived {
            Some(Flag::Null) => errors["is_archived"] = json!(["This field may not be null."]),
            Some(Flag::Maybe) => errors["is_archived"] = json!(["Must be a valid boolean."]),
            _ => {}
        }
        if errors != json!({}) {
            return Some(refused(400, errors));
        }
        let bad = fields.course.is_some_and(|course| course.kept.is_none());
        bad.then(|| refused(400, json!({"course_id": ["Invalid course ID format."]})))
    }

    /// The rules that need the other rows and the asker.
    fn conflict(&self, asker: usize, fields: &Fields, next: &Row, act: &str) -> Option<Expected> {
        let same = |row: &&Row| {
            row.id != next.id && row.user == next.user && row.course.eq_ignore_ascii_case(next.course)
        };
        if self.rows.values().any(|row| same(&row)) {
            let told = "The fields course_id, user must make a unique set.";
            return Some(refused(400, json!({"non_field_errors": [told]})));
        }
        let for_another = fields.user.is_some_and(|named| named != Named::Id(PEOPLE[asker].1));
        (asker != 2 && for_another).then(|| {
            let detail = format!("You do not have permission to {act} records for other users.");
            refused(403, json!({"detail": detail}))
        })
    }

    fn user(fields: &Fields) -> Option<i64> {
        match fields.user {
            Some(Named::Id(id) | Named::Text(id)) => Some(id),
            Some(Named::Null) | None => None,
        }
    }

    fn flag(fields: &Fields) -> Option<bool> {
        match fields.is_archived {
            Some(Flag::Is(is) | Flag::Word(_, is)) => Some(is),
            Some(Flag::Null | Flag::Maybe) | None => None,
        }
    }

    fn expected(&self, asker: usize, request: &Request) -> Expected {
        match request {
            Request::Create(fields) => {
                if let Some(invalid) = Self::invalid(fields, true) {
                    return invalid;
                }
                let course = fields.course.unwrap();
                let row = Row {
                    id: 0,
                    course: course.kept.unwrap(),
                    user: Self::user(fields).unwrap_or(PEOPLE[asker].1),
                    is_archived: Self::flag(fields).unwrap_or(false),
                    archive_date: None,
                    created_at: String::new(),
                    updated_at: String::new(),
                };
                self.conflict(asker, fields, &row, "create").unwrap_or(Expected::Written {
                    status: 201,
                    row,
                    before: None,
                    echo: course.text,
                })
            }
            Request::Update(index, write, fields) => {
                let Some(before) = self.visible(asker, self.pick(*index)) else { return no_match() };
                if let Some(invalid) = Self::invalid(fields, *write == Write::Replace) {
                    return invalid;
                }
                let mut row = before.clone();
                row.course = fields.course.map_or(row.course, |course| course.kept.unwrap());
                let default = if *write == Write::Replace { PEOPLE[asker].1 } else { row.user };
                row.user = Self::user(fields).unwrap_or(default);
                row.is_archived = Self::flag(fields).unwrap_or(row.is_archived);
                let echo = fields.course.map_or(row.course, |course| course.text);
                let before = Some(before.clone());
                let conflict = self.conflict(asker, fields, &row, "update");
                conflict.unwrap_or(Expected::Written { status: 200, row, before, echo })
            }
            Request::Show(index) => match self.visible(asker, self.pick(*index)) {
                Some(row) => Expected::Is(200, row.json(row.course)),
                None => no_match(),
            },
            Request::Delete(index) => match self.visible(asker, self.pick(*index)) {
                Some(_) => Expected::Is(204, Value::Null),
                None => no_match(),
            },
            Request::List(query) => self.list(asker, query),
        }
    }

    fn list(&self, asker: usize, query: &Query) -> Expected {
        if query.course.is_some_and(|course| course.kept.is_none()) {
            return refused(400, json!({"course_id": "Invalid course ID format."}));
        }
        if query.user == Some(NOBODY) {
            let told = "Select a valid choice. That choice is not one of the available choices.";
            return refused(400, json!({"user": [told]}));
        }
        let meant = |row: &&Row| {
            Self::sees(asker, row)
                && query.course.is_none_or(|course| row.course.eq_ignore_ascii_case(course.kept.unwrap()))
                && query.user.is_none_or(|user| row.user == user)
                && query.is_archived.and_then(|(_, is)| is).is_none_or(|is| row.is_archived == is)
        };
        let mut rows: Vec<&Row> = self.rows.values().filter(meant).collect();
        let default = vec![("updated_at", true)];
        let ordering = if query.ordering.is_empty() { &default } else { &query.ordering };
        rows.sort_by(|one, other| {
            let compared = ordering.iter().map(|(column, descending)| {
                let order = one.compare(other, column);
                if *descending { order.reverse() } else { order }
            });
            compared.fold(Ordering::Equal, Ordering::then).then(one.id.cmp(&other.id))
        });
        let pages = rows.len().div_ceil(query.size).max(1);
        if query.page > pages {
            return refused(404, json!({"detail": "Invalid page."}));
        }
        let here = rows.iter().skip((query.page - 1) * query.size).take(query.size);
        let results: Vec<Value> = here.map(|row| row.json(row.course)).collect();
        let body = json!({
            "count": rows.len(), "next": query.page < pages, "previous": query.page > 1, "results": results,
        });
        Expected::Is(200, body)
    }

    /// Holds an answer to the rules, and keeps what it tells.
    fn hold(&mut self, asker: usize, request: &Request, answer: &Answer) {
        let mut body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        match self.expected(asker, request) {
            Expected::Is(status, expected) => {
                if let (Request::List(_), 200) = (request, answer.status) {
                    for link in ["next", "previous"] {
                        body[link] = body[link].is_string().into();
                    }
                }
                assert_eq!((answer.status, &body), (status, &expected), "{request:?}");
                if let (Request::Delete(index), 204) = (request, status) {
                    let id = self.pick(*index);
                    self.rows.remove(&id);
                }
            }
            Expected::Written { status, mut row, before, echo } => {
                assert_eq!(answer.status, status, "{request:?}: {body}");
                row.updated_at = body["updated_at"].as_str().unwrap_or_default().to_owned();
                match &before {
                    None => {
                        row.id = body["id"].as_i64().unwrap();
                        assert!(self.ids.iter().all(|id| *id < row.id), "ids are not used again");
                        self.ids.push(row.id);
                        row.created_at.clone_from(&row.updated_at);
                    }
                    Some(before) => assert!(moment(&row.updated_at) > moment(&before.updated_at), "{body}"),
                }
                let since = before.filter(|before| before.is_archived).and_then(|before| before.archive_date);
                row.archive_date = row.is_archived.then(|| since.unwrap_or_else(|| row.updated_at.clone()));
                assert_eq!(body, row.json(echo), "{request:?}");
                self.rows.insert(row.id, row);
            }
        }
    }
}

/// What a request is in HTTP.
fn send(server: &Server, asker: &Person, request: &Request, model: &Model) -> Answer {
    let path = |index: &Index| row(&model.pick(*index).into());
    match request {
        Request::Create(fields) => asker.post(server, &fields.json()),
        Request::Update(index, Write::Replace, fields) => {
            asker.ask(server, "PUT", &path(index), &fields.json())
        }
        Request::Update(index, Write::Patch, fields) => {
            asker.ask(server, "PATCH", &path(index), &fields.json())
        }
        Request::Show(index) => asker.get(server, &path(index)),
        Request::Delete(index) => asker.ask(server, "DELETE", &path(index), &Value::Null),
        Request::List(query) => {
            let mut path = format!("{ROWS}?page_size={}&page={}", query.size, query.page);
            if let Some(course) = query.course {
                path += &format!("&course_id={}", course.text.replace('+', "%2B").replace(' ', "+"));
            }
            if let Some(user) = query.user {
                path += &format!("&user={user}");
            }
            if let Some((text, _)) = query.is_archived {
                path += &format!("&is_archived={text}");
            }
            if !query.ordering.is_empty() {
                let terms = query.ordering.iter();
                let terms = terms
                    .map(|(column, descending)| format!("{}{column}", if *descending { "-" } else { "" }));
                path += &format!("&ordering={}", terms.collect::<Vec<_>>().join(","));
            }
            asker.get(server, &path)
        }
    }
}

#[test]
fn random_requests_are_answered_as_the_rules_say() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let people = PEOPLE.map(|(name, id)| {
        let marks: &[&str] = if name == "staff" { &["--staff"] } else { &[] };
        Person::known(&server, &site, name, id, marks)
    });
    let configuration = ProptestConfig {
        cases: 80,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let requests = prop::collection::vec(request(), 1..32);
    let held = TestRunner::new(configuration).run(&requests, |requests| {
        for row in people[2].all(&server) {
            people[2].delete(&server, &row["id"]);
        }
        let mut model = Model::default();
        for (asker, request) in &requests {
            let answer = send(&server, &people[*asker], request, &model);
            model.hold(*asker, request, &answer);
        }
        for (asker, person) in people.iter().enumerate() {
            let there = person.all(&server);
            let seen = model.rows.values().filter(|row| Model::sees(asker, row));
            prop_assert_eq!(there, seen.map(|row| row.json(row.course)).collect::<Vec<_>>());
        }
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

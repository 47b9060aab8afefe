//! Which fields of an event a line has, and where they are found.

use serde_json::{Map, Value};

use crate::hookbox::plugin::types::EventMetadata;

/// The setting that lists the fields.
pub const FIELDS: &str = "fields";
/// The fields of a line when the setting is left out.
const USUAL: [&str; 5] = ["id", "type", "source", "time", "course"];
/// The most fields of a line.
const MOST_FIELDS: usize = 32;
/// The most bytes of a field's name.
const LONGEST_NAME: usize = 100;
/// How deep under the data a course key is looked for.
const COURSE_DEPTH: usize = 4;

/// The fields of a line, in their order: at least one.
#[derive(Debug, PartialEq)]
pub struct Fields(Vec<Field>);

/// One field: its name as the operator wrote it, and where it is found.
#[derive(Debug, PartialEq)]
struct Field {
    name: String,
    place: Place,
}

#[derive(Debug, PartialEq)]
enum Place {
    Id,
    Type,
    Source,
    SourceHost,
    Time,
    MinorVersion,
    SourceLib,
    Attempt,
    /// The first course key anywhere in the data.
    Course,
    /// A path into the data.
    Data(Vec<String>),
}

impl Default for Fields {
    fn default() -> Self {
        Self(USUAL.iter().map(|name| Field { name: (*name).to_owned(), place: Place::of(name) }).collect())
    }
}

impl Fields {
    /// Read and check settings, a JSON object. The error is a text for the operator.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let settings: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        let mut fields = Self::default();
        for (key, value) in settings {
            if key != FIELDS {
                return Err(format!("unknown setting {key}; there is {FIELDS}"));
            }
            fields = match value {
                Value::String(text) => Self::parse(&text)?,
                other => Self::parse(&other.to_string())?,
            };
        }
        Ok(fields)
    }

    /// Read the setting's text: a JSON array of strings, or names separated by commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid =
            || format!("{FIELDS}: expected a list of strings, or one string with commas, not {text}");
        let names: Vec<String> = match serde_json::from_str(text) {
            Ok(Value::Array(_)) => serde_json::from_str(text).map_err(|_| invalid())?,
            // What is left of JSON is a number, a boolean, an object or null; no list is written like that.
            Ok(_) => return Err(invalid()),
            Err(_) if text.trim_start().starts_with('[') => return Err(invalid()),
            Err(_) => text.split(',').map(str::to_owned).collect(),
        };
        if !(1..=MOST_FIELDS).contains(&names.len()) {
            return Err(format!(
                "{FIELDS}: from 1 to {MOST_FIELDS}, not {}; leave it out for {}",
                names.len(),
                USUAL.join(", ")
            ));
        }
        let mut fields: Vec<Field> = Vec::new();
        for name in names.iter().map(|name| name.trim()) {
            if name.len() > LONGEST_NAME || name.split('.').any(str::is_empty) {
                return Err(format!(
                    "{FIELDS}: {name:?} is no field; write a name such as id, or names separated by dots such as \
                     enrollment.user.id"
                ));
            }
            if ["count", "cut"].contains(&name) {
                return Err(format!(
                    "{FIELDS}: {name} is the line's own; for one in the data write data.{name}"
                ));
            }
            if fields.iter().any(|field| field.name == name) {
                return Err(format!("{FIELDS}: {name} is there twice"));
            }
            fields.push(Field { name: name.to_owned(), place: Place::of(name) });
        }
        Ok(Self(fields))
    }

    /// The fields that this event has, each with its name.
    pub fn of<'a>(
        &'a self,
        metadata: &EventMetadata,
        data: &Value,
    ) -> impl Iterator<Item = (&'a str, Value)> {
        self.0.iter().filter_map(|field| Some((field.name.as_str(), field.place.value(metadata, data)?)))
    }
}

impl Place {
    fn of(name: &str) -> Self {
        match name {
            "id" => Self::Id,
            "type" => Self::Type,
            "source" => Self::Source,
            "sourcehost" => Self::SourceHost,
            "time" => Self::Time,
            "minorversion" => Self::MinorVersion,
            "sourcelib" => Self::SourceLib,
            "attempt" => Self::Attempt,
            "course" => Self::Course,
            // For what has one of the names above in the data itself.
            path => {
                Self::Data(path.strip_prefix("data.").unwrap_or(path).split('.').map(str::to_owned).collect())
            }
        }
    }

    fn value(&self, metadata: &EventMetadata, data: &Value) -> Option<Value> {
        match self {
            Self::Id => Some(metadata.id.as_str().into()),
            Self::Type => Some(metadata.event_type.as_str().into()),
            Self::Source => Some(metadata.source.as_str().into()),
            Self::SourceHost => Some(metadata.sourcehost.as_str().into()),
            Self::Time => Some(metadata.time.as_str().into()),
            Self::MinorVersion => Some(metadata.minorversion.into()),
            Self::SourceLib => {
                let parts: Vec<String> = metadata.sourcelib.iter().map(ToString::to_string).collect();
                Some(parts.join(".").into())
            }
            Self::Attempt => Some(metadata.attempt.into()),
            Self::Course => course(data, COURSE_DEPTH).map(Into::into),
            Self::Data(path) => at(data, path).or_else(|| at(only_value(data)?, path)).cloned(),
        }
    }
}

/// The value at a path; a number leads into a list.
fn at<'a>(data: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(data, |value, name| match value {
        Value::Object(object) => object.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// What stands under the event's one data key.
fn only_value(data: &Value) -> Option<&Value> {
    let object = data.as_object().filter(|object| object.len() == 1)?;
    object.values().next()
}

/// The first text called `course_key` or `course_id`: in this object, then in the objects of it.
fn course(data: &Value, depth: usize) -> Option<&str> {
    let object = data.as_object()?;
    let here = ["course_key", "course_id"].iter().find_map(|name| object.get(*name)?.as_str());
    here.or_else(|| match depth {
        0 => None,
        _ => object.values().find_map(|value| course(value, depth - 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::metadata;
    use serde_json::json;

    fn found(fields: &str, data: &Value) -> Vec<(String, Value)> {
        let fields = Fields::parse(fields).unwrap();
        fields.of(&metadata(2), data).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn one(field: &str, data: &Value) -> Option<Value> {
        found(field, data).pop().map(|(_, value)| value)
    }

    #[test]
    fn the_metadata_is_found_by_its_names() {
        let all = "id,type,source,sourcehost,time,minorversion,sourcelib,attempt";
        let values: Vec<Value> = found(all, &json!({})).into_iter().map(|(_, value)| value).collect();
        let expected = json!([
            "0189aa11-9a77-7abc-8def-0123456789ab",
            "org.example.happened.v1",
            "openedx/lms/web",
            "lms-1",
            "2026-01-02T03:04:05+00:00",
            1,
            "11.2.0",
            2,
        ]);
        assert_eq!(Value::Array(values), expected);
    }

    #[test]
    fn a_path_leads_into_the_data_with_or_without_its_one_key() {
        let data = json!({"enrollment": {"user": {"id": 7, "pii": {"email": "a@b"}}, "id": "x", "modes": ["a", "b"]}});
        assert_eq!(one("enrollment.user.id", &data), Some(json!(7)));
        assert_eq!(one("user.id", &data), Some(json!(7)));
        assert_eq!(one("data.id", &data), Some(json!("x")), "not the event's own id");
        assert_eq!(one("modes.1", &data), Some(json!("b")));
        assert_eq!(one("user.pii", &data), Some(json!({"email": "a@b"})));
        for missing in ["user.name", "modes.2", "modes.x", "user.id.more", "enrollment.enrollment"] {
            assert_eq!(one(missing, &data), None, "{missing}");
        }
        assert_eq!(one("b", &json!({"a": {"b": 1}, "c": {}})), None, "which of two keys is not guessed");
    }

    #[test]
    fn the_course_is_found_where_the_events_have_it() {
        let key = "course-v1:edX+DemoX+Demo_Course";
        for data in [
            json!({"catalog_info": {"course_key": key, "name": "Demo"}}),
            json!({"enrollment": {"course": {"course_key": key}, "user": {"id": 1}}}),
            json!({"course_id": key}),
            json!({"thread": {"course_id": key, "body": "course_key"}}),
        ] {
            assert_eq!(one("course", &data), Some(json!(key)), "{data}");
        }
        for data in
            [json!({"xblock_info": {"usage_key": "block-v1:a"}}), json!({"x": {"course_key": 5}}), json!([])]
        {
            assert_eq!(one("course", &data), None, "{data}");
        }
    }

    #[test]
    fn without_settings_a_line_has_the_usual_fields() {
        assert_eq!(Fields::from_json("{}"), Ok(Fields::default()));
        assert_eq!(Fields::parse("id,type,source,time,course"), Ok(Fields::default()));
    }

    #[test]
    fn the_setting_reads_the_same_from_the_store_and_at_configuration() {
        let listed = Fields::from_json(r#"{"fields": ["id", "user.id"]}"#);
        assert_eq!(listed, Fields::parse(r#"["id","user.id"]"#));
        assert_eq!(listed, Fields::from_json(r#"{"fields": " id ,user.id"}"#));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        let many: Vec<String> = (0..33).map(|number| format!("f{number}")).collect();
        for (json, named) in [
            (r#"{"field": "id"}"#.to_owned(), "unknown setting field;"),
            (r#"{"fields": 5}"#.to_owned(), "fields: expected"),
            (r#"{"fields": ["id", 5]}"#.to_owned(), "fields: expected"),
            (r#"{"fields": "[id"}"#.to_owned(), "fields: expected"),
            (r#"{"fields": []}"#.to_owned(), "fields: from 1 to 32"),
            (json!({"fields": many}).to_string(), "fields: from 1 to 32, not 33"),
            (r#"{"fields": "id,,type"}"#.to_owned(), "\"\" is no field"),
            (r#"{"fields": "user..id"}"#.to_owned(), "\"user..id\" is no field"),
            (r#"{"fields": "id,count"}"#.to_owned(), "write data.count"),
            (r#"{"fields": "id, id"}"#.to_owned(), "id is there twice"),
            ("[]".to_owned(), "settings: "),
        ] {
            let error = Fields::from_json(&json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}

//! Events as they travel and as they are kept.

use hookbox_hooks::{EventMetadata, ReceivedEvent};
use hookbox_store::{NewEvent, Timestamp};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

/// Names under which Open edX's events carry their course.
const COURSE: [&str; 2] = ["course_key", "course_id"];
/// A course is looked for in objects so deep: the data is 0, the value of its one key 1.
const COURSE_DEPTH: usize = 3;
/// Objects that are looked at for it.
const COURSE_OBJECTS: usize = 256;
/// The longest text that is taken for a course, in bytes: the platform's own column holds no more.
const COURSE_BYTES: usize = 255;

/// Why an event's row does not make an event, or the other way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("the id {0:?} is no UUID")]
    Id(String),
    #[error("{what} is not what was written: {error}")]
    Json { what: &'static str, error: serde_json::Error },
    #[error("the time {0} is none")]
    Time(i64),
}

/// The event as it is kept.
pub(crate) fn to_row(event: &ReceivedEvent, received_at: Timestamp) -> Result<NewEvent, RowError> {
    let metadata = &event.metadata;
    let id = Uuid::try_parse(&metadata.id).map_err(|_| RowError::Id(metadata.id.clone()))?;
    let json = |what, text: Result<String, _>| text.map_err(|error| RowError::Json { what, error });
    Ok(NewEvent {
        id: id.into_bytes(),
        source: metadata.source.clone(),
        event_type: metadata.event_type.clone(),
        time: timestamp(metadata.time),
        received_at,
        minorversion: metadata.minorversion,
        sourcehost: metadata.sourcehost.clone(),
        sourcelib: json("sourcelib", serde_json::to_string(&metadata.sourcelib))?,
        course: course(&event.data),
        data: json("data", serde_json::to_string(&event.data))?,
        extensions: json("extensions", serde_json::to_string(&event.extensions))?,
    })
}

/// The event as it travelled.
pub(crate) fn to_event(row: &NewEvent) -> Result<ReceivedEvent, RowError> {
    let metadata = EventMetadata {
        id: Uuid::from_bytes(row.id).hyphenated().to_string(),
        event_type: row.event_type.clone(),
        minorversion: row.minorversion,
        source: row.source.clone(),
        sourcehost: row.sourcehost.clone(),
        time: datetime(row.time)?,
        sourcelib: read("sourcelib", &row.sourcelib)?,
    };
    let extensions: Map<String, Value> = read("extensions", &row.extensions)?;
    Ok(ReceivedEvent { metadata, data: read("data", &row.data)?, extensions })
}

fn read<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, RowError> {
    serde_json::from_str(text).map_err(|error| RowError::Json { what, error })
}

fn timestamp(time: OffsetDateTime) -> Timestamp {
    let micros = time.unix_timestamp_nanos().div_euclid(1000);
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn datetime(time: Timestamp) -> Result<OffsetDateTime, RowError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.as_micros()) * 1000)
        .map_err(|_| RowError::Time(time.as_micros()))
}

/// The course that data names, the nearest to its top first.
fn course(data: &Value) -> Option<String> {
    let mut level: Vec<&Map<String, Value>> = data.as_object().into_iter().collect();
    let mut looked = 0;
    for _ in 0..=COURSE_DEPTH {
        for object in &level {
            let named = COURSE.iter().filter_map(|name| object.get(*name)?.as_str());
            if let Some(course) = { named }.find(|text| !text.is_empty() && text.len() <= COURSE_BYTES) {
                return Some(course.to_owned());
            }
        }
        looked += level.len();
        let below = level.iter().flat_map(|object| object.values()).filter_map(Value::as_object);
        level = below.take(COURSE_OBJECTS.saturating_sub(looked)).collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_event_is_kept_as_it_came(
            id: u128,
            source in "[a-z/]{1,20}",
            sourcehost in any::<String>(),
            minorversion: i64,
            micros in -62_135_596_800_000_000..253_402_300_799_999_999_i64,
            sourcelib in prop::collection::vec(any::<i64>(), 0..4),
            data in json_value(),
            extra in json_value(),
        ) {
            let event = ReceivedEvent {
                metadata: EventMetadata {
                    id: Uuid::from_u128(id).hyphenated().to_string(),
                    event_type: "org.example.v1".to_owned(),
                    minorversion,
                    source,
                    sourcehost,
                    time: datetime(Timestamp::from_micros(micros)).unwrap(),
                    sourcelib,
                },
                data,
                extensions: Map::from_iter([("ce_id".to_owned(), json!("7")), ("extra".to_owned(), extra)]),
            };
            let row = to_row(&event, Timestamp::from_micros(1)).unwrap();
            prop_assert_eq!(to_event(&row).unwrap(), event);
        }
    }

    #[test]
    fn the_course_is_found_where_events_carry_it() {
        let found = |data: Value| course(&data);
        let course = Some("course-v1:edX+DemoX+Demo".to_owned());
        let key = "course-v1:edX+DemoX+Demo";
        assert_eq!(found(json!({"course_key": key})), course);
        assert_eq!(found(json!({"catalog_info": {"course_key": key, "name": "x"}})), course);
        assert_eq!(found(json!({"enrollment": {"user": {"id": 1}, "course": {"course_key": key}}})), course);
        assert_eq!(found(json!({"thread": {"course_id": key}})), course);
        assert_eq!(found(json!({"a": {"b": {"c": {"course_key": key}}}})), course);
        assert_eq!(found(json!({"a": {"b": {"c": {"d": {"course_key": key}}}}})), None);
        assert_eq!(found(json!({"a": {"course_id": 5, "course_key": null}})), None);
        assert_eq!(found(json!({"a": {"course_id": ""}, "b": [1]})), None);
        assert_eq!(found(json!([])), None);
        assert_eq!(found(json!({"a": {"course_id": "x".repeat(256)}})), None);
    }

    #[test]
    fn a_damaged_row_is_told() {
        let row = NewEvent {
            id: [0; 16],
            source: "s".into(),
            event_type: "t".into(),
            time: Timestamp::from_micros(i64::MAX),
            received_at: Timestamp::from_micros(0),
            minorversion: 0,
            sourcehost: String::new(),
            sourcelib: "[]".into(),
            course: None,
            data: "{".into(),
            extensions: "{}".into(),
        };
        assert!(matches!(to_event(&row), Err(RowError::Time(_))));
        let row = NewEvent { time: Timestamp::from_micros(0), ..row };
        assert!(to_event(&row).unwrap_err().to_string().starts_with("data is not what was written"));
    }
}

//! A row as the API shows it.

use std::fmt;

use hookbox_store::{Status, Timestamp};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// A row as the API shows it: these keys in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The row's id.
    pub id: i64,
    /// The course key.
    pub course_id: String,
    /// The id of the user whose row it is.
    pub user: i64,
    /// Whether the user archived the course.
    pub is_archived: bool,
    /// Since when it is archived.
    #[serde(serialize_with = "optional_time")]
    pub archive_date: Option<Timestamp>,
    /// When the row was made.
    #[serde(serialize_with = "time")]
    pub created_at: Timestamp,
    /// When the row was last written.
    #[serde(serialize_with = "time")]
    pub updated_at: Timestamp,
}

impl From<Status> for Row {
    fn from(status: Status) -> Self {
        Self {
            id: status.id,
            course_id: status.course_id,
            user: status.user,
            is_archived: status.is_archived,
            archive_date: status.archive_date,
            created_at: status.created_at,
            updated_at: status.updated_at,
        }
    }
}

/// UTC with six digits and `Z`; no fraction when it is exactly zero.
struct Utc(Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
        let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
        let (hour, minute, second, micro) = moment.to_hms_micro();
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if micro != 0 {
            write!(formatter, ".{micro:06}")?;
        }
        formatter.write_str("Z")
    }
}

fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Utc(*time))
}

fn optional_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&Utc(*time)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_as_the_django_plugin_writes_it() {
        let row = Row {
            id: 1,
            course_id: "course-v1:edX+DemoX+2024".into(),
            user: 1,
            is_archived: false,
            archive_date: None,
            created_at: Timestamp::from_micros(1_795_376_602_411_797),
            updated_at: Timestamp::from_micros(1_795_376_602_000_000),
        };
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            "{\"id\":1,\"course_id\":\"course-v1:edX+DemoX+2024\",\"user\":1,\"is_archived\":false,\
             \"archive_date\":null,\"created_at\":\"2026-11-22T19:43:22.411797Z\",\"updated_at\":\"2026-11-22T19:43:22Z\"}"
        );
    }
}

//! A row as the API shows it.

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

/// A time as text: UTC with six digits and `Z`; no fraction when it is exactly zero. Written digit by digit, because a
/// page has sixty of them and `core::fmt` took a tenth of its time.
struct Utc {
    text: [u8; Self::LONGEST],
    length: usize,
}

impl Utc {
    const LONGEST: usize = "2026-11-22T19:43:22.411797Z".len();

    fn of(time: Timestamp) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.as_micros()) * 1_000);
        // Years beyond 9999 have no place in this form; no clock comes there.
        let moment = moment.ok().filter(|moment| (0..10_000).contains(&moment.year()));
        let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (hour, minute, second, micro) = moment.to_hms_micro();
        let mut utc = Self { text: *b"0000-00-00T00:00:00.000000Z", length: Self::LONGEST };
        utc.write(0, 4, moment.year().unsigned_abs());
        utc.write(5, 2, u32::from(u8::from(moment.month())));
        utc.write(8, 2, u32::from(moment.day()));
        utc.write(11, 2, u32::from(hour));
        utc.write(14, 2, u32::from(minute));
        utc.write(17, 2, u32::from(second));
        utc.write(20, 6, micro);
        if micro == 0 {
            utc.text[19] = b'Z';
            utc.length = 20;
        }
        utc
    }

    /// Writes a number with so many digits.
    fn write(&mut self, from: usize, digits: usize, mut number: u32) {
        for place in self.text[from..from + digits].iter_mut().rev() {
            *place = b"0123456789"[(number % 10) as usize];
            number /= 10;
        }
    }

    fn as_str(&self) -> &str {
        // Digits and punctuation only.
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Utc::of(*time).as_str())
}

fn optional_time<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => time(moment, serializer),
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

    #[test]
    fn times_are_what_the_time_crate_writes() {
        for micros in [
            0,
            1,
            999_999,
            1_000_000,
            951_782_400_000_000,
            4_102_444_799_999_999,
            -1,
            -62_135_596_800_000_000,
        ] {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
            let (date, time) = (moment.date(), moment.time());
            let fraction = if moment.microsecond() == 0 {
                String::new()
            } else {
                format!(".{:06}", moment.microsecond())
            };
            let expected =
                format!("{date}T{:02}:{:02}:{:02}{fraction}Z", time.hour(), time.minute(), time.second());
            assert_eq!(Utc::of(Timestamp::from_micros(micros)).as_str(), expected);
        }
    }
}

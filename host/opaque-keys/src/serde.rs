//! Keys as strings: written as they are printed, read as they are parsed.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ContentLibraryKey, CourseKey, LearningContextKey, VersionGuid};

macro_rules! as_a_string {
    ($($key:ty),+ $(,)?) => {$(
        impl Serialize for $key {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $key {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_a_string!(CourseKey, LearningContextKey, ContentLibraryKey, VersionGuid);

#![doc = include_str!("../README.md")]

mod context;
mod course;
mod error;
mod library;
mod parse;
pub mod python;
#[cfg(feature = "serde")]
mod serde;
mod version;
mod word_table;

pub use context::LearningContextKey;
pub use course::{CourseKey, Kind};
pub use error::{InvalidKey, Part, Problem};
pub use library::ContentLibraryKey;
pub use version::VersionGuid;

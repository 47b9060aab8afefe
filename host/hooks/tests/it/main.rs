//! The crate's promises, checked from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

mod contract;
mod filter_pipelines;
mod fuzz_cloud_events;
mod steps;

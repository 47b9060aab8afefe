//! Keys are read and printed as edx-opaque-keys 4.0.1 and edx-ccx-keys 2.1.0 do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod errors_say_what_is_wrong;
mod keys_as_values;
mod keys_in_json;
mod properties;
mod same_as_upstream;
mod tables_are_pythons;

//! Promises of the sandbox, kept against hostile, broken and outdated components. The hostile ones are in `tests/evil/`
//! at the root of the repository.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod a_call_ends_whatever_the_guest_does;
mod a_call_leaves_no_trace;
mod a_compiled_component_is_kept;
mod a_recorded_call_can_be_run_again;
mod a_rehearsal_changes_nothing;
mod a_request_ends_whatever_the_server_does;
mod answers_are_not_trusted;
mod every_hook_of_the_catalogue_can_be_called;
mod fuzz_admission;
mod good_plugins_answer;
mod good_receivers_can_be_called_again;
mod older_and_newer_plugins_work;
mod plugins_keep_rows_of_their_own;
mod plugins_use_the_course_archive;
mod requests_go_only_where_they_may;
mod servers;
mod support;
mod what_does_not_fit_is_refused;
mod what_is_busy_makes_others_wait_their_turn;
mod who_compiles_is_not_trusted;

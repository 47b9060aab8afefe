//! Promises of the store, kept against concurrent callers, full disks, locks, broken files and killed processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod a_backup_is_one_moment_of_a_busy_database;
mod a_file_is_what_it_says_or_left_alone;
mod a_list_is_what_a_plain_vector_gives;
mod a_plugin_keeps_what_its_quota_allows;
mod a_write_is_durable_or_gone;
mod key_values_are_what_a_plain_map_gives;
mod killed_processes_lose_nothing;
mod no_room_and_no_lock_are_told;
mod one_row_a_course_and_user;
mod plugins_are_kept_as_they_are;
mod support;
mod the_journal_is_what_a_plain_model_gives;
mod the_journal_keeps_its_promises;
mod users_are_remembered_until_they_change;
mod users_stay_in_step;

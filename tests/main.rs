//! Promises of the whole, end to end: each module is named after one. They start the real command, talk to it over
//! HTTP, and wait for conditions instead of sleeping.
//!
//! `HOOKBOX_GUESTS` names another folder with the sample components than `guest-plugins/prebuilt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at once")]

mod a_failing_step_is_skipped_or_named;
mod a_runaway_plugin_stops_nobody_else;
mod bad_configuration_is_explained;
mod bad_input_is_explained;
mod check_says_what_to_do;
mod commands_answer_without_a_server;
mod compiled_components_are_kept;
mod configuration_comes_in_layers;
mod events_reach_their_receivers;
mod instances_are_kept_apart;
mod metrics_tell_what_plugins_cost;
mod operators_see_what_is_live;
mod passwords_reach_no_step;
mod pipelines_run_as_configured;
mod samples_work_out_of_the_box;
mod stopping_drops_nothing;
mod support;
mod the_archive_api_answers_as_the_django_plugin;

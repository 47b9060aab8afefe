//! Promises of the whole, end to end: each module is named after one. They start the real command, talk to it over
//! HTTP, and wait for conditions instead of sleeping.
//!
//! `HOOKBOX_GUESTS` names another folder with the sample components than `guest-plugins/prebuilt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at once")]

mod a_bad_rate_origin_or_key_is_explained;
mod a_database_in_trouble_is_explained;
mod a_disk_in_trouble_changes_no_plugin;
mod a_duplicate_is_delivered_once;
mod a_failed_call_is_run_again_at_a_desk;
mod a_failing_receiver_harms_no_other;
mod a_failing_step_is_skipped_or_named;
mod a_full_or_locked_disk_loses_no_event;
mod a_full_queue_is_told_and_felt_by_nobody_else;
mod a_plugin_that_keeps_failing_is_put_aside;
mod a_release_is_tried_before_it_is_trusted;
mod a_runaway_plugin_stops_nobody_else;
mod a_thousand_swaps_drop_no_call;
mod a_trial_ends_by_rule_or_by_hand;
mod a_watched_folder_installs_and_withdraws;
mod acknowledged_rows_survive_a_kill;
mod an_author_sees_how_a_plugin_died;
mod archive_sync_marks_statuses;
mod audit_log_counts_and_tells;
mod back_pressure_is_a_503;
mod bad_configuration_is_explained;
mod bad_input_is_explained;
mod check_says_what_to_do;
mod cloudevents_in_every_form;
mod commands_answer_without_a_server;
mod commands_keep_the_database;
mod compiled_components_are_kept;
mod compiling_is_done_by_a_process_of_its_own;
mod configuration_comes_in_layers;
mod dead_letters_are_seen_and_repaired;
mod events_are_replayed;
mod events_reach_their_receivers;
mod events_survive_a_restart;
mod events_survive_kills;
mod every_attack_of_the_kit_ends_as_it_must;
mod instances_are_kept_apart;
mod limits_of_the_archive_api;
mod metrics_tell_what_plugins_cost;
mod one_server_has_a_data_folder;
mod operators_ask_for_events;
mod operators_install_over_rest;
mod operators_install_with_the_command;
mod operators_need_a_token;
mod operators_see_what_is_live;
mod pages_on_other_origins_may_call;
mod passwords_reach_no_step;
mod pipelines_run_as_configured;
mod plugins_come_back_after_a_restart;
mod plugins_keep_rows;
mod plugins_keep_the_archive_s_rules;
mod plugins_send_requests_where_they_are_granted;
mod recorded_cases_guard_a_release;
mod samples_work_out_of_the_box;
mod stopping_drops_nothing;
mod support;
mod the_archive_api_answers_as_the_django_plugin;
mod the_archive_api_answers_odd_requests;
mod the_archive_follows_its_rules;
mod the_sample_plugins_scenarios_hold;
mod tokens_stay_out_of_the_log;
mod two_identical_creates_race;
mod users_stay_in_step;
mod waiting_events_follow_their_plugin;
mod webhooks_are_forwarded;
mod what_a_release_wants_needs_a_yes;
mod what_a_swap_takes;

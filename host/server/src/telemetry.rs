//! `/metrics`: one recorder for the process, rendered as Prometheus text.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::app::App;

/// Upper bounds in seconds, from a reused Rust step to a delivery's whole time.
const SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.5, 1.0, 5.0,
];

/// Upper bounds in seconds of compiling, from a small Rust plugin to the longest that is allowed by default.
const COMPILATION_SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
/// How long compiling took.
const COMPILATION: &str = "hookbox_compilation_seconds";

/// Upper bounds in seconds of a delivery's lag, from an idle host to a backlog of a day.
const LAG_SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0,
    86_400.0,
];
/// How long an event waited for the first call of a receiver.
const DELIVERY_LAG: &str = "hookbox_delivery_lag_seconds";

/// Credentials that were looked at, by how it went.
pub(crate) const AUTHENTICATIONS: &str = "hookbox_authentications_total";
/// Requests to the archive API, by resource, method and status.
pub(crate) const ARCHIVE_REQUESTS: &str = "hookbox_archive_requests_total";
/// How long they took, by resource and method.
pub(crate) const ARCHIVE_SECONDS: &str = "hookbox_archive_request_seconds";
/// What plugins wrote to the archive, by plugin and what: archive, unarchive, set-last-synced.
pub(crate) const ARCHIVE_PLUGIN_WRITES: &str = "hookbox_archive_plugin_writes_total";

/// Components that were sent, by result.
pub(crate) const UPLOADS: &str = "hookbox_uploads_total";

/// The process's recorder, made at the first call.
pub(crate) fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(COMPILATION.to_owned()), COMPILATION_SECONDS)
        })
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(DELIVERY_LAG.to_owned()), LAG_SECONDS)
        })
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder was there first: /metrics stays empty");
    }
    metrics::describe_counter!("hookbox_calls_total", "Plugin calls by hook, plugin and outcome.");
    metrics::describe_histogram!(
        "hookbox_call_seconds",
        "Wall-clock seconds of plugin calls, by hook and plugin."
    );
    metrics::describe_counter!(
        "hookbox_trial_calls_total",
        "Calls that trials of releases chose, by plugin and result."
    );
    metrics::describe_counter!("hookbox_limit_hits_total", "Limits that bound, by plugin and limit.");
    metrics::describe_counter!(
        "hookbox_quarantines_total",
        "Times that a plugin was put aside because it kept failing, by plugin."
    );
    metrics::describe_gauge!("hookbox_plugin_quarantined", "Whether a live plugin is put aside: 1 or 0.");
    metrics::describe_gauge!("hookbox_generation", "The number of the generation that new calls get.");
    metrics::describe_counter!(
        "hookbox_failed_calls_total",
        "Failed calls that were to be kept, by result: kept, dropped, failed."
    );
    metrics::describe_counter!("hookbox_user_facts_total", "What events said of users, by what came of it.");
    metrics::describe_counter!("hookbox_swaps_total", "Generations that went live since the start.");
    metrics::describe_histogram!(
        "hookbox_swap_seconds",
        "Wall-clock seconds from a change that is ready to the generation that has it: building, writing down, swapping."
    );
    metrics::describe_counter!(
        "hookbox_admissions_total",
        "Components that were sent or put into the folder, by outcome: live, checked, trial, needs-approval, rejected."
    );
    metrics::describe_counter!("hookbox_folder_looks_total", "Looks at the plugin folder.");
    metrics::describe_gauge!(
        "hookbox_folder_readable",
        "Whether the plugin folder could be read at the last look: 1 or 0."
    );
    metrics::describe_counter!(
        "hookbox_http_requests_total",
        "Requests that plugins wanted to send, by plugin and result."
    );
    metrics::describe_counter!(
        "hookbox_compile_cache_total",
        "Compiled components by how they were had: hit, miss, or damaged and compiled again."
    );
    metrics::describe_counter!(
        "hookbox_compilations_total",
        "Components that were compiled, by result: compiled, refused, time, memory, failed."
    );
    metrics::describe_histogram!(COMPILATION, "Wall-clock seconds of compiling one component.");
    metrics::describe_counter!(
        AUTHENTICATIONS,
        "Requests by how their credentials were found: success-auth-header, success-cookie, not-provided, \
         invalid-token, no-username."
    );
    metrics::describe_counter!(
        ARCHIVE_REQUESTS,
        "Requests to the archive API by resource, method and status."
    );
    metrics::describe_histogram!(
        ARCHIVE_SECONDS,
        "Wall-clock seconds of requests to the archive API, by resource and method."
    );
    metrics::describe_counter!(
        ARCHIVE_PLUGIN_WRITES,
        "Writes of plugins to the course archive, by plugin and what: archive, unarchive, set-last-synced."
    );
    metrics::describe_counter!(
        UPLOADS,
        "Components that were sent to the server, by result: what came of the release, or the refusal's code."
    );
    describe_events();
    metrics::describe_gauge!(
        "hookbox_guest_memory_bytes",
        "Bytes of linear memory that all plugins' instances together have."
    );
    metrics::describe_gauge!("hookbox_pool_component_instances", "Component instances alive in the pool.");
    metrics::describe_gauge!("hookbox_pool_memories", "Linear memories in use in the pool.");
    metrics::describe_gauge!("hookbox_pool_tables", "Tables in use in the pool.");
    metrics::describe_gauge!("hookbox_pool_stacks", "Stacks in use in the pool.");
    metrics::describe_gauge!(
        "hookbox_pool_resident_bytes",
        "Bytes kept resident in free memories of the pool."
    );
    handle
}

/// What the journal of events and its lanes count.
fn describe_events() {
    metrics::describe_counter!("hookbox_events_accepted_total", "Events answered with 202, known ones too.");
    metrics::describe_counter!(
        "hookbox_events_duplicate_total",
        "Events among them that were known already."
    );
    metrics::describe_counter!(
        "hookbox_events_refused_total",
        "Events that were not taken because too much waits, the server stops, or the database failed."
    );
    metrics::describe_counter!(
        "hookbox_delivery_attempts_total",
        "Attempts to deliver an event, by plugin and outcome."
    );
    metrics::describe_gauge!("hookbox_deliveries_waiting", "Deliveries that wait or run, by plugin.");
    metrics::describe_gauge!(
        "hookbox_dead_letters",
        "Deliveries that are not tried again by themselves, by plugin."
    );
    metrics::describe_histogram!(
        DELIVERY_LAG,
        "Seconds from an event's arrival to the first call of a receiver with it, by plugin."
    );
    metrics::describe_gauge!(
        "hookbox_oldest_waiting_seconds",
        "Seconds since the arrival of the oldest event that waits for a plugin, by plugin."
    );
    metrics::describe_gauge!("hookbox_events_kept", "Events in the journal, by class: open, dead, done.");
    metrics::describe_gauge!("hookbox_events_bytes", "Bytes of their data, by class: open, dead, done.");
    metrics::describe_counter!(
        "hookbox_events_pruned_total",
        "Events that went because they were old or too many."
    );
    metrics::describe_gauge!("hookbox_replays_running", "Replays that are under way.");
}

/// Keeps the recorder's memory bounded between scrapes.
pub(crate) async fn upkeep(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; counts stay far below 2^53")]
pub(crate) async fn render(State(app): State<Arc<App>>) -> impl IntoResponse {
    if let Some(pool) = app.sandbox.pool_use() {
        metrics::gauge!("hookbox_pool_component_instances").set(pool.component_instances as f64);
        metrics::gauge!("hookbox_pool_memories").set(pool.memories as f64);
        metrics::gauge!("hookbox_pool_tables").set(pool.tables as f64);
        metrics::gauge!("hookbox_pool_stacks").set(pool.stacks as f64);
        metrics::gauge!("hookbox_pool_resident_bytes").set(pool.resident_bytes as f64);
    }
    app.measure_plugins();
    if let Err(error) = app.delivery.measure().await {
        tracing::debug!(%error, "the journal's gauges stay as they were");
    }
    metrics::gauge!("hookbox_guest_memory_bytes").set(app.sandbox.guest_memory().used_bytes as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}

//! `/metrics` counts calls, their time, the limits that bound, the compile cache and the instance pool.

use crate::support::guest::{endless_filter, sample, written};
use crate::support::{ABOUT_RENDER, ABOUT_URL, CATALOG_INFO, COURSE, OLD_URL, Site, about, steps};

#[test]
fn calls_are_counted_by_hook_plugin_and_outcome() {
    let site = Site::new("[plugins.mine]\ncomponent = \"mine.wasm\"").with("mine.wasm", sample("test-panic"));
    let server = site.serve();
    for (url, times) in [("/fine", 3), ("/halt", 2), ("/panic", 1)] {
        for _ in 0..times {
            server.filter(ABOUT_URL, &about(url)).json(200);
        }
    }
    let calls = |hook: &str, outcome: &str| {
        server.metric("hookbox_calls_total", &[("hook", hook), ("plugin", "mine"), ("outcome", outcome)])
    };
    let outcomes = ["proceeded", "halted", "skipped", "failed", "raised"];
    assert_eq!(outcomes.map(|outcome| calls(ABOUT_URL, outcome)), [3.0, 2.0, 1.0, 0.0, 0.0]);
    assert_eq!(calls(ABOUT_RENDER, "proceeded"), 0.0);

    let labels = [("hook", ABOUT_URL), ("plugin", "mine")];
    assert_eq!(server.metric("hookbox_call_seconds_count", &labels), 6.0);
    assert!(server.metric("hookbox_call_seconds_sum", &labels) > 0.0);
    let at_all = [labels[0], labels[1], ("le", "+Inf")];
    assert_eq!(server.metric("hookbox_call_seconds_bucket", &at_all), 6.0);
    let text = server.get("/metrics");
    assert!(text.header("content-type").starts_with("text/plain; version=0.0.4"), "{text:?}");
    assert!(text.body.contains("# TYPE hookbox_call_seconds histogram"), "{}", text.body);
}

#[test]
fn deliveries_are_counted() {
    let server = Site::empty().serve();
    server.post_catalog_info(COURSE);
    // At `debug`, the delivery's own line would tell; the plugin's line comes just before it is counted.
    server.logs(1, &["has been updated!"]);
    let delivered = [("hook", CATALOG_INFO), ("plugin", "catalog-logger"), ("outcome", "delivered")];
    server.until("the delivery is counted", |server| server.metric("hookbox_calls_total", &delivered) == 1.0);
    assert_eq!(server.metric("hookbox_events_accepted_total", &[]), 1.0);
    let plugin = [("plugin", "catalog-logger")];
    server.until("nothing waits", |server| server.metric("hookbox_deliveries_waiting", &plugin) == 0.0);
    server.until("the event is done", |server| {
        server.metric("hookbox_events_kept", &[("class", "done")]) == 1.0
    });
    assert_eq!(server.metric("hookbox_delivery_lag_seconds_count", &plugin), 1.0);
    assert_eq!(server.metric("hookbox_dead_letters", &plugin), 0.0);
}

#[test]
fn a_limit_that_bound_is_counted() {
    let site =
        Site::new("[plugins.endless]\ncomponent = \"endless.wasm\"").with("endless.wasm", endless_filter());
    let server = site.serve();
    let hits =
        |limit: &str| server.metric("hookbox_limit_hits_total", &[("plugin", "endless"), ("limit", limit)]);
    assert_eq!(hits("time"), 0.0);
    server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!((hits("time"), hits("memory")), (2.0, 0.0));
}

#[test]
fn a_limit_that_a_plugin_got_over_is_counted_once_a_call() {
    let site = Site::new("[plugins.modest]\ncomponent = \"modest.wasm\"\nlimits = { time = \"30s\" }")
        .with("modest.wasm", written("goes-on-without-memory"));
    let server = site.serve();
    for calls in [1.0, 2.0] {
        let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
        assert_eq!(steps(&answer), [("modest", "proceeded")]);
        let labels = [("plugin", "modest"), ("limit", "memory")];
        assert_eq!(server.metric("hookbox_limit_hits_total", &labels), calls);
    }
}

#[test]
fn the_cache_and_the_pool_are_shown() {
    let server = Site::empty().serve();
    server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    let text = server.get("/metrics").body;
    assert!(text.contains("hookbox_compile_cache_total{result=\"miss\"} 3"), "{text}");
    if server.log().contains("allocation=OnDemand") {
        return; // This machine has no pool to show.
    }
    for name in ["component_instances", "memories", "tables", "stacks", "resident_bytes"] {
        assert!(text.contains(&format!("\nhookbox_pool_{name} ")), "no {name}: {text}");
    }
    assert_eq!(server.metric("hookbox_pool_component_instances", &[]), 0.0, "an instance outlived its call");
    assert!(server.metric("hookbox_pool_resident_bytes", &[]) > 0.0);
}

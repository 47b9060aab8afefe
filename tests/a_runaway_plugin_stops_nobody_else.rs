//! A plugin that loops or takes memory without end reaches its limit; everyone else goes on.

use crate::support::guest::{endless_filter, greedy_filter, sample};
use crate::support::{ABOUT_RENDER, ABOUT_URL, NEW_URL, OLD_URL, Site, about, steps};

#[test]
fn a_loop_ends_at_the_time_limit() {
    let configuration = format!(
        "[plugins.endless]\ncomponent = \"endless.wasm\"\n[filters.\"{ABOUT_URL}\"]\nfail_silently = false"
    );
    let server = Site::new(&configuration).with("endless.wasm", endless_filter()).serve();
    let problem = server.filter(ABOUT_URL, &about(OLD_URL)).problem(502, "step-failed");
    assert_eq!(problem["step"], "endless");
    assert_eq!(problem["failure"]["code"], "time");
    let report = &problem["failure"]["report"];
    assert_eq!((&report["kind"], &report["limit"]), (&"limit".into(), &"time".into()));
    let detail = report["detail"].as_str().unwrap();
    assert!(detail.contains("100 ms allowed") && detail.contains("limits.time"), "{detail}");
}

#[test]
fn hunger_for_memory_ends_at_the_memory_limit() {
    let configuration =
        "[plugins.greedy]\ncomponent = \"greedy.wasm\"\nlimits = { memory = \"8MiB\", time = \"10s\" }";
    let server = Site::new(configuration).with("greedy.wasm", greedy_filter()).serve();
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("greedy", "skipped")]);
    let failure = &answer["steps"][0]["failure"];
    assert_eq!(failure["code"], "memory", "{failure}");
    let detail = failure["report"]["detail"].as_str().unwrap();
    assert!(detail.contains("8388608 bytes allowed") && detail.contains("limits.memory"), "{detail}");
    assert_eq!(server.metric("hookbox_limit_hits_total", &[("plugin", "greedy"), ("limit", "memory")]), 1.0);
}

#[test]
fn other_filters_answer_while_loops_run() {
    // The loops outlast the test: what is answered is answered beside them.
    let configuration = format!(
        "[plugins.endless]\ncomponent = \"endless.wasm\"\nlimits = {{ time = \"10m\" }}
         [plugins.quick]\ncomponent = \"url.wasm\"\nlimits = {{ time = \"30s\" }}
         [filters.\"{ABOUT_URL}\"]\npipeline = [\"endless\"]
         [filters.\"{ABOUT_RENDER}\"]\npipeline = [\"quick\"]"
    );
    let site = Site::new(&configuration).with("endless.wasm", endless_filter());
    let server = site.with("url.wasm", sample("course-about-url")).serve();
    let loops: Vec<_> = (0..8).map(|_| server.filter_later(ABOUT_URL, &about(OLD_URL))).collect();
    server.logs(loops.len(), &["work has begun", "plugin=\"endless\""]);

    for _ in 0..20 {
        let answer = server.filter(ABOUT_RENDER, &about(OLD_URL)).json(200);
        assert_eq!(steps(&answer), [("quick", "proceeded")], "{answer}");
        assert_eq!(answer["kwargs"]["url"], NEW_URL);
    }
    assert_eq!(server.get("/readyz").body, "ready\n");
    assert!(loops.iter().all(|call| !call.is_finished()), "{}", server.log());
}

#[test]
fn hunger_for_all_the_host_s_memory_is_answered_come_back_later() {
    let configuration = format!(
        "[server]\nguest_memory = \"16MiB\"\n[plugins.greedy]\ncomponent = \"greedy.wasm\"\nlimits = {{ time = \"10s\" }}
         [plugins.quick]\ncomponent = \"url.wasm\"\nlimits = {{ time = \"30s\" }}
         [filters.\"{ABOUT_URL}\"]\npipeline = [\"greedy\"]
         [filters.\"{ABOUT_RENDER}\"]\npipeline = [\"quick\"]"
    );
    let site = Site::new(&configuration).with("greedy.wasm", greedy_filter());
    let server = site.with("url.wasm", sample("course-about-url")).serve();
    let answer = server.filter(ABOUT_URL, &about(OLD_URL));
    let problem = answer.problem(503, "overloaded");
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
    assert!(problem["detail"].as_str().unwrap().contains("16777216 bytes of memory"), "{problem}");
    assert_eq!(server.metric("hookbox_guest_memory_bytes", &[]), 0.0, "it is given back");
    assert_eq!(steps(&server.filter(ABOUT_RENDER, &about(OLD_URL)).json(200)), [("quick", "proceeded")]);
}

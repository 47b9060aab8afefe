//! A plugin takes no more calls than it may; who finds its queue full is told at once, and to come again.

use crate::support::guest::{sample, slow_filter};
use crate::support::{ABOUT_RENDER, ABOUT_URL, NEW_URL, OLD_URL, Site, about, steps};

#[test]
fn who_finds_the_queue_full_is_told_at_once_and_the_others_are_answered() {
    // Overload is the host's condition: neither the filter nor the plugin may have the step left out for it.
    for more in ["", "on_failure = \"skip\""] {
        let configuration = format!(
            "[plugins.slow]\ncomponent = \"slow.wasm\"\n{more}
             limits = {{ concurrent_calls = 1, queued_calls = 1, time = \"10m\", host_calls = 4000000000 }}
             quarantine = {{ failures = 1, pause = \"10m\" }}
             [plugins.quick]\ncomponent = \"url.wasm\"\nlimits = {{ time = \"30s\" }}
             [filters.\"{ABOUT_URL}\"]\npipeline = [\"slow\"]\nfail_silently = true
             [filters.\"{ABOUT_RENDER}\"]\npipeline = [\"quick\"]"
        );
        let site = Site::new(&configuration).with("slow.wasm", slow_filter());
        let server = site.with("url.wasm", sample("course-about-url")).serve();
        let first = server.filter_later(ABOUT_URL, &about(OLD_URL));
        server.logs(1, &["work has begun"]);
        let others: Vec<_> = (0..4).map(|_| server.filter_later(ABOUT_URL, &about(OLD_URL))).collect();
        let quick = server.filter(ABOUT_RENDER, &about(OLD_URL)).json(200);
        assert_eq!((steps(&quick), &quick["kwargs"]["url"]), (vec![("quick", "proceeded")], &NEW_URL.into()));

        let mut answers: Vec<_> = others.into_iter().map(|call| call.join().unwrap().unwrap()).collect();
        answers.push(first.join().unwrap().unwrap());
        let (answered, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        for answer in &refused {
            assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
            let problem = answer.problem(503, "overloaded");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("limits.queued_calls"), "{problem}");
            assert_eq!(problem["step"], "slow");
            assert_eq!(steps(&problem), [("slow", "failed")]);
            let microseconds = problem["steps"][0]["microseconds"].as_u64().unwrap();
            assert!(microseconds < 900_000, "it was told only after {microseconds} µs");
        }
        // The one that ran, the one that waited; on a slow machine more of the four come when a place is free again.
        assert!(answered.len() >= 2 && !refused.is_empty(), "{answered:?} {refused:?}");
        for answer in answered {
            assert_eq!(answer.json(200)["kwargs"]["url"], "finished");
        }
        let hits = [("plugin", "slow"), ("limit", "queued-calls")];
        assert_eq!(server.metric("hookbox_limit_hits_total", &hits), refused.len() as f64);
        let gauge = server.metric("hookbox_plugin_quarantined", &[("plugin", "slow")]);
        assert_eq!(gauge, 0.0, "being busy is no failure of the plugin's");
    }
}

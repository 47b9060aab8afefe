//! When too much waits, events are refused with a 503 that says when to come again, and nothing of them is taken.

use serde_json::json;

use crate::support::guest::trapping_receiver;
use crate::support::{COURSE, Site, catalog_change};

#[test]
fn a_full_journal_refuses_whole_requests_until_there_is_room() {
    let configuration = "[events]
         backlog = 3
         [plugins.a-trap]
         component = \"trap.wasm\"
         delivery = { pause = \"1h\", longest_pause = \"1h\" }";
    let server = Site::new(configuration).with("trap.wasm", trapping_receiver()).serve();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let batch = |count: usize| {
        let events: Vec<_> = (0..count).map(|_| catalog_change(COURSE)).collect();
        server.send("POST", "/hooks/events", &headers, json!(events).to_string())
    };
    batch(3).json(202);
    let refused = batch(2);
    let problem = refused.problem(503, "events-backlog");
    assert!(problem["detail"].as_str().unwrap().contains("at most 3 may"), "{problem}");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1, "{refused:?}");
    assert_eq!(server.events("").len(), 3, "nothing of it was taken");
    assert_eq!(server.metric("hookbox_events_accepted_total", &[]), 3.0);
    server.until_failed_once(3);
    let discarded = server.ask_of_events("discard", &json!({"plugin": "a-trap"})).json(200);
    assert_eq!(discarded, json!({"changed": 3, "next": null, "dry_run": false}));
    server.until("there is room again", |_| batch(1).status == 202);
}

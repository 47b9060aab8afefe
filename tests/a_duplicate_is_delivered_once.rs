//! The same source and id is the same event: accepted each time, delivered once.

use serde_json::json;

use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_change, catalog_info, event};

const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";

fn received(server: &Server) -> usize {
    server.log().matches("has been updated!").count()
}

#[test]
fn an_event_that_is_sent_again_is_told_as_known() {
    let site = Site::empty();
    let server = site.serve();
    let first = event(ID, CATALOG_INFO, &catalog_info(COURSE));
    server.post_event(&first).json(202);
    let known = json!({"id": ID, "type": CATALOG_INFO, "receivers": 0, "duplicate": true});
    assert_eq!(server.post_event(&first).json(202)["accepted"], json!([known]));
    // Another spelling of the same id, and other data: the first one stays.
    let again = event(&ID.to_uppercase(), CATALOG_INFO, &catalog_info("course-v1:edX+Other+1"));
    let again = server.post_event(&again).json(202);
    assert_eq!(again["accepted"][0]["duplicate"], true, "{again}");
    // In order of arrival: when this one is received, all before it were.
    server.post_event(&catalog_change("course-v1:edX+Last+1")).json(202);
    server.logs(1, &["course-v1:edX+Last+1 has been updated!"]);
    assert_eq!(received(&server), 2, "{}", server.log());
    assert_eq!(server.events("").len(), 2);
    assert_eq!(server.metric("hookbox_events_duplicate_total", &[]), 2.0);

    // Also after a restart.
    server.kill();
    let server = site.serve();
    assert_eq!(server.post_event(&first).json(202)["accepted"], json!([known]));
}

#[test]
fn another_sender_may_have_the_same_id() {
    let server = Site::empty().serve();
    let first = event(ID, CATALOG_INFO, &catalog_info("course-v1:edX+First+1"));
    let mut second = event(ID, CATALOG_INFO, &catalog_info("course-v1:edX+Second+1"));
    second["source"] = json!("openedx/lms/web");
    for event in [&first, &second] {
        assert_eq!(server.post_event(event).json(202)["accepted"][0]["receivers"], 1);
    }
    server.logs(1, &["course-v1:edX+First+1 has been updated!"]);
    server.logs(1, &["course-v1:edX+Second+1 has been updated!"]);
}

#[test]
fn one_batch_may_hold_an_event_twice() {
    let server = Site::empty().serve();
    let one = event(ID, CATALOG_INFO, &catalog_info(COURSE));
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let answer = server.send("POST", "/hooks/events", &headers, json!([one, one]).to_string()).json(202);
    let accepted = answer["accepted"].as_array().unwrap();
    assert_eq!((&accepted[0]["receivers"], &accepted[1]["duplicate"]), (&json!(1), &json!(true)), "{answer}");
    assert_eq!(server.events("").len(), 1);
}

#[test]
fn the_command_tells_a_duplicate() {
    let site = Site::empty();
    let server = site.serve();
    let data = catalog_info(COURSE).to_string();
    let send = || {
        let arguments = ["event", "send", CATALOG_INFO, "--data", &data, "--id", ID, "--url", server.url()];
        site.run_on_data(&arguments).exits(0)
    };
    send().prints(&[&format!("accepted {ID} for 1 receiver(s)")]);
    send().prints(&[&format!("accepted {ID}: it is known already")]);
}

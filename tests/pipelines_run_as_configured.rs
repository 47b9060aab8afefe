//! A filter's pipeline has the configured steps in the configured order, and ends as upstream's do.

use serde_json::json;

use crate::support::guest::{echo_filter, sample};
use crate::support::{ABOUT_RENDER, ABOUT_URL, ENROLLMENT, OLD_URL, Site, about, enrollment, steps};

const TWO_OF_ONE: &str = r#"
[plugins.a-first]
component = "url.wasm"
settings = { path = "first" }
[plugins.b-second]
component = "url.wasm"
settings = { path = "second" }
"#;

fn site(more: &str) -> Site {
    Site::new(&format!("{TWO_OF_ONE}\n{more}")).with("url.wasm", sample("course-about-url"))
}

#[test]
fn without_a_pipeline_every_plugin_of_the_hook_runs_by_name() {
    let answer = site("").serve().filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("a-first", "proceeded"), ("b-second", "proceeded")]);
    assert_eq!(answer["kwargs"]["url"], "https://example.com/second/course-v1:edX+DemoX+Demo_Course");
    assert_eq!(answer["steps"][1]["changed"], json!(["url"]));
}

#[test]
fn a_pipeline_has_exactly_its_steps_in_its_order() {
    let both = site(&format!("[filters.\"{ABOUT_URL}\"]\npipeline = [\"b-second\", \"a-first\"]")).serve();
    let answer = both.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("b-second", "proceeded"), ("a-first", "proceeded")]);
    assert_eq!(answer["kwargs"]["url"], "https://example.com/first/course-v1:edX+DemoX+Demo_Course");
    // The other name has a pipeline of its own.
    let answer = both.filter(ABOUT_RENDER, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("a-first", "proceeded"), ("b-second", "proceeded")]);

    // Upstream's short form: a list of steps is the pipeline.
    let one = site(&format!("[filters]\n\"{ABOUT_URL}\" = [\"b-second\"]")).serve();
    assert_eq!(steps(&one.filter(ABOUT_URL, &about(OLD_URL)).json(200)), [("b-second", "proceeded")]);

    let none = site(&format!("[filters.\"{ABOUT_URL}\"]\npipeline = []")).serve();
    let answer = none.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer, json!({"outcome": "completed", "kwargs": about(OLD_URL), "steps": []}));
}

#[test]
fn a_type_of_ones_own_behaves_like_a_catalogued_one() {
    let server =
        site(&format!("[filters.\"org.example.page.v1\"]\nlike = \"{ABOUT_URL}\"\npipeline = [\"a-first\"]"))
            .serve();
    let answer = server.filter("org.example.page.v1", &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("a-first", "proceeded")]);
    assert_eq!(answer["kwargs"]["url"], "https://example.com/first/course-v1:edX+DemoX+Demo_Course");
    let problem = server.filter("org.example.page.v1", &json!({"url": 1, "org": "edX"}));
    assert_eq!(problem.problem(422, "argument")["path"], "url");
}

#[test]
fn a_generic_plugin_gets_the_hooks_that_the_configuration_names() {
    let configuration = format!(
        "[plugins.echo]\ncomponent = \"echo.wasm\"\nhooks = [\"{ABOUT_URL}\", \"org.example.free.v1\"]"
    );
    let server = Site::new(&configuration).with("echo.wasm", echo_filter()).serve();
    for filter_type in [ABOUT_URL, "org.example.free.v1"] {
        let answer = server.filter(filter_type, &about(OLD_URL)).json(200);
        let seen = json!({"type": filter_type, "arguments": about(OLD_URL)});
        assert_eq!(answer["kwargs"]["seen"], seen, "{answer}");
        assert_eq!(answer["steps"][0]["changed"], json!(["seen"]), "{answer}");
    }
    let answer = server.filter(ENROLLMENT, &enrollment("audit")).json(200);
    assert_eq!(steps(&answer), [], "a hook it was not given");
}

#[test]
fn a_step_that_halts_keeps_later_steps_from_running() {
    let configuration =
        "[plugins.a-halt]\ncomponent = \"halt.wasm\"\n[plugins.b-url]\ncomponent = \"url.wasm\"";
    let site = Site::new(configuration).with("halt.wasm", sample("test-panic"));
    let server = site.with("url.wasm", sample("course-about-url")).serve();
    let halting = about("https://lms.example.com/halt/course-v1:edX+DemoX+Demo_Course");
    let answer = server.filter(ABOUT_URL, &halting).json(200);
    assert_eq!(answer["outcome"], "halted");
    assert_eq!(answer["kwargs"], halting);
    assert_eq!(steps(&answer), [("a-halt", "halted")]);
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("a-halt", "proceeded"), ("b-url", "proceeded")]);
}

#[test]
fn what_was_accumulated_before_a_halt_is_the_answer() {
    let configuration = format!(
        "[plugins.halt]\ncomponent = \"halt.wasm\"
         [plugins.url]\ncomponent = \"url.wasm\"\nsettings = {{ path = \"halt\" }}
         [filters.\"{ABOUT_URL}\"]\npipeline = [\"url\", \"halt\", \"url\"]"
    );
    let site = Site::new(&configuration).with("halt.wasm", sample("test-panic"));
    let server = site.with("url.wasm", sample("course-about-url")).serve();
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer["outcome"], "halted");
    assert_eq!(steps(&answer), [("url", "proceeded"), ("halt", "halted")]);
    assert_eq!(answer["kwargs"]["url"], "https://example.com/halt/course-v1:edX+DemoX+Demo_Course");
}

#[test]
fn an_exception_of_the_filter_is_the_answer() {
    let guard =
        "[plugins.enrollment-guard]\nsettings = { modes = [\"verified\", \"honor\"] }\non_failure = \"skip\"";
    let server = Site::new(guard).serve();
    let answer = server.filter(ENROLLMENT, &enrollment("audit")).json(200);
    assert_eq!(answer["outcome"], "raised", "{answer}");
    assert_eq!(
        answer["exception"],
        json!({
            "class": "PreventEnrollment",
            "message": "Enrollment in mode audit is not open; open modes: verified, honor.",
            "redirect_to": "",
            "status_code": 403,
        })
    );
    assert!(answer.get("kwargs").is_none(), "{answer}");
    assert_eq!(steps(&answer), [("enrollment-guard", "raised")]);
    assert!(answer["steps"][0].get("failure").is_none(), "an exception is no failure: {answer}");

    let answer = server.filter(ENROLLMENT, &enrollment("honor")).json(200);
    assert_eq!((answer["outcome"].as_str(), &answer["kwargs"]), (Some("completed"), &enrollment("honor")));
}

#[test]
fn a_listed_plugin_that_is_not_live_is_skipped_with_a_warning_when_failing_silently() {
    let server = site(&format!("[filters.\"{ABOUT_URL}\"]\npipeline = [\"a-frist\", \"b-second\"]")).serve();
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(steps(&answer), [("b-second", "proceeded")]);

    let overview = server.get("/hooks/").json(200);
    let hooks = overview["hooks"].as_array().unwrap();
    let hook = hooks.iter().find(|hook| hook["type"] == ABOUT_URL).unwrap();
    let reason = "no live plugin has that name; did you mean a-first?";
    assert_eq!(hook["missing"], json!([{"plugin": "a-frist", "reason": reason}]), "{hook}");
    let warnings = overview["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].as_str().unwrap();
    assert!(
        warning.contains(ABOUT_URL) && warning.contains("a-frist") && warning.contains(reason),
        "{warning}"
    );
    server.logs(1, &["WARN", "a-frist", reason]);
}

#[test]
fn a_listed_plugin_that_is_not_live_stops_the_start_when_not_failing_silently() {
    let site = site(&format!(
        "[filters.\"{ABOUT_URL}\"]\npipeline = [\"a-frist\", \"b-second\"]\nfail_silently = false"
    ));
    let ran = site.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    ran.explains(&[
        ABOUT_URL,
        "pipeline lists \"a-frist\"",
        "did you mean a-first?",
        "fail_silently is false",
    ]);
    assert_eq!(ran.stdout, "", "it never was ready");
}

//! What the sample plugins promise, through the sandbox.

use std::sync::Arc;

use hookbox_hooks::{Catalogue, StepMetadata};
use hookbox_sandbox::{CallContext, CallFailure, PluginOptions, Role, Settings, TryOutError};
use serde_json::{Map, Value, json};

use crate::support::{
    AGES, CONTEXT, admit, arguments, call, new_url, object, only_function, options, plugin, prebuilt,
    sandbox, signature, written,
};

const URL: &str = "http://lms.test/courses/course-v1:edX+DemoX+Demo_Course/about";

#[tokio::test]
async fn the_about_page_moves_to_the_default_site() {
    let about = plugin(&sandbox(), &prebuilt("course-about-url"));
    about.try_out().await.unwrap();
    let answer = call(&about, URL).await.unwrap();
    let url = "https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course";
    assert_eq!(answer, Ok(json!({"proceed": {"url": url}})), "a value that stays is left out");
    assert_eq!(call(&about, "/about").await.unwrap(), Ok(json!({"proceed": {}})));
}

#[tokio::test]
async fn the_operator_s_settings_reach_the_plugin() {
    let sandbox = sandbox();
    let settings = Settings::new(object(json!({"redirect_domain": "site.test", "path": "about"})));
    let about = sandbox
        .plugin(&admit(&sandbox, &prebuilt("course-about-url")), PluginOptions { settings, ..options() });
    about.try_out().await.unwrap();
    assert_eq!(new_url(call(&about, URL).await), "https://site.test/about/course-v1:edX+DemoX+Demo_Course");
}

#[tokio::test]
async fn a_plugin_refuses_settings_in_its_own_words() {
    let sandbox = sandbox();
    let settings = Settings::new(object(json!({"redirect_domian": "site.test"})));
    let about = sandbox
        .plugin(&admit(&sandbox, &prebuilt("course-about-url")), PluginOptions { settings, ..options() });
    match about.try_out().await {
        Err(TryOutError::Settings(reason)) => assert!(reason.contains("`redirect_domian`"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plugin_that_cannot_start_fails_when_it_is_tried_out() {
    let stuck = plugin(&sandbox(), &written("large-from-the-start"));
    match stuck.try_out().await {
        Err(TryOutError::Call(failure)) => assert_eq!(failure.code(), "memory"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_panic_is_a_trap_with_its_place_and_message() {
    let panics = plugin(&sandbox(), &prebuilt("test-panic"));
    let failure = call(&panics, "/panic").await.unwrap_err();
    let CallFailure::Trap {
        function: Some(function), location: Some(location), message: Some(message), ..
    } = &failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!(function, "end_as_asked");
    assert!(location.contains("test-panic/src/lib.rs:"), "{location}");
    assert!(message.contains("the url was /panic"), "{message}");
    let failure = call(&panics, "/index").await.unwrap_err();
    assert!(failure.to_string().contains("index out of bounds"), "{failure}");
}

#[tokio::test]
async fn an_error_and_a_halt_are_answers() {
    let ends = plugin(&sandbox(), &prebuilt("test-panic"));
    assert_eq!(call(&ends, "/error").await.unwrap(), Err(json!({"error": "asked to fail"})));
    assert_eq!(call(&ends, "/halt").await.unwrap(), Ok(json!("halt")));
}

#[tokio::test]
async fn a_guard_raises_the_filter_s_exception() {
    let sandbox = sandbox();
    let settings = Settings::new(object(json!({"modes": ["verified"]})));
    let guard = sandbox
        .plugin(&admit(&sandbox, &prebuilt("enrollment-guard")), PluginOptions { settings, ..options() });
    let Err(raised) = call(&guard, "/").await.unwrap() else { panic!("an audit learner got in") };
    assert_eq!(raised["PreventEnrollment"]["status_code"], json!(403), "{raised}");
}

#[tokio::test]
async fn a_receiver_takes_an_event() {
    let logger = plugin(&sandbox(), &prebuilt("catalog-logger"));
    let event = object(json!({
        "catalog_info": {
            "course_key": "course-v1:edX+DemoX+Demo_Course",
            "name": "Demo",
            "schedule_data": {"start": "2026-01-02T03:04:05+00:00", "pacing": "self"},
        },
        "metadata": {
            "id": "0190a3c1-2d4e-7a10-8b1c-1f2e3d4c5b6a",
            "event_type": "org.openedx.content_authoring.course.catalog_info.changed.v1",
            "minorversion": 0, "source": "openedx/cms/web", "sourcehost": "cms.test",
            "time": "2026-01-02T03:04:05+00:00", "sourcelib": [11, 0, 0], "attempt": 1,
        },
    }));
    let answer = logger.call(only_function(&logger), &event, Arc::default(), AGES).await.unwrap();
    assert_eq!(answer, Ok(Value::Null));
}

#[tokio::test]
async fn json_comes_back_as_it_went_in() {
    let echo = plugin(&sandbox(), &written("echo-context"));
    for context in [
        json!({}),
        json!(null),
        json!("just \"text\" \\ \u{0} ü 🦀"),
        json!({"b": 1, "a": [true, null, 0.1, -9007199254740993_i64, 18446744073709551615_u64], "": {"x": "}{]["}}),
    ] {
        let arguments = object(json!({"context": context}));
        let answer = echo.call(only_function(&echo), &arguments, Arc::default(), AGES).await.unwrap();
        assert_eq!(answer.unwrap()["proceed"]["context"].to_string(), context.to_string());
    }
}

#[tokio::test]
async fn an_argument_that_does_not_fit_is_the_caller_s_fault() {
    let about = plugin(&sandbox(), &prebuilt("course-about-url"));
    for (given, path, found) in [
        (json!({"url": 5, "org": "edX"}), "url", "the number 5"),
        (json!({"url": null, "org": "edX"}), "url", "null"),
        (json!({"url": "/"}), "org", "nothing"),
    ] {
        let called = about.call(only_function(&about), &object(given), Arc::default(), AGES).await;
        match called {
            Err(CallFailure::Argument(mismatch)) => {
                assert_eq!((mismatch.path.as_str(), mismatch.found.as_str()), (path, found));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_guest_can_ask_about_the_call_it_is_in() {
    let asks = plugin(&sandbox(), &written("asks-about-the-call"));
    let metadata = StepMetadata {
        filter_type: "org.example.about.v1".into(),
        running_pipeline: vec!["one".into(), "two".into()],
        extra_config: object(json!({"log_level": "info"})),
    };
    for (context, expected) in [
        (CallContext { filter: Some(metadata), delivery: None }, "org.example.about.v1"),
        (CallContext::default(), "tried"),
    ] {
        let answer = asks.call(only_function(&asks), &arguments("/"), Arc::new(context), AGES).await;
        assert_eq!(new_url(answer), expected);
    }
}

#[tokio::test]
async fn a_report_says_who_and_what_a_component_is() {
    let sandbox = sandbox();
    let admitted = admit(&sandbox, &prebuilt("course-about-url"));
    let report = admitted.report();
    assert_eq!(report.metadata.name.as_deref(), Some("course-about-url"));
    assert!(report.metadata.version.is_some());
    let hooks: Vec<&str> = report
        .exports
        .iter()
        .filter(|export| export.role == Role::Hook)
        .map(|export| export.interface.as_str())
        .collect();
    assert_eq!(
        hooks,
        [
            "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0",
            "hookbox:plugin/lifecycle@1.0.0"
        ]
    );
    assert!(report.imports.iter().any(|import| import.starts_with("wasi:config/store@")));
}

#[tokio::test]
async fn a_function_is_found_for_the_hooks_a_component_exports_and_no_others() {
    let echo = plugin(&sandbox(), &written("echo-context"));
    for hook in Catalogue::embedded().hooks() {
        assert_eq!(echo.function(hook.signature()).is_some(), hook.hook_type() == CONTEXT);
    }
    assert_eq!(signature(CONTEXT).params.len(), 1);
    let nothing: Map<String, Value> = Map::new();
    let called = echo.call(only_function(&echo), &nothing, Arc::default(), AGES).await;
    assert_eq!(called.unwrap_err().code(), "argument");
}

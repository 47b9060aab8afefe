//! A hostile guest gets a typed failure within its time, others go on, and what it held comes back.

use std::sync::Arc;
use std::time::Duration;

use hookbox_sandbox::{Answer, CallFailure, Grant, Granting, Grants, Limit, Limits, PluginOptions};

use crate::support::{
    AGES, admit, beside_a_good_one, call, call_within, contract, host_log, new_url, only_function, options,
    plugin, sandbox, until, written,
};

/// What a guest that never ends by itself gets.
const BUDGET: Duration = Duration::from_millis(500);

/// Calls the guest while a good one is called.
async fn call_beside_a_good_one(name: &str, limits: Limits, time: Duration) -> Result<Answer, CallFailure> {
    let sandbox = sandbox();
    let evil = sandbox.plugin(&admit(&sandbox, &written(name)), PluginOptions { limits, ..options() });
    beside_a_good_one(&sandbox, call_within(&evil, "/", time)).await
}

/// The failure of a guest that ends long before its time.
async fn failure_of(name: &str) -> CallFailure {
    call_beside_a_good_one(name, Limits::default(), AGES).await.expect_err("it must fail")
}

/// The failure of a guest that never ends.
async fn failure_in_time(name: &str) -> CallFailure {
    call_beside_a_good_one(name, Limits::default(), BUDGET).await.expect_err("it must fail")
}

/// The limit, and the innermost function when it was reached.
fn limit(failure: &CallFailure) -> (Limit, Option<&str>) {
    match failure {
        CallFailure::Limit(report) => (report.limit, report.function.as_deref()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_loop_in_the_call_ends_with_the_time() {
    let failure = failure_in_time("loop-in-call").await;
    assert_eq!(limit(&failure), (Limit::Time, Some("run-filter")));
    assert!(failure.to_string().contains("500 ms allowed"), "{failure}");
}

#[tokio::test]
async fn a_loop_in_the_start_function_ends_with_the_time() {
    assert_eq!(limit(&failure_in_time("loop-in-start").await), (Limit::Time, Some("prepare")));
}

#[tokio::test]
async fn a_loop_in_realloc_ends_with_the_time() {
    assert_eq!(limit(&failure_in_time("loop-in-realloc").await), (Limit::Time, Some("allocate")));
}

#[tokio::test]
async fn a_loop_in_post_return_ends_with_the_time() {
    assert_eq!(limit(&failure_in_time("loop-in-post-return").await), (Limit::Time, Some("clean-up")));
}

#[tokio::test]
async fn a_guest_that_ignores_refused_memory_ends_with_the_time() {
    assert_eq!(limit(&failure_in_time("memory-refused-twice").await), (Limit::Time, Some("run-filter")));
}

#[tokio::test]
async fn a_sleeping_guest_ends_with_the_time() {
    assert_eq!(limit(&failure_in_time("sleeps-for-ever").await).0, Limit::Time);
}

#[tokio::test]
async fn recursion_ends_with_the_stack() {
    assert_eq!(limit(&failure_of("recursion").await), (Limit::Stack, Some("deeper")));
}

#[tokio::test]
async fn a_memory_bomb_ends_with_the_memory() {
    let failure = failure_of("memory-bomb").await;
    assert_eq!(limit(&failure), (Limit::Memory, Some("allocate-more")));
    assert!(failure.to_string().contains("67108864 bytes allowed"), "{failure}");
}

#[tokio::test]
async fn two_memories_count_together() {
    assert_eq!(limit(&failure_of("two-memories").await).0, Limit::Memory);
    assert_eq!(limit(&failure_of("two-memories-grow").await), (Limit::Memory, Some("allocate-more")));
}

#[tokio::test]
async fn memory_from_the_start_counts() {
    assert_eq!(limit(&failure_of("large-from-the-start").await).0, Limit::Memory);
}

#[tokio::test]
async fn a_table_bomb_ends_with_the_table_elements() {
    assert_eq!(limit(&failure_of("table-bomb").await), (Limit::TableElements, Some("register-more")));
}

#[tokio::test]
async fn a_huge_answer_or_host_call_ends_with_the_bytes_that_may_cross() {
    assert_eq!(limit(&failure_of("huge-answer").await).0, Limit::AnswerBytes);
    assert_eq!(limit(&failure_of("huge-host-call").await).0, Limit::AnswerBytes);
}

#[tokio::test]
async fn calls_into_the_host_are_counted() {
    let failure = failure_of("calls-the-host-in-a-loop").await;
    assert_eq!(limit(&failure), (Limit::HostCalls, Some("read-settings")));
    assert!(failure.to_string().contains("1000 calls into the host allowed"), "{failure}");
    assert_eq!(limit(&failure_of("reads-the-clock-in-a-loop").await).0, Limit::HostCalls);
}

#[tokio::test]
async fn what_ends_a_call_is_told_also_after_something_else_was_refused() {
    for (name, ended_by) in [
        ("refused-memory-and-writes-for-ever", Limit::HostCalls),
        ("refused-memory-and-takes-random-bytes", Limit::RandomBytes),
    ] {
        assert_eq!(limit(&failure_of(name).await).0, ended_by, "{name}");
    }
}

#[tokio::test]
async fn handles_are_counted() {
    assert_eq!(limit(&failure_of("leaks-handles").await).0, Limit::Handles);
}

#[tokio::test]
async fn a_trap_names_its_reason_and_its_functions() {
    let CallFailure::Trap { reason, function, backtrace, message, .. } = failure_of("trap").await else {
        panic!("not a trap")
    };
    assert!(reason.contains("unreachable"), "{reason}");
    assert_eq!(function.as_deref(), Some("give-up"));
    assert_eq!(backtrace, ["give-up", "run-filter"]);
    assert_eq!(message, None);
    let failure = failure_of("read-out-of-bounds").await;
    assert!(
        matches!(&failure, CallFailure::Trap { reason, .. } if reason.contains("out of bounds")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_a_guest_says_as_it_dies_is_in_the_failure() {
    for (guest, said) in [("last-words", "the tank is empty"), ("last-words-on-stderr", "out of cheese")] {
        let failure = failure_of(guest).await;
        assert!(
            matches!(&failure, CallFailure::Trap { message: Some(message), .. } if message == said),
            "{guest}: {failure:?}"
        );
        assert!(failure.to_string().contains(said), "{failure}");
    }
}

#[tokio::test]
async fn an_exit_is_a_failure_of_its_own() {
    assert_eq!(failure_of("exit").await, CallFailure::Exit { status: 1 });
}

#[tokio::test]
async fn gigabytes_of_random_bytes_are_refused() {
    assert_eq!(limit(&failure_of("random-gigabytes").await), (Limit::RandomBytes, Some("run-filter")));
    let failure = failure_of("random-in-small-portions").await;
    assert_eq!(limit(&failure).0, Limit::RandomBytes);
    assert!(failure.to_string().contains("65536 bytes allowed, 66560 wanted"), "{failure}");
}

#[tokio::test]
async fn the_clock_is_coarse_unless_a_fine_one_is_granted() {
    let sandbox = sandbox();
    let coarse = plugin(&sandbox, &written("times-the-host"));
    assert_eq!(new_url(call(&coarse, "/").await), "", "no two readings are nearer than a millisecond");
    let grants = Grants::new([Grant::FineClock]);
    let admitted = sandbox.admit(&written("times-the-host"), &contract(), &Granting::These(&grants)).unwrap();
    assert_eq!(new_url(call(&sandbox.plugin(&admitted, options()), "/").await), "fine");
}

#[tokio::test]
async fn all_calls_of_a_plugin_share_a_rate_of_log_lines() {
    let sandbox = sandbox();
    let limits = Limits { log_bytes: 1 << 20, log_bytes_per_second: 1 << 10, ..Limits::default() };
    let chatty =
        sandbox.plugin(&admit(&sandbox, &written("floods-the-log")), PluginOptions { limits, ..options() });
    for _ in 0..3 {
        assert!(matches!(call(&chatty, "/").await, Ok(Ok(_))), "calls go on");
    }
    let written = host_log();
    // Ten seconds' worth, and what a slow machine's clock gives back meanwhile.
    assert!(written.len() < 64 << 10, "{} bytes", written.len());
    assert!(written.contains("log rate reached"), "{written}");
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_cannot_forge_lines() {
    let answer = call_beside_a_good_one("floods-the-log", Limits::default(), AGES).await;
    assert!(matches!(answer, Ok(Ok(_))), "the call goes on: {answer:?}");
    let written = host_log();
    assert!(written.contains("wiped"), "{written}");
    assert!(written.len() < 32 << 10, "{} bytes", written.len());
    assert!(!written.contains('\u{1b}'), "an escape sequence got through");
    assert!(
        !written.lines().any(|line| line.starts_with("hookbox: all is well")),
        "a forged line got through"
    );
    assert_eq!(written.matches("its further lines are dropped").count(), 1);
}

#[tokio::test]
async fn a_raised_limit_is_honoured() {
    let raised = Limits {
        memory_bytes: 256 << 20,
        table_elements: 50_000,
        answer_bytes: 64 << 20,
        ..Limits::default()
    };
    for guest in ["large-from-the-start", "two-memories", "huge-answer"] {
        let answer = call_beside_a_good_one(guest, raised.clone(), AGES).await;
        assert!(matches!(answer, Ok(Ok(_))), "{guest}: {answer:?}");
    }
    let failure = call_beside_a_good_one("table-bomb", raised.clone(), AGES).await.unwrap_err();
    assert!(failure.to_string().contains("50000 table elements allowed"), "{failure}");
    let more = Limits { host_calls: 20_000, ..raised };
    let answer = call_beside_a_good_one("calls-the-host-in-a-loop", more, AGES).await;
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
}

#[tokio::test]
async fn a_lowered_limit_is_honoured() {
    let lowered = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let failure = call_beside_a_good_one("memory-bomb", lowered, AGES).await.unwrap_err();
    assert!(failure.to_string().contains("1048576 bytes allowed"), "{failure}");
}

#[tokio::test]
async fn a_caller_who_goes_away_frees_the_slot() {
    let sandbox = sandbox();
    for guest in ["loop-in-call", "sleeps-for-ever"] {
        let evil = plugin(&sandbox, &written(guest));
        let alive = || sandbox.pool_use().map_or(0, |pool| pool.component_instances);
        let before = alive();
        let function = only_function(&evil);
        let arguments = crate::support::arguments("/");
        let running = tokio::spawn(async move {
            let _ = evil.call(function, &arguments, Arc::default(), AGES * 10).await;
        });
        if sandbox.pool_use().is_some() {
            until("it runs", || alive() > before).await;
        }
        running.abort();
        let _ = running.await;
        until("its slot is free", || alive() == before).await;
    }
}

//! Nobody takes every slot: calls queue, wait no longer than their time, and get room as soon as there is some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_sandbox::{CallFailure, Isolation, Limits, Plugin, PluginOptions, Sandbox, SandboxOptions};
use tokio::task::JoinSet;

use crate::support::{AGES, admit, call, call_within, options, plugin, prebuilt, sandbox, until, written};

fn crowded(sandbox: &Sandbox, bytes: &[u8], concurrent_calls: usize, isolation: Isolation) -> Arc<Plugin> {
    let limits = Limits { concurrent_calls, ..Limits::default() };
    Arc::new(sandbox.plugin(&admit(sandbox, bytes), PluginOptions { limits, isolation, ..options() }))
}

/// Starts calls that run side by side.
fn start(
    calls: &mut JoinSet<Result<hookbox_sandbox::Answer, CallFailure>>,
    plugin: &Arc<Plugin>,
    how_many: usize,
) {
    for _ in 0..how_many {
        let plugin = Arc::clone(plugin);
        calls.spawn(async move { call_within(&plugin, "/courses/course-v1:a+b+c/about", AGES * 3).await });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_calls_at_once_all_answer() {
    let sandbox = sandbox();
    for isolation in [Isolation::Call, Isolation::Reuse { max_calls: 20 }] {
        for concurrent_calls in [2, 1_000] {
            let about = crowded(&sandbox, &prebuilt("course-about-url"), concurrent_calls, isolation);
            let mut calls = JoinSet::new();
            start(&mut calls, &about, 200);
            while let Some(answer) = calls.join_next().await {
                answer.unwrap().unwrap().unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_call_whose_turn_does_not_come_says_so() {
    let sandbox = sandbox();
    let busy = crowded(&sandbox, &written("sleeps-for-ever"), 1, Isolation::Call);
    let (first, second) = tokio::join!(
        call_within(&busy, "/", Duration::from_secs(1)),
        call_within(&busy, "/", Duration::from_millis(50)),
    );
    assert_eq!(first.unwrap_err().code(), "time");
    let second = second.unwrap_err();
    assert!(matches!(second, CallFailure::Overloaded { .. }), "{second:?}");
    assert!(second.to_string().contains("50 ms"), "{second}");
}

#[tokio::test]
async fn a_full_plugin_leaves_room_for_others() {
    let sandbox = sandbox();
    let greedy =
        crowded(&sandbox, &written("eight-memories"), Limits::default().concurrent_calls, Isolation::Call);
    let mut calls = JoinSet::new();
    start(&mut calls, &greedy, 100);
    if sandbox.pool_use().is_some() {
        let most = Limits::default().concurrent_calls as u64;
        until("it has all it can get", || {
            sandbox.pool_use().is_some_and(|pool| pool.component_instances == most)
        })
        .await;
    }
    let about = crowded(&sandbox, &prebuilt("course-about-url"), 32, Isolation::Call);
    call(&about, "/").await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_instance_gives_way_to_a_call_that_waits() {
    let sandbox = sandbox();
    let sleeps = crowded(&sandbox, &written("sleeps-for-ever"), 34, Isolation::Call);
    let naps = crowded(&sandbox, &written("nap"), 30, Isolation::Reuse { max_calls: 1_000 });
    let about = crowded(&sandbox, &prebuilt("course-about-url"), 1, Isolation::Call);
    let mut calls = JoinSet::new();
    start(&mut calls, &sleeps, 34);
    start(&mut calls, &naps, 30);
    if sandbox.pool_use().is_some() {
        until("every slot is taken", || {
            sandbox.pool_use().is_some_and(|pool| pool.component_instances == 64)
        })
        .await;
    }
    call_within(&about, "/", AGES / 2).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_waited_most_of_its_time_blames_the_host() {
    let sandbox = sandbox();
    let busy = crowded(&sandbox, &written("sleeps-for-ever"), 1, Isolation::Call);
    let (first, second) = tokio::join!(
        call_within(&busy, "/", Duration::from_millis(600)),
        call_within(&busy, "/", Duration::from_millis(1_000)),
    );
    assert_eq!(first.unwrap_err().code(), "time");
    let second = second.unwrap_err();
    assert_eq!(second.code(), "overloaded", "{second}");
    assert!(second.to_string().contains("turn"), "{second}");
}

#[tokio::test]
async fn who_finds_the_queue_full_is_told_at_once() {
    let sandbox = sandbox();
    let admitted = admit(&sandbox, &written("sleeps-for-ever"));
    let limits = Limits { concurrent_calls: 1, queued_calls: 1, ..Limits::default() };
    let busy = sandbox.plugin(&admitted, PluginOptions { limits, ..options() });
    let time = Duration::from_millis(500);
    let third = async {
        let before = Instant::now();
        let answer = call_within(&busy, "/", AGES).await;
        (answer, before.elapsed())
    };
    let (first, second, (third, took)) =
        tokio::join!(call_within(&busy, "/", time), call_within(&busy, "/", 3 * time), third);
    assert_eq!(first.unwrap_err().code(), "time");
    assert_eq!(second.unwrap_err().code(), "time", "it waited for its turn, and had one");
    let third = third.unwrap_err();
    assert_eq!(third.code(), "overloaded");
    assert!(
        third.to_string().contains("1 calls of it wait") && third.to_string().contains("limits.queued_calls")
    );
    assert!(took < time, "it was told only after {took:?}");
}

#[tokio::test]
async fn a_plugin_without_a_slot_waits_its_time_and_gets_the_first_that_is_free() {
    let sandbox = sandbox();
    let greedy: Vec<_> =
        (0..2).map(|_| crowded(&sandbox, &written("sleeps-for-ever"), 32, Isolation::Call)).collect();
    let mut calls = JoinSet::new();
    for plugin in &greedy {
        start(&mut calls, plugin, 32);
    }
    // On one thread every call has its slot, or waits for one, once each task was polled.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    if let Some(pool) = sandbox.pool_use() {
        assert_eq!(pool.component_instances, 64, "every slot is taken");
    }
    let third = crowded(&sandbox, &prebuilt("course-about-url"), 1, Isolation::Call);
    let late = call_within(&third, "/", Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(late.code(), "overloaded");
    let freed = async {
        tokio::task::yield_now().await;
        calls.abort_all();
        while calls.join_next().await.is_some() {}
    };
    let (answer, ()) = tokio::join!(call_within(&third, "/", AGES), freed);
    answer.unwrap().unwrap();
}

#[tokio::test]
async fn plugins_together_have_no_more_memory_than_they_may() {
    let options_of = SandboxOptions { guest_memory_bytes: Some(48 << 20), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options_of).unwrap();
    let hungry = plugin(&sandbox, &written("memory-bomb"));
    let failure = call(&hungry, "/").await.unwrap_err();
    assert!(matches!(failure, CallFailure::Overloaded { .. }), "the host is to blame: {failure:?}");
    assert!(failure.to_string().contains("50331648 bytes"), "{failure}");
    assert_eq!(sandbox.guest_memory().used_bytes, 0, "it is given back");
    let about = plugin(&sandbox, &prebuilt("course-about-url"));
    assert!(call(&about, "/courses/course-v1:a+b+c/about").await.is_ok(), "there is room for others again");

    // Its own limit is below the host's: then it is the plugin's own doing.
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    let hungry =
        sandbox.plugin(&admit(&sandbox, &written("memory-bomb")), PluginOptions { limits, ..options() });
    assert_eq!(call(&hungry, "/").await.unwrap_err().code(), "memory");
    assert_eq!(sandbox.guest_memory().used_bytes, 0);
}

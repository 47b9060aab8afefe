//! What one call does is gone in the next, except where the operator chose otherwise; then it is said and bounded.

use hookbox_sandbox::{CallFailure, Isolation, Limits, Plugin, PluginOptions, Sandbox};

use crate::support::{admit, call, host_log, new_url, options, sandbox, written};

fn reused(sandbox: &Sandbox, guest: &str, max_calls: u32) -> Plugin {
    let isolation = Isolation::Reuse { max_calls };
    sandbox.plugin(&admit(sandbox, &written(guest)), PluginOptions { isolation, ..options() })
}

/// How often the instance that answers was called before.
async fn calls_before(counter: &Plugin) -> usize {
    new_url(call(counter, "/").await).len()
}

#[tokio::test]
async fn state_does_not_survive_a_call() {
    let sandbox = sandbox();
    let counter = sandbox.plugin(&admit(&sandbox, &written("counter")), options());
    for _ in 0..3 {
        assert_eq!(calls_before(&counter).await, 0);
    }
}

#[tokio::test]
async fn state_survives_where_instances_are_reused_up_to_a_number_nobody_can_build_on() {
    let counter = reused(&sandbox(), "counter", 8);
    let mut lives = Vec::new();
    let mut last = 0;
    for at in 0..400 {
        let before = calls_before(&counter).await;
        if at > 0 && before == 0 {
            lives.push(last + 1);
        } else if at > 0 {
            assert_eq!(before, last + 1);
        }
        last = before;
    }
    assert!(lives.iter().all(|calls| (4..=8).contains(calls)), "{lives:?}");
    assert!(lives.iter().any(|calls| calls != &lives[0]), "always {} calls", lives[0]);
}

#[tokio::test]
async fn an_instance_is_not_used_again_after_a_trap() {
    let counter = reused(&sandbox(), "counter", 1_000_000);
    assert_eq!(calls_before(&counter).await, 0);
    assert_eq!(calls_before(&counter).await, 1);
    assert!(matches!(call(&counter, "!").await, Err(CallFailure::Trap { .. })));
    assert_eq!(calls_before(&counter).await, 0);
}

#[tokio::test]
async fn two_plugins_of_one_component_share_no_instance() {
    let sandbox = sandbox();
    let (one, two) = (reused(&sandbox, "counter", 1_000), reused(&sandbox, "counter", 1_000));
    assert_eq!(calls_before(&one).await, 0);
    assert_eq!(calls_before(&two).await, 0);
    assert_eq!(calls_before(&one).await, 1);
}

#[tokio::test]
async fn a_plugin_that_is_gone_holds_no_instance() {
    let sandbox = sandbox();
    let before = sandbox.pool_use().map(|pool| pool.component_instances);
    let counter = reused(&sandbox, "counter", 1_000);
    calls_before(&counter).await;
    assert_eq!(sandbox.pool_use().map(|pool| pool.component_instances), before.map(|alive| alive + 1));
    drop(counter);
    assert_eq!(sandbox.pool_use().map(|pool| pool.component_instances), before);
}

#[tokio::test]
async fn a_reused_instance_gets_its_budgets_anew_in_every_call() {
    let sandbox = sandbox();
    let limits = Limits { host_calls: 900, ..Limits::default() };
    let isolation = Isolation::Reuse { max_calls: 1_000 };
    let chatty = sandbox.plugin(
        &admit(&sandbox, &written("floods-the-log")),
        PluginOptions { limits, isolation, ..options() },
    );
    for _ in 0..3 {
        call(&chatty, "/").await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_a_guest_keeps_speaks_for_the_call_it_is_in() {
    let sandbox = sandbox();
    let limits = Limits { log_bytes: 100, ..Limits::default() };
    let isolation = Isolation::Reuse { max_calls: 1_000 };
    let keeps = sandbox
        .plugin(&admit(&sandbox, &written("keeps-stderr")), PluginOptions { limits, isolation, ..options() });
    for _ in 0..10 {
        call(&keeps, "half of what one call may log, and a little more").await.unwrap().unwrap();
    }
    assert_eq!(host_log().matches("half of what one call").count(), 10);
    match call(&keeps, "!the last one").await {
        Err(CallFailure::Trap { message, .. }) => assert_eq!(message.as_deref(), Some("!the last one")),
        other => panic!("{other:?}"),
    }
}

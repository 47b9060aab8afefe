//! Trials of real components in pipelines and receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hookbox_hooks::{EventMetadata, OnFailure, ReceivedEvent};
use hookbox_sandbox::{
    Granting, Grants, Isolation, Limits, PluginOptions, Sandbox, SandboxOptions, Settings,
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::breaker::QuarantineRule;
use crate::circuit::Circuit;
use crate::generation::{Generation, LivePlugin, Parts};
use crate::load::contract;
use crate::pipeline::{FilterRun, StepOutcome};
use crate::receiver::Receipt;
use crate::settings::FiltersTable;

const FILTER: &str = "org.example.tried.v1";
const REGISTRATION: &str = "org.openedx.learning.student.registration.requested.v1";
const EVENT: &str = "org.example.happened.v1";
/// Far more than anything here may take.
const AGES: Duration = Duration::from_secs(60);

/// A component with one generic function.
fn component(interface: &str, function: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#";; export hookbox:plugin/{interface}@1.0.0;
        (module
            (memory (export "memory") 17)
            (global $free (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func (export "hookbox:plugin/{interface}@1.0.0#{function}) {body} (i32.const 1024)))"#
    );
    hookbox_hostile::component(&text).unwrap()
}

fn step(body: &str) -> Vec<u8> {
    component("any-filter", r#"run-filter") (param i32 i32 i32 i32) (result i32"#, body)
}

fn receiver(body: &str) -> Vec<u8> {
    component("any-event", r#"receive") (param i32) (result i32"#, body)
}

/// Writes a text's address and length where an answer has them.
fn text(text: &str) -> String {
    let bytes: String = text
        .bytes()
        .enumerate()
        .map(|(at, byte)| format!("(i32.store8 (i32.const {}) (i32.const {byte}))", 4096 + at))
        .collect();
    format!(
        "{bytes}(i32.store (i32.const 1032) (i32.const 4096)) (i32.store (i32.const 1036) (i32.const {}))",
        text.len()
    )
}

fn proceeds(changes: &Value) -> Vec<u8> {
    step(&text(&changes.to_string()))
}

fn endless() -> Vec<u8> {
    step("(loop $again (br $again))")
}

fn live(sandbox: &Sandbox, bytes: &[u8]) -> Arc<LivePlugin> {
    let admitted = sandbox.admit(bytes, &contract(), &Granting::These(&Grants::default())).unwrap();
    let limits = Limits { filter_time_ms: 60_000, ..Limits::default() };
    let name = "tried".to_owned();
    let options = PluginOptions { name, settings: Settings::default(), limits, isolation: Isolation::Call };
    let plugin = sandbox.plugin(&admitted, options);
    let rule = QuarantineRule { failures: 3, pause: AGES, longest_pause: AGES };
    Arc::new(LivePlugin {
        digest: plugin.report().digest.to_string(),
        plugin,
        on_failure: OnFailure::Skip,
        hooks: [FILTER, REGISTRATION, EVENT].map(str::to_owned).into(),
        origin: "a test".into(),
        release: 0,
        delivery: crate::settings::DeliveryRule::default(),
        terms: crate::candidate::Terms::default(),
        circuit: Circuit::new("tried", Some(rule)),
    })
}

fn plan(kind: TrialKind, percent: f64) -> TrialPlan {
    TrialPlan {
        release: 2,
        kind,
        percent,
        rule: None,
        values: true,
        began_at: OffsetDateTime::UNIX_EPOCH,
        began_by: "ada".into(),
    }
}

struct Tried {
    generation: Generation,
    trial: Arc<Trial>,
    verdicts: UnboundedReceiver<TrialVerdict>,
}

impl Tried {
    /// A generation in which the second component is tried beside the first, in a pipeline that has it `times` times.
    fn new(first: &[u8], second: &[u8], plan: TrialPlan, times: usize) -> Self {
        let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
        let (send, verdicts) = unbounded_channel();
        let trial = Trial::new(plan, live(&sandbox, second), send);
        let parts = Parts {
            plugins: BTreeMap::from([("tried".to_owned(), live(&sandbox, first))]),
            trials: BTreeMap::from([("tried".to_owned(), Arc::clone(&trial))]),
            ..Parts::default()
        };
        let mut tables = FiltersTable::new();
        if times > 1 {
            tables
                .insert(FILTER.to_owned(), json!({"pipeline": vec!["tried"; times], "fail_silently": true}));
        }
        let generation = Generation::build(1, parts, &tables).unwrap();
        Self { generation, trial, verdicts }
    }

    async fn run(&self) -> FilterRun {
        let kwargs = Map::from_iter([("url".to_owned(), "/old".into())]);
        self.generation.pipeline(FILTER).unwrap().run(kwargs).await.unwrap()
    }

    async fn deliver(&self) -> Receipt {
        let metadata = EventMetadata {
            id: "22f8b1a8-2c4f-11ee-8f1e-0242ac120002".into(),
            event_type: EVENT.into(),
            minorversion: 0,
            source: "lms".into(),
            sourcehost: String::new(),
            time: OffsetDateTime::UNIX_EPOCH,
            sourcelib: Vec::new(),
        };
        let event = ReceivedEvent { metadata, data: json!({}), extensions: Map::new() };
        self.generation.receivers(EVENT).unwrap()[0].deliver(&event, 1).await.receipt
    }

    fn digest(&self) -> &str {
        &self.trial.candidate.digest
    }

    /// What was counted once so much was.
    async fn until(&self, enough: impl Fn(&TrialCounts) -> bool) -> TrialCounts {
        let counted = async {
            loop {
                let counts = self.trial.view().counts;
                if enough(&counts) {
                    return counts;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(AGES, counted).await.expect("the calls are counted")
    }
}

#[tokio::test]
async fn a_canary_of_all_calls_answers_them_and_is_named() {
    let (one, two) = (proceeds(&json!({"url": "/1"})), proceeds(&json!({"url": "/2"})));
    let tried = Tried::new(&one, &two, plan(TrialKind::Canary, 100.0), 1);
    for _ in 0..3 {
        let run = tried.run().await;
        assert_eq!(run.kwargs["url"], "/2");
        assert_eq!(run.steps[0].digest, tried.digest());
    }
    let expected = TrialCounts { calls: 3, ..TrialCounts::default() };
    assert_eq!(tried.trial.view().counts, expected);
    let hook = tried.generation.hook(FILTER).unwrap();
    let reason = &hook.plugins[0].reason;
    assert!(reason.ends_with("; release 2 answers 100 of 100 calls"), "{reason}");
}

#[tokio::test]
async fn a_plugin_that_stands_twice_in_a_pipeline_answers_with_one_release_in_one_run() {
    let (one, two) = (proceeds(&json!({"url": "/1"})), proceeds(&json!({"url": "/2"})));
    let tried = Tried::new(&one, &two, plan(TrialKind::Canary, 50.0), 3);
    let mut seen = BTreeSet::new();
    for run in 0..400 {
        let run_steps = tried.run().await.steps;
        let digests: BTreeSet<_> = run_steps.into_iter().map(|step| step.digest).collect();
        assert_eq!(digests.len(), 1, "run {run} mixed releases");
        seen.extend(digests);
    }
    assert_eq!(seen.len(), 2, "both releases answered");
}

#[tokio::test]
async fn a_canary_that_fails_fails_its_call_and_is_counted() {
    let rule = Some(TrialRule { calls: 100, differences: 1 });
    let plan = TrialPlan { rule, ..plan(TrialKind::Canary, 100.0) };
    let mut tried = Tried::new(&proceeds(&json!({"url": "/1"})), &step("unreachable"), plan, 1);
    for _ in 0..4 {
        let run = tried.run().await;
        assert_eq!(run.steps[0].outcome, StepOutcome::Skipped);
        assert_eq!(run.kwargs["url"], "/old", "the live release does not stand in");
    }
    let expected = TrialCounts { calls: 4, failed: 4, ..TrialCounts::default() };
    assert_eq!(tried.trial.view().counts, expected);
    let verdict = tried.verdicts.try_recv().unwrap();
    assert_eq!((verdict.end, verdict.counts.failed, verdict.release), (TrialEnd::RollBack, 2, 2));
    tried.verdicts.try_recv().unwrap_err();
}

#[tokio::test]
async fn a_shadow_that_answers_the_same_is_promoted_once() {
    let rule = Some(TrialRule { calls: 3, differences: 0 });
    let one = proceeds(&json!({"url": "/1"}));
    let again = step(&(text("{\"url\": \"/1\"}") + "(drop (i32.const 0))"));
    let mut tried = Tried::new(&one, &again, TrialPlan { rule, ..plan(TrialKind::Shadow, 100.0) }, 1);
    for number in 1..=6 {
        let run = tried.run().await;
        assert_ne!(run.steps[0].digest, tried.digest());
        tried.until(|counts| counts.calls == number).await;
    }
    let expected = TrialCounts { calls: 6, equal: 6, ..TrialCounts::default() };
    assert_eq!(tried.trial.view().counts, expected);
    let verdict = tried.verdicts.try_recv().unwrap();
    assert_eq!((verdict.end, verdict.counts.calls), (TrialEnd::Promote, 3));
    tried.verdicts.try_recv().unwrap_err();
}

#[tokio::test]
async fn a_shadow_changes_no_answer_and_what_differs_is_kept() {
    let (one, two) = (proceeds(&json!({"url": "/1"})), proceeds(&json!({"url": "/2"})));
    let tried = Tried::new(&one, &two, plan(TrialKind::Shadow, 100.0), 1);
    assert_eq!(tried.run().await.kwargs["url"], "/1");
    let expected = TrialCounts { calls: 1, different: 1, ..TrialCounts::default() };
    assert_eq!(tried.until(|counts| counts.calls == 1).await, expected);
    let view = tried.trial.view();
    assert_eq!(view.examples[0].hook, FILTER);
    let differences = json!(view.examples[0].differences);
    assert_eq!(differences, json!([{"path": "changes.url", "live": "/1", "trial": "/2"}]));

    let plan = TrialPlan { values: false, ..plan(TrialKind::Shadow, 100.0) };
    let tried = Tried::new(&one, &two, plan, 1);
    tried.run().await;
    tried.until(|counts| counts.calls == 1).await;
    assert_eq!(json!(tried.trial.view().examples[0].differences), json!([{"path": "changes.url"}]));
}

#[tokio::test]
async fn a_shadow_that_fails_where_the_live_release_does_not_is_counted_as_that() {
    let (good, bad) = (proceeds(&json!({})), step("unreachable"));
    let tried = Tried::new(&good, &bad, plan(TrialKind::Shadow, 100.0), 1);
    assert_eq!(tried.run().await.steps[0].outcome, StepOutcome::Proceeded);
    let expected = TrialCounts { calls: 1, failed: 1, ..TrialCounts::default() };
    assert_eq!(tried.until(|counts| counts.calls == 1).await, expected);
    let differences = json!(tried.trial.view().examples[0].differences);
    let expected = json!([
        {"path": "outcome", "live": "proceed", "trial": "failed"},
        {"path": "failure.code", "trial": "trap"},
    ]);
    assert_eq!(differences, expected);

    let tried = Tried::new(&bad, &bad, plan(TrialKind::Shadow, 100.0), 1);
    tried.run().await;
    assert_eq!(tried.until(|counts| counts.calls == 1).await.equal, 1, "both fail alike");
}

#[tokio::test]
async fn at_most_eight_shadows_run_and_the_others_are_left_out() {
    let tried = Tried::new(&proceeds(&json!({})), &endless(), plan(TrialKind::Shadow, 100.0), 1);
    for _ in 0..11 {
        assert_eq!(tried.run().await.steps[0].outcome, StepOutcome::Proceeded);
    }
    let expected = TrialCounts { left_out: 3, ..TrialCounts::default() };
    assert_eq!(tried.trial.view().counts, expected);
}

#[tokio::test]
async fn a_hook_that_the_tried_release_does_not_take_stays_with_the_live_one() {
    let one = proceeds(&json!({"url": "/1"}));
    let tried = Tried::new(&one, &receiver("(nop)"), plan(TrialKind::Canary, 100.0), 1);
    assert_eq!(tried.run().await.kwargs["url"], "/1");
    assert_eq!(tried.trial.view().counts, TrialCounts::default());
    let hook = tried.generation.hook(FILTER).unwrap();
    assert!(hook.plugins[0].reason.ends_with("does not take it"), "{}", hook.plugins[0].reason);
}

#[tokio::test]
async fn deliveries_are_tried_as_calls_are() {
    let refuses = format!("(i32.store8 (i32.const 1024) (i32.const 1)) {}", text("later"));
    let (good, other) = (receiver("(nop)"), receiver(&refuses));
    let tried = Tried::new(&good, &other, plan(TrialKind::Shadow, 100.0), 1);
    assert_eq!(tried.deliver().await, Receipt::Delivered);
    assert_eq!(tried.until(|counts| counts.calls == 1).await.different, 1);
    let differences = json!(tried.trial.view().examples[0].differences);
    let expected = json!([
        {"path": "receipt", "live": "delivered", "trial": "retry"},
        {"path": "reason", "trial": "later"},
    ]);
    assert_eq!(differences, expected);

    let tried = Tried::new(&good, &other, plan(TrialKind::Canary, 100.0), 1);
    assert_eq!(tried.deliver().await, Receipt::Retry("later".into()));
    assert_eq!(tried.trial.view().counts.calls, 1);

    let tried = Tried::new(&good, &receiver("unreachable"), plan(TrialKind::Canary, 100.0), 1);
    assert!(matches!(tried.deliver().await, Receipt::Failed(_)));
    assert_eq!(tried.trial.view().counts.failed, 1);
}

#[tokio::test]
async fn an_event_goes_to_the_live_release_while_the_tried_one_is_put_aside() {
    let tried = Tried::new(&receiver("(nop)"), &receiver("unreachable"), plan(TrialKind::Canary, 100.0), 1);
    for _ in 0..3 {
        assert!(matches!(tried.deliver().await, Receipt::Failed(_)));
    }
    assert!(tried.trial.candidate.quarantine().is_some());
    assert_eq!(tried.deliver().await, Receipt::Delivered);
    assert_eq!(tried.trial.view().counts.failed, 4, "not being called counts against it all the same");
}

/// A step that answers with all its arguments as the argument `seen`.
fn curious() -> Vec<u8> {
    let body = text(r#"{"seen":"#)
        + "(memory.copy (i32.const 4104) (local.get 2) (local.get 3))
           (i32.store8 (i32.add (i32.const 4104) (local.get 3)) (i32.const 125))
           (i32.store (i32.const 1036) (i32.add (i32.const 9) (local.get 3)))";
    step(&body)
}

#[tokio::test]
async fn no_password_reaches_a_shadow() {
    let tried = Tried::new(&proceeds(&json!({})), &curious(), plan(TrialKind::Shadow, 100.0), 1);
    let form = json!({"username": "ada", "password": "s3cret"});
    let kwargs = Map::from_iter([("form_data".to_owned(), form.clone())]);
    let run = tried.generation.pipeline(REGISTRATION).unwrap().run(kwargs).await.unwrap();
    assert_eq!(run.kwargs["form_data"], form);
    tried.until(|counts| counts.calls == 1).await;
    let differences = json!(tried.trial.view().examples[0].differences).to_string();
    assert!(differences.contains("ada") && !differences.contains("s3cret"), "{differences}");
}

#[tokio::test]
async fn a_shadow_that_keeps_failing_is_left_out_and_nobody_else_is() {
    let (good, bad) = (proceeds(&json!({})), step("unreachable"));
    let tried = Tried::new(&good, &bad, plan(TrialKind::Shadow, 100.0), 1);
    for number in 1..=5 {
        assert_eq!(tried.run().await.steps[0].outcome, StepOutcome::Proceeded);
        let counts = tried.until(|counts| counts.failed + counts.left_out == number).await;
        assert_eq!((counts.failed, counts.left_out), (number.min(3), number.saturating_sub(3)));
    }
    assert!(tried.trial.candidate.quarantine().is_none(), "once it is live, it begins anew");
    assert!(tried.generation.plugin("tried").unwrap().quarantine().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_calls_at_once_one_brings_the_verdict() {
    let rule = Some(TrialRule { calls: 20, differences: 0 });
    let (one, two) = (proceeds(&json!({"url": "/1"})), proceeds(&json!({"url": "/2"})));
    let tried = Tried::new(&one, &two, TrialPlan { rule, ..plan(TrialKind::Canary, 100.0) }, 1);
    let Tried { generation, mut verdicts, trial } = tried;
    let generation = Arc::new(generation);
    let clients = (0..4).map(|_| {
        let generation = Arc::clone(&generation);
        tokio::spawn(async move {
            for _ in 0..25 {
                generation.pipeline(FILTER).unwrap().run(Map::new()).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert_eq!(trial.view().counts.calls, 100);
    let verdict = verdicts.try_recv().unwrap();
    assert_eq!((verdict.end, verdict.counts.calls), (TrialEnd::Promote, 20));
    verdicts.try_recv().unwrap_err();
}

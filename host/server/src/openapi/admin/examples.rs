//! What the examples show.

use hookbox_plugins::{
    Attention, Changed, DeliveryRule, DeliveryView, Difference, HookChange, HookTaken, IsolationView,
    LimitView, PluginChange, PluginDetail, PluginOverview, QuarantineRule, ReleaseView, ReloadReport,
    RuleView, TrialCounts, TrialExample, TrialKind, TrialPlan, TrialRule, TrialView,
};
use hookbox_sandbox::{Grants, Isolation, Limits};
use serde_json::json;
use time::OffsetDateTime;

use super::super::hooks::{DIGEST, FILTER, INTERFACE, quarantine};
use super::NAME;
use crate::admin::{AuditPage, Entry, Lifted, PluginList, ReleaseInFull};
use crate::reload::Reloaded;

const OTHER: &str = "sha256:9b1d7c52e0a34f6688c1d5b7e2f09a4c3d6e8f10213243546576879809a1b2c3";
const DAY: &str = "2026-11-22T19:43:22.411797Z";
const REASON: &str = "it imports wasi:sockets/tcp@0.2.6, which no plugin gets";

/// A plugin that is put aside, with a trial and a release that failed admission.
pub(crate) fn plugin() -> PluginOverview {
    PluginOverview {
        name: NAME.into(),
        state: "quarantined",
        quarantine: Some(quarantine()),
        revision: 7,
        release: Some(1),
        attention: Some(Attention { release: 3, state: "rejected", reason: REASON.into() }),
        trial: Some(trial()),
        approved: vec!["keyvalue".into()],
        releases: vec![rejected(), release(2, "checked", OTHER), release(1, "live", DIGEST)],
        live: Some(live()),
    }
}

fn live() -> PluginDetail {
    let limits = Limits::default().listed();
    PluginDetail {
        version: Some("1.0.0".into()),
        description: Some("Sends a course's about page to a site of your own.".into()),
        digest: DIGEST.into(),
        origin: "ada".into(),
        quarantine_rule: Some(RuleView::from(QuarantineRule::default())),
        delivery: DeliveryView::from(&DeliveryRule::default()),
        on_failure: "default",
        isolation: IsolationView::from(Isolation::Call),
        grants: Grants::default(),
        limits: limits.map(|(setting, value, unit)| LimitView { setting, value, unit }).into(),
        exports: vec![INTERFACE.into()],
        hooks: vec![HookTaken {
            hook_type: FILTER.into(),
            kind: "filter",
            reason: format!("it exports {INTERFACE}"),
        }],
    }
}

fn release(number: u32, state: &'static str, digest: &str) -> ReleaseView {
    ReleaseView {
        release: number,
        state,
        reason: None,
        version: Some(format!("1.{}.0", number - 1)),
        digest: digest.into(),
        bytes: 61_440,
        source: "upload",
        origin: "ada".into(),
        installed_at: DAY.into(),
        installed_by: "ada".into(),
        cases: false,
    }
}

fn rejected() -> ReleaseView {
    let digest = OTHER.replace("9b1d", "77aa");
    ReleaseView { reason: Some(REASON.into()), ..release(3, "rejected", &digest) }
}

fn trial() -> TrialView {
    let difference = Difference {
        path: "changes.url".into(),
        live: Some(json!("https://example.com/a")),
        trial: Some(json!("https://example.com/b")),
    };
    TrialView {
        plan: TrialPlan {
            release: 2,
            kind: TrialKind::Shadow,
            percent: 5.0,
            rule: Some(TrialRule { calls: 10_000, differences: 0 }),
            values: true,
            began_at: OffsetDateTime::UNIX_EPOCH,
            began_by: "ada".into(),
        },
        counts: TrialCounts { calls: 412, equal: 411, different: 1, failed: 0, left_out: 3 },
        examples: vec![TrialExample {
            hook: FILTER.into(),
            at: OffsetDateTime::UNIX_EPOCH,
            differences: vec![difference],
        }],
    }
}

/// The same plugin while all is well with it.
pub(super) fn well() -> PluginOverview {
    PluginOverview {
        state: "live",
        quarantine: None,
        attention: None,
        trial: None,
        releases: vec![release(2, "live", DIGEST), release(1, "replaced", OTHER)],
        release: Some(2),
        ..plugin()
    }
}

/// A list.
pub(crate) fn plugins() -> PluginList {
    PluginList { generation: 7, plugins: vec![plugin()] }
}

/// A release with its report.
pub(crate) fn in_full() -> ReleaseInFull {
    ReleaseInFull { release: rejected(), report: report() }
}

/// What an admission found.
pub(super) fn report() -> serde_json::Value {
    json!({"problems": [{"code": "import-unknown", "message": REASON}]})
}

/// What came of a change.
pub(crate) fn changed(outcome: &'static str) -> Changed {
    Changed { outcome, release: Some(2), generation: 7, plugin: well() }
}

/// A quarantine that was lifted.
pub(crate) fn lifted() -> Lifted {
    Lifted { lifted: true, plugin: well() }
}

/// A reload; `generation` is there when it was no dry run.
pub(crate) fn reloaded(generation: Option<u64>) -> Reloaded {
    Reloaded {
        report: ReloadReport {
            plugins: vec![PluginChange {
                plugin: NAME.into(),
                change: "changed",
                what: vec!["settings".into(), "limits.time".into()],
            }],
            hooks: vec![HookChange {
                hook: FILTER.into(),
                before: vec![NAME.into()],
                after: vec![NAME.into(), "seats".into()],
                settings: vec!["fail_silently".into()],
            }],
            warnings: Vec::new(),
            generation,
        },
        needs_restart: vec!["server.body"],
    }
}

/// A page of the audit trail.
pub(crate) fn page() -> AuditPage {
    let entry = Entry {
        id: 41,
        at: OffsetDateTime::UNIX_EPOCH,
        actor: "ada".into(),
        action: "install".into(),
        outcome: "live".into(),
        plugin: Some(NAME.into()),
        release: Some(2),
        digest: Some(DIGEST.into()),
        generation: Some(7),
        detail: json!({}),
    };
    AuditPage { entries: vec![entry], next: Some(41) }
}

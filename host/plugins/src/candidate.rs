//! From a component's bytes to a plugin that could go live: admission, a throw-away instance, the plugin's own say about its
//! settings, and its recorded cases.

use std::sync::Arc;

use hookbox_hooks::catalogue::{any_event, any_filter};
use hookbox_sandbox::{
    Admitted, Contract, Digest, Grant, Granting, Grants, Isolation, Limits, Plugin, PluginOptions,
    ProblemCode, Report, Sandbox, Settings,
};
use serde_json::{Value, json};

use crate::breaker::QuarantineRule;
use crate::cases::{CaseReport, Cases};
use crate::change::Change;
use crate::circuit::Circuit;
use crate::effective::EVERY_EVENT;
use crate::generation::LivePlugin;
use crate::load::LoadError;
use crate::settings::{DeliveryRule, PluginTable};

/// What a component is held to, and run with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Terms {
    /// The plugin's table in the configuration.
    pub(crate) table: PluginTable,
    /// Grants that operators approved beyond it.
    pub(crate) approved: Vec<String>,
}

impl Terms {
    /// What is granted: by the configuration, and by approval.
    pub(crate) fn grants(&self) -> Result<Grants, String> {
        let approved: Result<Vec<Grant>, _> = self.approved.iter().map(|text| text.parse()).collect();
        let approved = approved.map_err(|error| error.to_string())?;
        Ok(Grants::new(self.table.grants()?.iter().cloned().chain(approved)))
    }

    /// Reads what the table says.
    ///
    /// # Errors
    /// A value that cannot be.
    pub(crate) fn read(&self) -> Result<ReadTerms, String> {
        Ok(ReadTerms {
            grants: self.grants()?,
            isolation: self.table.isolation()?,
            limits: self.table.limits.limits()?,
            quarantine: self.table.quarantine.rule()?,
            delivery: self.table.delivery.rule()?,
        })
    }
}

/// Terms that can be.
pub(crate) struct ReadTerms {
    grants: Grants,
    isolation: Isolation,
    limits: Limits,
    quarantine: Option<QuarantineRule>,
    delivery: DeliveryRule,
}

/// A component to prepare.
#[derive(Debug, Clone)]
pub(crate) struct Bytes {
    pub(crate) content: Arc<Vec<u8>>,
    pub(crate) origin: String,
    pub(crate) cases: Option<Arc<Cases>>,
}

/// A plugin that could go live.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) plugin: LivePlugin,
    pub(crate) report: Value,
}

/// A component that cannot.
#[derive(Debug)]
pub(crate) struct Unfit {
    pub(crate) error: LoadError,
    pub(crate) version: Option<String>,
    pub(crate) report: Value,
    /// The grants that would do, when nothing else is wrong.
    pub(crate) wants: Vec<String>,
}

impl Candidate {
    pub(crate) fn version(&self) -> Option<String> {
        self.plugin.version().map(str::to_owned)
    }
}

/// Prepares a component under a plugin's name. Nothing that it does while it is tried stays.
pub(crate) async fn prepare(
    sandbox: &Sandbox,
    contract: &Arc<Contract>,
    name: &str,
    terms: &Terms,
    bytes: Bytes,
) -> Result<Candidate, Unfit> {
    let setting = |reason: String| LoadError::Setting { plugin: name.to_owned(), reason };
    let unread = |reason: String| Unfit::early(setting(reason), &bytes.content);
    let read = terms.read().map_err(unread)?;

    let (compiler, expected, content) = (sandbox.clone(), Arc::clone(contract), Arc::clone(&bytes.content));
    let grants = read.grants.clone();
    let admitting =
        tokio::task::spawn_blocking(move || compiler.admit(&content, &expected, &Granting::These(&grants)));
    let admitted: Admitted = match admitting.await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(report)) => return Err(Unfit::refused(name, report)),
        Err(error) => return Err(unread(format!("admission ended early: {error}"))),
    };
    let report = Arc::clone(admitted.report());
    let options = PluginOptions {
        name: name.to_owned(),
        settings: Settings::new(terms.table.settings.clone()),
        limits: read.limits,
        isolation: read.isolation,
    };
    let live = |plugin: Plugin| LivePlugin {
        digest: report.digest.to_string(),
        plugin,
        on_failure: terms.table.on_failure,
        hooks: terms.table.hooks.iter().chain(&terms.table.tried_hook).cloned().collect(),
        origin: bytes.origin.clone(),
        release: 0,
        delivery: read.delivery.clone(),
        terms: terms.clone(),
        circuit: Circuit::new(name, read.quarantine),
    };
    let tried = live(sandbox.rehearsal(&admitted, options.clone()));
    let unfit = |error: LoadError, found: Value| Unfit {
        error,
        version: report.metadata.version.clone(),
        report: found,
        wants: Vec::new(),
    };
    check_hooks(name, &tried, terms).map_err(|reason| unfit(setting(reason), told(&report)))?;
    if let Err(reason) = tried.plugin.try_out().await {
        let mut found = told(&report);
        found["trial"] = json!({"message": reason.to_string()});
        return Err(unfit(LoadError::TryOut { plugin: name.to_owned(), reason }, found));
    }
    let mut found = told(&report);
    if let Some(cases) = &bytes.cases {
        let reports = cases.run(&tried).await;
        found["cases"] = serde_json::to_value(&reports).unwrap_or_default();
        let failed: Vec<CaseReport> = reports.into_iter().filter(|report| !report.passed).collect();
        if !failed.is_empty() {
            return Err(unfit(LoadError::Cases { plugin: name.to_owned(), failed }, found));
        }
    }
    Ok(Candidate { plugin: live(sandbox.plugin(&admitted, options)), report: found })
}

/// A plugin with a generic interface says which hooks it gets; one without must not.
fn check_hooks(name: &str, live: &LivePlugin, terms: &Terms) -> Result<(), String> {
    let plugin = &live.plugin;
    let receives = plugin.function(any_event()).is_some();
    let generic = plugin.function(any_filter()).is_some() || receives;
    if generic && !receives && terms.table.hooks.iter().any(|hook| hook == EVERY_EVENT) {
        return Err(format!(
            "hooks: {EVERY_EVENT:?} is every event of the catalogue, and the component takes filters only (it exports \
             any-filter and no any-event): name the filters that it is to get"
        ));
    }
    match (generic, terms.table.hooks.is_empty()) {
        (false, false) => Err("hooks: the component exports no generic interface to give them to".to_owned()),
        (true, true) if terms.table.tried_hook.is_none() => {
            tracing::warn!(
                plugin = name,
                "exports a generic interface, but `hooks` names none: it is not called"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

fn told(report: &Report) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}

impl Unfit {
    /// What becomes of the release, and how that is called.
    pub(crate) fn into_change(self, number: u32) -> (Change, &'static str) {
        let reason = self.error.reason();
        let Self { version, report, wants, .. } = self;
        if wants.is_empty() {
            (Change::Reject { number, version, report, reason }, "rejected")
        } else {
            let reason = format!("it wants what it is not granted: {}", wants.join(", "));
            (Change::Hold { number, version, report, reason }, "needs-approval")
        }
    }

    fn early(error: LoadError, content: &[u8]) -> Self {
        let report = json!({"digest": Digest::of(content).to_string(), "bytes": content.len()});
        Self { error, version: None, report, wants: Vec::new() }
    }

    fn refused(name: &str, report: Box<Report>) -> Self {
        let only_grants = report.problems.iter().all(|problem| problem.code == ProblemCode::NotGranted);
        let lacking = report.problems.iter().filter_map(|problem| problem.grant);
        let mut wants: Vec<String> = Vec::new();
        for grant in lacking.filter(|_| only_grants) {
            if !wants.iter().any(|wanted| wanted == grant) {
                wants.push(grant.to_owned());
            }
        }
        // Writing the archive includes reading it.
        if wants.iter().any(|grant| grant == "archive:write") {
            wants.retain(|grant| grant != "archive:read");
        }
        let mut found = told(&report);
        found["wants"] = json!(wants);
        Self {
            version: report.metadata.version.clone(),
            report: found,
            wants,
            error: LoadError::Refused { plugin: name.to_owned(), report },
        }
    }
}

//! The whole configuration at once: at the start, and when it is read again.

use super::compare::compare;
use super::desk::Draft;
use super::plan::{Mode, Plan, Shop, plan};
use super::requests::{By, Configured, ReloadReport};
use super::{ChangeError, Inner};
use crate::generation::Generation;
use crate::load::LoadError;

impl Inner {
    pub(super) async fn start(&self, configured: Configured) -> Result<(), Vec<LoadError>> {
        let mut desk = self.desk().await;
        let plan = plan(&self.shop(), Mode::Start, &desk.records, &desk.parts, &configured).await?;
        for warning in &plan.warnings {
            tracing::warn!("{warning}");
        }
        self.take(&mut desk, plan, configured).await?;
        for warning in self.generation.load().iter().flat_map(|generation| generation.warnings()) {
            tracing::warn!("{warning}");
        }
        for live in desk.parts.plugins.values() {
            let report = live.plugin.report();
            tracing::info!(
                plugin = live.name(),
                version = report.metadata.version,
                digest = %report.digest,
                release = live.release,
                origin = live.origin,
                "plugin is live"
            );
        }
        self.clean(&desk).await;
        Ok(())
    }

    pub(super) async fn reload(
        &self,
        configured: Configured,
        by: By,
    ) -> Result<ReloadReport, Vec<LoadError>> {
        let mut desk = self.desk().await;
        let before = self.generation.load_full();
        let mut plan = plan(&self.shop(), Mode::Reload, &desk.records, &desk.parts, &configured).await?;
        for entry in &mut plan.entries {
            entry.actor.clone_from(&by.actor);
        }
        let warnings = plan.warnings.clone();
        let same = plan.records.is_empty() && desk.configured == configured && plan.entries.is_empty();
        if !same {
            self.take(&mut desk, plan, configured).await?;
            self.clean(&desk).await;
        }
        let after = self.generation.load_full();
        let mut report = compare(before.as_deref(), after.as_deref());
        report.warnings.splice(0..0, warnings);
        report.generation = Some(desk.number);
        Ok(report)
    }

    pub(super) async fn diff(&self, configured: Configured) -> Result<ReloadReport, Vec<LoadError>> {
        let desk = self.desk().await;
        let plan = plan(&self.shop(), Mode::Reload, &desk.records, &desk.parts, &configured).await?;
        let before = self.generation.load_full();
        let after = Generation::build(desk.number, plan.parts, &configured.filters)?;
        let mut report = compare(before.as_deref(), Some(&after));
        report.warnings.splice(0..0, plan.warnings);
        Ok(report)
    }

    /// Makes a plan true.
    async fn take(
        &self,
        desk: &mut super::desk::Desk,
        plan: Plan,
        configured: Configured,
    ) -> Result<(), Vec<LoadError>> {
        for (digest, content) in &plan.components {
            self.keep(digest, content).await.map_err(as_load_error)?;
        }
        let Plan { records, parts, entries, .. } = plan;
        let known = records.is_empty() && entries.is_empty();
        let draft = Draft {
            records,
            parts: Some(parts),
            entries,
            configured: Some(configured),
            forget_rows: None,
            known,
        };
        self.commit(desk, draft).await.map(|_| ()).map_err(as_load_error)
    }

    fn shop(&self) -> Shop<'_> {
        Shop {
            sandbox: &self.options.sandbox,
            contract: &self.contract,
            files: Some(&self.files),
            samples: self.options.samples,
            verdicts: self.verdicts.clone(),
        }
    }
}

fn as_load_error(error: ChangeError) -> Vec<LoadError> {
    match error {
        ChangeError::Pipelines(errors) => errors,
        error => vec![LoadError::Kept(error.to_string())],
    }
}

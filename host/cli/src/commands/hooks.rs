//! `hookbox hooks list` and `hookbox hooks show`.

use std::fmt::Write as _;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use hookbox_hooks::Catalogue;
use hookbox_plugins::HookView;
use hookbox_server::Config;

use crate::Done;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Hooks {
    /// List the hooks and the plugins that take them
    List(List),
    /// Show one hook: its arguments, its pipeline or receivers, and why each is there
    Show(Show),
}

/// List the hooks and the plugins that take them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox hooks list
  hookbox hooks list --live
  hookbox hooks list --kind event --json")]
pub(crate) struct List {
    /// Only hooks that a plugin takes
    #[arg(long)]
    live: bool,
    /// Only filters, or only events
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Filter,
    Event,
}

/// Show one hook.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox hooks show org.openedx.learning.course_about.page.url.requested.v1")]
pub(crate) struct Show {
    /// The hook's type
    #[arg(value_name = "TYPE")]
    hook_type: String,
}

impl Hooks {
    pub(crate) async fn execute(self, config: Config, json: bool) -> anyhow::Result<Done> {
        let sandbox = super::sandbox(&config)?;
        let generation = super::generation(&sandbox, &config).await?;
        match self {
            Self::List(list) => {
                let wanted = |hook: &HookView| {
                    let kind = match list.kind {
                        None => true,
                        Some(Kind::Filter) => hook.kind == "filter",
                        Some(Kind::Event) => hook.kind == "event",
                    };
                    kind && (hook.live || !list.live)
                };
                let hooks: Vec<HookView> = generation.hooks().into_iter().filter(wanted).collect();
                if json {
                    output::json(&hooks)?;
                } else {
                    output::text(&table(&hooks))?;
                }
            }
            Self::Show(show) => {
                let Some(hook) = generation.hook(&show.hook_type) else {
                    let near = generation.nearest_hook(&show.hook_type);
                    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                    bail!("no hook has the type {:?}{hint}", show.hook_type);
                };
                if json {
                    output::json(&hook)?;
                } else {
                    output::text(&page(&hook))?;
                }
            }
        }
        Ok(Done::Well)
    }
}

fn table(hooks: &[HookView]) -> String {
    let width = hooks.iter().map(|hook| hook.hook_type.len()).max().unwrap_or(0);
    let mut text = String::new();
    for hook in hooks {
        let plugins: Vec<&str> = hook.plugins.iter().map(|taker| taker.plugin.as_str()).collect();
        let plugins = if plugins.is_empty() { "-".to_owned() } else { plugins.join(", ") };
        let like = hook.like.as_ref().map(|like| format!("  (like {like})")).unwrap_or_default();
        let _ = writeln!(text, "{:6}  {:width$}  {plugins}{like}", hook.kind, hook.hook_type);
    }
    let catalogue = Catalogue::embedded();
    let own = hooks.iter().filter(|hook| catalogue.hook(&hook.hook_type).is_none()).count();
    let filters = hooks.iter().filter(|hook| hook.kind == "filter").count() - own_filters(hooks);
    let listed = hooks.len() - own;
    let live = hooks.iter().filter(|hook| hook.live).count();
    let _ = write!(
        text,
        "\n{listed} hooks: {filters} filters (openedx-filters {}), {} events (openedx-events {}); {live} live",
        catalogue.filters_version,
        listed - filters,
        catalogue.events_version
    );
    if own > 0 {
        let _ = write!(text, "\nand {own} of types outside the catalogue");
    }
    text
}

fn own_filters(hooks: &[HookView]) -> usize {
    let catalogue = Catalogue::embedded();
    hooks.iter().filter(|hook| hook.kind == "filter" && catalogue.hook(&hook.hook_type).is_none()).count()
}

fn page(hook: &HookView) -> String {
    let mut text = format!("{} {}\n", hook.kind, hook.hook_type);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<14} {value}");
    };
    if let Some(like) = &hook.like {
        line("behaves like", like);
    }
    line("upstream", hook.upstream.as_deref().unwrap_or("in no catalogue"));
    line("interface", hook.interface.as_deref().unwrap_or("none: only generic plugins can take it"));
    if let Some(silently) = hook.fail_silently {
        line(
            "fail silently",
            if silently { "yes: a failed step is skipped" } else { "no: a failed step ends the call" },
        );
    }
    let what = if hook.kind == "filter" { "arguments" } else { "data" };
    for (at, argument) in hook.arguments.iter().enumerate() {
        line(if at == 0 { what } else { "" }, &format!("{}: {}", argument.name, argument.ty));
    }
    text.push_str(if hook.kind == "filter" { "\npipeline\n" } else { "\nreceivers\n" });
    if hook.plugins.is_empty() {
        text.push_str("  none\n");
    }
    for (at, taker) in hook.plugins.iter().enumerate() {
        let version = taker.version.as_deref().unwrap_or("without a version");
        let _ = writeln!(text, "  {}. {} {version}: {}", at + 1, taker.plugin, taker.reason);
        let _ = writeln!(text, "     {}", taker.digest);
        if hook.kind == "filter" && taker.on_failure != "default" {
            let _ = writeln!(text, "     on failure: {}", taker.on_failure);
        }
    }
    for missing in &hook.missing {
        let _ = writeln!(text, "  !  {} does not run: {}", missing.plugin, missing.reason);
    }
    text.trim_end().to_owned()
}

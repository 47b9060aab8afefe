//! `hookbox events …`: what was accepted, how its deliveries go, and repairing them.

mod bulk;
mod list;
mod replay;
mod show;
mod which;

use std::io::IsTerminal as _;

use clap::Subcommand;
use hookbox_server::Config;

use crate::Done;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List events and how their deliveries go, the latest first
    List(list::List),
    /// Show one event: its data, its deliveries, and every attempt that failed
    Show(show::Show),
    /// Deliver dead letters again
    Retry(bulk::Retry),
    /// Give up dead letters, or deliveries that wait
    Discard(bulk::Discard),
    /// Give past events to a plugin, again or for the first time
    Replay(replay::Replay),
    /// List the replays, or stop one
    Replays(replay::Replays),
    /// Count what each plugin's deliveries do, and what is kept
    Summary(show::Summary),
}

impl Events {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        match self {
            Self::List(list) => list.execute(config, json).await,
            Self::Show(show) => show.execute(config, json).await,
            Self::Retry(retry) => retry.execute(config, json).await,
            Self::Discard(discard) => discard.execute(config, json).await,
            Self::Replay(replay) => replay.execute(config, json).await,
            Self::Replays(replays) => replays.execute(config, json).await,
            Self::Summary(summary) => summary.execute(config, json).await,
        }
    }
}

/// Tells people at a terminal how far long work is; programs read nothing of it.
struct Progress {
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: false }
    }

    /// Shows a line in place of the one before.
    fn tell(&mut self, line: &str) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\u{1b}[K{line}");
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// What others wrote, without what could move a cursor or reorder a line.
fn shown(text: &str) -> String {
    hookbox_sandbox::escape(text, 4_000)
}

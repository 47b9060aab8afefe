//! The `hookbox` command.

mod commands;
mod output;
mod samples;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hookbox_server::Config;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Runs Open edX filters and event receivers as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "hookbox",
    version,
    after_help = "Examples:
  hookbox                                    serve on 127.0.0.1:8000 with the sample plugins
  hookbox --config site.toml serve           serve what a configuration names
  hookbox hooks list --live                  which hooks have plugins
  hookbox check my-plugin.wasm               whether a component fits, and why not
  hookbox plugin install my-plugin.wasm      let it live, without a restart
  hookbox events list --state dead           which events a plugin could not take

Exit codes: 0 done, 1 the thing asked about failed, 2 usage."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// The configuration file [default: hookbox.toml, when it is there]
    #[arg(long, global = true, env = "HOOKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overlay hookbox.NAME.toml over the configuration file
    #[arg(long, global = true, env = "HOOKBOX_ENVIRONMENT", value_name = "NAME")]
    environment: Option<String>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,hookbox::plugin=debug`
    /// [default: info for serve, warn for the rest]
    #[arg(long, global = true, env = "HOOKBOX_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve filters and events over HTTP (what `hookbox` alone does)
    Serve(commands::serve::Serve),
    /// Run a filter
    #[command(subcommand)]
    Filter(commands::filter::Filter),
    /// Send events to a running server
    #[command(subcommand)]
    Event(commands::event::Event),
    /// See accepted events and their deliveries; retry, discard and replay them
    #[command(subcommand)]
    Events(commands::events::Events),
    /// See the hooks: the catalogue, what is live, and why
    #[command(subcommand)]
    Hooks(commands::hooks::Hooks),
    /// Install, upgrade, try, roll back and see plugins, also while a server runs
    #[command(subcommand)]
    Plugin(commands::plugin::Plugin),
    /// Reload the configuration of a running server, or say what that would change
    #[command(subcommand)]
    Config(commands::config::Configuration),
    /// Show who did what to the plugins and to events
    Audit(commands::audit::Audit),
    /// Run a failed call again, as the server kept it
    Replay(commands::replay::Replay),
    /// List the failed calls that a running server keeps
    FailedCalls(commands::failed_calls::FailedCalls),
    /// Say whether a component fits the contract, and what to do when it does not
    Check(commands::check::Check),
    /// Make a token for calling the server
    Token(commands::token::Token),
    /// The database: migrate it, back it up, check it
    #[command(subcommand)]
    Db(commands::db::Db),
    /// Say whether the configuration, the database, the keys and the plugins are ready to serve
    CheckInstall(commands::check_install::CheckInstall),
    /// Write the WIT packages that plugins are built against
    Wit(commands::wit::Wit),
    /// Compile the component on standard input for the host that started this
    #[command(hide = true)]
    Compile(commands::compile::Compile),
}

/// What came of a command that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It did what was asked.
    Well,
    /// It ran, and the thing asked about failed. The command has said how.
    Failed,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Compile(compile)) = &cli.command {
        return compile.execute();
    }
    match run(cli) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Failed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Done> {
    let command = cli.command.unwrap_or_else(|| Command::Serve(commands::serve::Serve::default()));
    start_log(&cli.global, matches!(command, Command::Serve(_)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let global = &cli.global;
    let done = match command {
        Command::Serve(serve) => {
            let (file, environment) = (global.config.clone(), global.environment.clone());
            let read = move || Config::load(file.as_deref(), environment.as_deref());
            runtime.block_on(serve.execute(read))
        }
        Command::Filter(filter) => runtime.block_on(filter.execute(config(global)?, global.json)),
        Command::Event(event) => event.execute(&config(global)?, global.json),
        Command::Events(events) => runtime.block_on(events.execute(&config(global)?, global.json)),
        Command::Hooks(hooks) => runtime.block_on(hooks.execute(config(global)?, global.json)),
        Command::Plugin(plugin) => runtime.block_on(plugin.execute(&config(global)?, global.json)),
        Command::Config(reload) => runtime.block_on(reload.execute(&config(global)?, global.json)),
        Command::Audit(audit) => runtime.block_on(audit.execute(&config(global)?, global.json)),
        Command::Replay(replay) => runtime.block_on(replay.execute(&config(global)?, global.json)),
        Command::FailedCalls(calls) => calls.execute(&config(global)?, global.json),
        Command::Check(check) => runtime.block_on(check.execute(&config(global)?, global.json)),
        Command::Token(token) => token.execute(&config(global)?, global.json),
        Command::Db(db) => runtime.block_on(db.execute(&config(global)?, global.json)),
        Command::CheckInstall(check) => runtime.block_on(check.execute(config(global)?, global.json)),
        Command::Wit(wit) => wit.execute(),
        // It ran before this.
        Command::Compile(_) => Ok(Done::Failed),
    };
    // A component may still be compiling for a server that was told to stop. Its process ends with this one.
    runtime.shutdown_background();
    done
}

fn config(global: &Global) -> anyhow::Result<Config> {
    Ok(Config::load(global.config.as_deref(), global.environment.as_deref())?)
}

fn start_log(global: &Global, serving: bool) -> anyhow::Result<()> {
    // A command tells itself what came of a change.
    let default = if serving { "info" } else { "warn,hookbox_plugins::registry=error" };
    let text = global.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(text).map_err(|error| anyhow::anyhow!("--log {text:?}: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match global.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(filter_fn(holds_no_token)).with(lines).init();
    Ok(())
}

/// The client's trace has every byte that it sends, also a token.
fn holds_no_token(metadata: &Metadata<'_>) -> bool {
    !(metadata.target().starts_with("ureq") && *metadata.level() == Level::TRACE)
}

//! `hookbox.toml`: read, overlaid, checked. The host never writes it.

mod depth;
mod events;
mod failed_calls;
mod users;
mod variables;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Data, Env, Format, Toml};
use hookbox_delivery::DeliveryOptions;
use hookbox_hooks::names;
use hookbox_plugins::{Configured, FiltersTable, PluginsTable};
use hookbox_sandbox::ChildCompiler;
use serde::Deserialize;

use crate::auth::AuthTable;
use crate::cors::{Cors, CorsTable};
use crate::throttle::Rate;

pub use events::{EventsTable, KeepTable};
pub use failed_calls::FailedCallsTable;
pub use users::UsersTable;

/// The file that is read when nobody names another.
pub const DEFAULT_FILE: &str = "hookbox.toml";
/// Variables that belong to the command and not to the configuration.
const COMMAND_VARIABLES: &[&str] = &["config", "environment", "log", "guests", "token"];

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`.
    pub server: ServerTable,
    /// `[database]`.
    pub database: DatabaseTable,
    /// `[auth]`.
    pub auth: AuthTable,
    /// `[archive]`.
    pub archive: ArchiveTable,
    /// `[events]`.
    pub events: EventsTable,
    /// `[users]`.
    pub users: UsersTable,
    /// `[cors]`.
    pub cors: CorsTable,
    /// `[failed_calls]`.
    pub failed_calls: FailedCallsTable,
    /// `[plugins]`.
    pub plugins: PluginsTable,
    /// `[filters]`.
    pub filters: FiltersTable,
    /// The folder that relative component paths start from: the configuration file's.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTable {
    /// Where to listen. Default `127.0.0.1:8000`: this machine only.
    pub listen: SocketAddr,
    /// The folder for everything the host keeps. Default `hookbox-data`.
    pub data: PathBuf,
    /// The most bytes of a request's body. Default 1 MiB.
    pub body: ByteSize,
    /// How long a stopping server waits for calls in flight. Default 30 seconds.
    #[serde(with = "humantime_serde")]
    pub shutdown_grace: Duration,
    /// The most bytes of memory that all plugins' instances together may have; a call that wants more is answered 503.
    /// Default 2 GiB.
    pub guest_memory: ByteSize,
    /// `[server.compile]`.
    pub compile: CompileTable,
}

impl Default for ServerTable {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: "hookbox-data".into(),
            body: ByteSize::mib(1),
            shutdown_grace: Duration::from_secs(30),
            guest_memory: ByteSize::gib(2),
            compile: CompileTable::default(),
        }
    }
}

/// `[server.compile]`: what compiling one component may use.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompileTable {
    /// Processor time, of all threads together; whole seconds. Default 60 seconds.
    #[serde(with = "humantime_serde")]
    pub cpu: Duration,
    /// Address space. Default 2 GiB.
    pub memory: ByteSize,
    /// Wall clock. Default 2 minutes.
    #[serde(with = "humantime_serde")]
    pub time: Duration,
}

impl Default for CompileTable {
    fn default() -> Self {
        Self { cpu: Duration::from_secs(60), memory: ByteSize::gib(2), time: Duration::from_secs(120) }
    }
}

impl CompileTable {
    /// Sets these limits in place of those that the compiler has.
    pub fn limit(&self, compiler: ChildCompiler) -> ChildCompiler {
        ChildCompiler {
            cpu_seconds: self.cpu.as_secs(),
            memory_bytes: self.memory.as_u64(),
            wall: self.time,
            ..compiler
        }
    }

    fn mistakes(&self) -> Vec<String> {
        let times = Duration::from_secs(1)..=Duration::from_secs(60 * 60);
        // The program itself needs the least of these before it looks at a component.
        let sizes = ByteSize::mib(256)..=ByteSize::tib(1);
        let mut mistakes = Vec::new();
        if !times.contains(&self.cpu) || self.cpu.subsec_nanos() != 0 {
            mistakes.push("server.compile.cpu: must be whole seconds, from 1s to 1h".to_owned());
        }
        if !sizes.contains(&self.memory) {
            mistakes.push("server.compile.memory: must be from 256MiB to 1TiB".to_owned());
        }
        if !times.contains(&self.time) {
            mistakes.push("server.compile.time: must be from 1s to 1h".to_owned());
        }
        mistakes
    }
}

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseTable {
    /// How long a write waits for another process that holds the database. Default 5 seconds.
    #[serde(with = "humantime_serde")]
    pub busy_timeout: Duration,
    /// The most bytes that the database may have; writes beyond are refused. Default: as many as the disk has.
    pub max_size: Option<ByteSize>,
}

impl Default for DatabaseTable {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), max_size: None }
    }
}

/// `[archive]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveTable {
    /// Requests to the archive API that each user may send. Default `60/minute`.
    pub rate_limit: Rate,
    /// The most bytes of a request's body to the archive API. Default 10 MiB.
    pub body: ByteSize,
}

impl Default for ArchiveTable {
    fn default() -> Self {
        let rate_limit = Rate::Limited { requests: 60, window: Duration::from_secs(60) };
        Self { rate_limit, body: ByteSize::mib(10) }
    }
}

/// What is wrong with the configuration; one line a mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// How the journal of events works, and which events the users' table follows.
    pub fn delivery_options(&self) -> DeliveryOptions {
        DeliveryOptions { following: self.users.following(), ..self.events.options() }
    }

    /// How the database is opened.
    pub fn database_options(&self) -> hookbox_store::Options {
        let mut options = hookbox_store::Options::at(self.database_path());
        options.busy_timeout = self.database.busy_timeout;
        options.max_size_bytes = self.database.max_size.map(|size| size.as_u64());
        options
    }

    /// What it says about plugins and filters.
    pub fn configured(&self) -> Configured {
        Configured {
            plugins: self.plugins.clone(),
            filters: self.filters.clone(),
            folder: self.folder.clone(),
        }
    }

    /// Where the database is, below the data folder.
    pub fn database_path(&self) -> PathBuf {
        self.server.data.join("hookbox.db")
    }

    /// Reads the file (default: `hookbox.toml`, when it is there), the overlay `hookbox.<environment>.toml` beside
    /// it, and `HOOKBOX_…` variables: `HOOKBOX_SERVER__LISTEN` sets `server.listen`.
    ///
    /// # Errors
    /// Every mistake with its place, and for a mistyped key the nearest that exists.
    pub fn load(file: Option<&Path>, environment: Option<&str>) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let mut figment = Figment::new();
        if path.is_file() {
            figment = figment.merge(toml(path)?);
        } else if file.is_some() {
            return Err(ConfigError(vec![format!("{}: no such file", path.display())]));
        }
        if let Some(environment) = environment {
            let overlay = overlay(path, environment)?;
            figment = figment.merge(toml(&overlay)?);
        }
        let variables = Env::prefixed("HOOKBOX_").ignore(COMMAND_VARIABLES).split("__");
        let mut config = Self::read(&variables::over(figment, &variables)?)?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(config)
    }

    /// Checks what was put together from files and variables.
    fn read(layers: &Figment) -> Result<Self, ConfigError> {
        let config: Self = layers.extract().map_err(mistakes)?;
        let mut mistakes = config.server.compile.mistakes();
        mistakes.extend(config.events.mistakes());
        mistakes.extend(config.users.mistakes());
        mistakes.extend(config.failed_calls.mistakes());
        if !mistakes.is_empty() {
            return Err(ConfigError(mistakes));
        }
        Cors::new(&config.cors)
            .map_err(|mistake| ConfigError(vec![format!("cors.origins: {}", readable(&mistake))]))?;
        Ok(config)
    }
}

/// The file as a layer. What cannot be read at all is told when the layers are put together.
fn toml(path: &Path) -> Result<Data<Toml>, ConfigError> {
    if let Ok(text) = std::fs::read_to_string(path) {
        depth::of_file(&text).map_err(|ConfigError(mistakes)| {
            ConfigError(mistakes.iter().map(|mistake| format!("{}: {mistake}", path.display())).collect())
        })?;
    }
    Ok(Toml::file_exact(path))
}

/// `hookbox.production.toml` for `hookbox.toml` and `production`.
fn overlay(path: &Path, environment: &str) -> Result<PathBuf, ConfigError> {
    let sound = !environment.is_empty()
        && environment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !sound {
        let text = format!("--environment {environment:?}: use letters, digits, dashes and underscores");
        return Err(ConfigError(vec![text]));
    }
    let overlay = path.with_extension(format!("{environment}.toml"));
    if overlay.is_file() {
        Ok(overlay)
    } else {
        let text = format!("--environment {environment}: no file {}", overlay.display());
        Err(ConfigError(vec![text]))
    }
}

fn mistakes(error: figment::Error) -> ConfigError {
    ConfigError(error.into_iter().map(|mistake| readable(&describe(&mistake))).collect())
}

/// Letters of a mistake: a key has as many as somebody wrote.
const MISTAKE: usize = 1_000;

/// Makes visible what could move a terminal's cursor or reorder a line, and cuts.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, letter) in text.chars().enumerate() {
        if count == MISTAKE {
            out.push('…');
            break;
        }
        let marks = '\u{200b}'..='\u{200f}';
        let orders =
            matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}') || marks.contains(&letter);
        if orders || (letter.is_control() && letter != '\n') {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

fn describe(mistake: &figment::Error) -> String {
    let place = mistake.metadata.as_ref().map(|metadata| {
        let source = metadata.source.as_ref();
        source.map_or_else(|| metadata.name.to_string(), ToString::to_string)
    });
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    let mut key = mistake.path.join(".");
    let what = match &mistake.kind {
        Kind::UnknownField(field, known) => {
            // The path of an unknown key names its table or itself, depending on where it was found.
            if mistake.path.last() != Some(field) {
                key = mistake.path.iter().chain([field]).cloned().collect::<Vec<_>>().join(".");
            }
            match names::nearest(field, known.iter().copied()) {
                _ if key == "server.events_in_flight" => {
                    "is no more: events wait on the disk, and events.backlog says how many may".to_owned()
                }
                Some(near) => format!("unknown key; did you mean {near}?"),
                None => format!("unknown key; known here: {}", known.join(", ")),
            }
        }
        Kind::UnknownVariant(value, known) => format!("{value:?} is none of {}", known.join(", ")),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("expected {}, found {}", in_plain_words(expected), kind(found))
        }
        Kind::Message(message) => in_plain_words(&without_the_line(message)).to_owned(),
        Kind::MissingField(field) => format!("{field} is missing"),
        other => other.to_string(),
    };
    if key.is_empty() { format!("{place}{what}") } else { format!("{place}{key}: {what}") }
}

/// What stands there, without repeating it: where a value is not what its key takes, it may be a secret that belongs
/// elsewhere.
fn kind(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(true) => "true",
        Actual::Bool(false) => "false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a text",
        Actual::Unit | Actual::Option => "nothing",
        Actual::Seq => "a list",
        Actual::Map | Actual::NewtypeStruct => "a table",
        _ => "something else",
    }
}

/// What the TOML parser says of a place, without the line itself: a secret may stand in it.
fn without_the_line(message: &str) -> String {
    let drawn = |line: &&str| {
        !line.trim_start_matches(|letter: char| letter == ' ' || letter.is_ascii_digit()).starts_with('|')
    };
    message.lines().filter(drawn).collect::<Vec<_>>().join("\n")
}

/// What a parser says of a value, where its own words would not tell an operator what to write.
fn in_plain_words(said: &str) -> &str {
    match said {
        "parsable string" => "a size such as \"32MiB\"",
        "invalid socket address syntax" => "expected an address and a port, such as \"127.0.0.1:8000\"",
        other => other,
    }
}

#[cfg(test)]
mod fuzz;

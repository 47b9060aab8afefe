//! A folder with a configuration and components, the command run in it, and a server that ends with the test.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, Answer};

/// How long a condition may take before a test gives up. Far longer than any of them needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command.
pub(crate) const HOOKBOX: &str = env!("CARGO_BIN_EXE_hookbox");

/// A folder that `hookbox` runs in; removed with its last user.
#[derive(Clone)]
pub(crate) struct Site {
    folder: Arc<TempDir>,
}

impl Site {
    /// A folder without a configuration.
    pub(crate) fn empty() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()) }
    }

    /// A folder with this `hookbox.toml`.
    pub(crate) fn new(configuration: &str) -> Self {
        Self::empty().with("hookbox.toml", configuration)
    }

    /// The same with another file.
    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.path().join(name), content).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where a server of this site keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The command in this folder, with none of the caller's own settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(HOOKBOX), arguments)
    }

    /// The same with a copy of the command.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKBOX_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    /// The same on the data of the site's server.
    pub(crate) fn run_on_data(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.env("HOOKBOX_SERVER__DATA", self.data());
        run(command)
    }

    /// A token for the server whose data is here, made with `hookbox token`.
    #[track_caller]
    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let folders = [self.data(), self.path().join("hookbox-data")];
        let data = folders.iter().find(|folder| folder.join("jwt-secret").exists()).unwrap_or(&folders[0]);
        let mut command = self.command(&["token"]);
        command.args(arguments).env("HOOKBOX_SERVER__DATA", data);
        run(command).exits(0).stdout.trim_end().to_owned()
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[], &[])
    }

    /// The same with further arguments and environment variables.
    pub(crate) fn serve_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.arg("--data").arg(self.data()).args(arguments);
        command.envs(variables.iter().copied());
        self.start(command)
    }

    /// Starts a server with a command of one's own.
    pub(crate) fn start(&self, command: Command) -> Server {
        Server::start(command, self.clone())
    }
}

/// A child process that does not outlive its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Holds it to an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Holds its standard error to each of these texts.
    #[track_caller]
    pub(crate) fn explains<T: AsRef<str>>(&self, texts: &[T]) {
        contains_all(&self.stderr, texts, self.code);
    }

    /// Holds its standard output to each of these texts.
    #[track_caller]
    pub(crate) fn prints<T: AsRef<str>>(&self, texts: &[T]) {
        contains_all(&self.stdout, texts, &self.stderr);
    }
}

/// Holds a text to each of these.
#[track_caller]
pub(crate) fn contains_all<T: AsRef<str>>(text: &str, parts: &[T], about: impl std::fmt::Debug) {
    for part in parts {
        let part = part.as_ref();
        assert!(text.contains(part), "no {part:?} in:\n{text}\n{about:?}");
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut process = Process(child.unwrap());
    let stdout = read_all(process.0.stdout.take().unwrap());
    let stderr = read_all(process.0.stderr.take().unwrap());
    // Both streams end when the process does.
    let wait = |stream: Receiver<String>, name: &str| {
        let text = stream.recv_timeout(PATIENCE);
        text.unwrap_or_else(|_| panic!("{command:?} did not end its {name}"))
    };
    let (stdout, stderr) = (wait(stdout, "standard output"), wait(stderr, "standard error"));
    let code = process.0.wait().unwrap().code();
    Ran { code, stdout, stderr }
}

fn read_all(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The lines a process wrote so far.
#[derive(Default)]
struct Lines {
    written: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Lines {
    fn follow(stream: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                kept.written.lock().unwrap().0.push(line);
                kept.changed.notify_all();
            }
            kept.written.lock().unwrap().1 = true;
            kept.changed.notify_all();
        });
        lines
    }

    /// Waits until `enough` finds what it looks for. `None` when the process ends, or takes too long, before.
    fn wait<T>(&self, enough: impl Fn(&[String], bool) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.written.lock().unwrap();
        loop {
            if let Some(found) = enough(&written.0, written.1) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.1 || left.is_zero() {
                return None;
            }
            written = self.changed.wait_timeout(written, left).unwrap().0;
        }
    }

    fn text(&self) -> String {
        self.written.lock().unwrap().0.join("\n")
    }
}

/// A running server. It is killed when the test ends.
pub(crate) struct Server {
    process: Process,
    url: String,
    output: Arc<Lines>,
    log: Arc<Lines>,
    site: Site,
    operator: OnceLock<String>,
}

impl Server {
    fn start(mut command: Command, site: Site) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = Process(child.unwrap());
        let output = Lines::follow(process.0.stdout.take().unwrap());
        let log = Lines::follow(process.0.stderr.take().unwrap());
        let url = output.wait(|lines, _| {
            let ready = "hookbox is ready on ";
            lines.iter().find_map(|line| line.strip_prefix(ready).map(str::to_owned))
        });
        let url = url.unwrap_or_else(|| panic!("the server did not become ready:\n{}", log.text()));
        Self { process, url, output, log, site, operator: OnceLock::new() }
    }

    /// The server's process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Bytes of the server's memory that are resident.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// What an operator sends as `Authorization`.
    pub(crate) fn operator(&self) -> &str {
        self.operator.get_or_init(|| format!("JWT {}", self.site.token(&["--user", "operator", "--staff"])))
    }

    /// One request; to hooks and plugins as an operator, unless it has an `authorization` of its own.
    #[track_caller]
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let url = format!("{}{path}", self.url);
        let mut headers = headers.to_vec();
        let own = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if (path.starts_with("/hooks") || path.starts_with("/admin")) && !own {
            headers.push(("authorization", self.operator()));
        }
        http::send(method, &url, &headers, body.as_ref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Calls a filter.
    #[track_caller]
    pub(crate) fn filter(&self, filter_type: &str, kwargs: &Value) -> Answer {
        let path = format!("/hooks/filters/{filter_type}");
        self.send("POST", &path, &[("content-type", "application/json")], kwargs.to_string())
    }

    /// Calls a filter from another thread.
    pub(crate) fn filter_later(
        &self,
        filter_type: &str,
        kwargs: &Value,
    ) -> thread::JoinHandle<Result<Answer, ureq::Error>> {
        let (url, body) = (format!("{}/hooks/filters/{filter_type}", self.url), kwargs.to_string());
        let operator = self.operator().to_owned();
        thread::spawn(move || {
            let headers = [("content-type", "application/json"), ("authorization", operator.as_str())];
            http::send("POST", &url, &headers, body.as_bytes())
        })
    }

    /// Posts a structured CloudEvent.
    #[track_caller]
    pub(crate) fn post_event(&self, event: &Value) -> Answer {
        let headers = [("content-type", "application/cloudevents+json")];
        self.send("POST", "/hooks/events", &headers, event.to_string())
    }

    /// Posts a change of a course's catalogue information.
    #[track_caller]
    pub(crate) fn post_catalog_info(&self, course_key: &str) {
        let answer = self.post_event(&super::catalog_change(course_key));
        assert_eq!(answer.json(202)["accepted"][0]["receivers"], json!(1), "{answer:?}");
    }

    /// A page of events as operators see it; `query` begins with `?`, or is nothing.
    #[track_caller]
    pub(crate) fn events(&self, query: &str) -> Vec<Value> {
        let mut page = self.get(&format!("/admin/api/events{query}")).json(200);
        page["events"].as_array_mut().map(std::mem::take).unwrap()
    }

    /// A plugin's delivery of an event, with its attempts; the event's number or id.
    #[track_caller]
    pub(crate) fn delivery(&self, event: &str, plugin: &str) -> Value {
        let mut event = self.get(&format!("/admin/api/events/{event}")).json(200);
        let deliveries = event["deliveries"].as_array_mut().unwrap();
        let own = deliveries.iter_mut().find(|delivery| delivery["plugin"] == plugin);
        own.unwrap_or_else(|| panic!("none for {plugin}")).take()
    }

    /// How many deliveries of a plugin wait or run, are delivered, and are dead.
    #[track_caller]
    pub(crate) fn counts(&self, plugin: &str) -> [u64; 3] {
        let summary = self.get("/admin/api/events/summary").json(200);
        let receivers = summary["receivers"].as_array().unwrap();
        let own = receivers.iter().find(|receiver| receiver["plugin"] == plugin);
        ["open", "delivered", "dead"].map(|count| own.map_or(0, |own| own[count].as_u64().unwrap()))
    }

    /// Waits until the deliveries of a plugin that wait or run, are delivered, and are dead, are so many.
    #[track_caller]
    pub(crate) fn until_counts(&self, plugin: &str, counts: [u64; 3]) {
        self.until(&format!("{plugin}'s deliveries are {counts:?}"), |server| {
            server.counts(plugin) == counts
        });
    }

    /// Waits until so many deliveries wait for their second attempt.
    #[track_caller]
    pub(crate) fn until_failed_once(&self, count: usize) {
        self.until("the first attempts have failed", |server| {
            let waiting = server.events("?state=ready");
            let failed = |event: &&Value| event["deliveries"][0]["failures"] == 1;
            waiting.iter().filter(failed).count() == count
        });
    }

    /// Posts what operators ask of events: `retry`, `discard` or `replay`.
    #[track_caller]
    pub(crate) fn ask_of_events(&self, what: &str, asked: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", &format!("/admin/api/events/{what}"), &headers, asked.to_string())
    }

    /// The value of one series in `/metrics`; 0 when it is not there.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.get("/metrics").body;
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let wanted = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        text.lines().filter(wanted).map(value).sum()
    }

    /// Asks the server until the answer is right.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, right: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !right(self) {
            assert!(Instant::now() < deadline, "{what}: still not\n{}", self.log());
            thread::yield_now();
        }
    }

    /// What the server logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until `count` lines of the log hold all of `parts`; answers with the last of them.
    #[track_caller]
    pub(crate) fn logs<T: AsRef<str> + Display>(&self, count: usize, parts: &[T]) -> String {
        let line = self.log.wait(|lines, _| {
            let fits = |line: &&String| parts.iter().all(|part| line.contains(part.as_ref()));
            lines.iter().filter(fits).nth(count - 1).cloned()
        });
        line.unwrap_or_else(|| {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            panic!("not {count} lines with {parts:?} in:\n{}", self.log())
        })
    }

    /// Asks the server to stop, as an init system does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends the server a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.0.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &id]).status();
        assert!(killed.unwrap().success());
    }

    /// Stops the server, and waits until it has moved everything into its files.
    #[track_caller]
    pub(crate) fn stop(self) -> String {
        self.terminate();
        let (code, log) = self.ended();
        assert_eq!(code, Some(0), "{log}");
        log
    }

    /// Ends the server as a power cut does, `kill -9`: nothing of it runs after this.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits until the server has ended; answers with its exit code and its log.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let ended = |stream: &Lines| stream.wait(|_, ended| ended.then_some(())).is_some();
        assert!(ended(&self.output) && ended(&self.log), "still running:\n{}", self.log());
        let code = self.process.0.wait().unwrap().code();
        (code, self.log())
    }
}

//! Every component of `tests/evil/` gets the outcome that its text promises, within its time; a good plugin called at the
//! same moment answers; instances, memories and file handles are back afterwards. Then all of them at once, for a while.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hookbox_hostile::{Attack, Outcome, attacks};
use serde_json::{Value, json};

use crate::support::archive::Person;
use crate::support::guest::sample;
use crate::support::{ABOUT_URL, COURSE, ENROLLMENT, NEW_URL, OLD_URL, Server, Site, about, enrollment};

const SUPPORT: &str = "org.openedx.learning.support.contact.context.requested.v1";
/// The type whose only step is a sample plugin.
const GOOD: &str = "kit.good";
/// What an endless attack is given.
const BUDGET: Duration = Duration::from_millis(500);
/// What is forgiven on a busy machine before a budget counts as overrun.
const PATIENCE: Duration = Duration::from_secs(15);

/// The filter that an attack takes.
fn hook(attack: &Attack) -> &'static str {
    let exports = |hook: &str| attack.world.iter().any(|item| item.contains(hook));
    match () {
        () if exports("enrollment-started") => ENROLLMENT,
        () if exports("support-contact-context") => SUPPORT,
        () => ABOUT_URL,
    }
}

fn arguments(attack: &Attack) -> Value {
    match hook(attack) {
        ENROLLMENT => enrollment("audit"),
        SUPPORT => json!({"context": {}}),
        _ => about(OLD_URL),
    }
}

/// The attacks that go live, as they are only found out when they are called.
fn live() -> Vec<Attack> {
    let lives = |attack: &Attack| matches!(attack.outcome, Outcome::Fails(_) | Outcome::Answers);
    attacks().unwrap().into_iter().filter(lives).collect()
}

/// A site where each of these attacks is the only step of a type of its own, beside a good plugin.
fn site(attacks: &[Attack], endless: Duration, more: &str) -> Site {
    let mut table = format!(
        "{more}
         [plugins.good]\ncomponent = \"good.wasm\"\nlimits = {{ time = \"30s\" }}
         settings = {{ redirect_domain = \"example.com\", path = \"new_about_page\" }}
         [filters.\"{GOOD}\"]\nlike = \"{ABOUT_URL}\"\npipeline = [\"good\"]\nfail_silently = false\n"
    );
    for attack in attacks {
        let name = &attack.name;
        let time = match &attack.outcome {
            Outcome::Fails(code) if code == "time" => endless,
            _ => Duration::from_secs(50),
        };
        // Those that call the database without end wait for the disk, however slow that is.
        let loops = attack.outcome == Outcome::Fails("host-calls".to_owned()) && !attack.grants.is_empty();
        let host_calls = if loops { 50 } else { 1_000 };
        let _ = write!(
            table,
            "[plugins.{name}]\ncomponent = \"{name}.wasm\"\nquarantine = false\ngrants = {:?}
             limits = {{ time = \"{}ms\", log_rate = \"1GiB\", host_calls = {host_calls} }}
             [filters.\"kit.{name}\"]\nlike = \"{}\"\npipeline = [\"{name}\"]\nfail_silently = false\n",
            attack.grants,
            time.as_millis(),
            hook(attack),
        );
    }
    let good = Site::new(&table).with("good.wasm", sample("course-about-url"));
    attacks
        .iter()
        .fold(good, |site, attack| site.with(&format!("{}.wasm", attack.name), attack.component().unwrap()))
}

/// What the server holds.
#[derive(Debug, PartialEq)]
struct Held {
    instances: u64,
    memories: u64,
    tables: u64,
    stacks: u64,
    handles: usize,
}

impl Held {
    fn by(server: &Server) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let pool = |name: &str| server.metric(&format!("hookbox_pool_{name}"), &[]) as u64;
        Self {
            instances: pool("component_instances"),
            memories: pool("memories"),
            tables: pool("tables"),
            stacks: pool("stacks"),
            handles: fs::read_dir(format!("/proc/{}/fd", server.id())).map_or(0, Iterator::count),
        }
    }
}

/// What a call came to, in the words of an [`Outcome`].
fn ended(answer: &crate::support::http::Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match answer.status {
        200 => "answers".to_owned(),
        502 => format!("fails {}", body["failure"]["code"].as_str().unwrap_or("without a code")),
        other => format!("{other} {}", answer.body),
    }
}

fn promised(attack: &Attack) -> String {
    match &attack.outcome {
        Outcome::Refused(code) => format!("refused {code}"),
        Outcome::Canary(code) => format!("canary {code}"),
        Outcome::Fails(code) => format!("fails {code}"),
        Outcome::Answers => "answers".to_owned(),
    }
}

#[test]
fn a_call_of_each_ends_as_promised_and_leaves_nothing_behind() {
    let attacks = live();
    let site = site(&attacks, BUDGET, "");
    let server = site.serve();
    // A status for those that read the archive, and every handle that the server opens once.
    let ada = Person::new(&site, "ada", 7, &[]);
    assert_eq!(ada.post(&server, &json!({"course_id": COURSE})).status, 201);
    server.filter(GOOD, &about(OLD_URL)).json(200);
    let before = Held::by(&server);

    let mut wrong = Vec::new();
    for attack in &attacks {
        let start = Instant::now();
        let attacking = server.filter_later(&format!("kit.{}", attack.name), &arguments(attack));
        let good = server.filter(GOOD, &about(OLD_URL)).json(200);
        assert_eq!(good["kwargs"]["url"], NEW_URL, "beside {}", attack.name);
        let answer = attacking.join().unwrap().unwrap();
        if ended(&answer) != promised(attack) {
            wrong.push(format!("{}: {} instead of {}", attack.name, ended(&answer), promised(attack)));
        }
        assert!(start.elapsed() < BUDGET + PATIENCE, "{} took {:?}", attack.name, start.elapsed());
        server.until(&format!("{} holds nothing", attack.name), |server| Held::by(server) == before);
        if let Outcome::Fails(code) = &attack.outcome
            && !["trap", "answer", "exit"].contains(&code.as_str())
        {
            let hits = server
                .metric("hookbox_limit_hits_total", &[("plugin", attack.name.as_str()), ("limit", code)]);
            assert_eq!(hits, 1.0, "{} is counted", attack.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!server.log().contains('\u{1b}'), "an escape sequence got into the log");
    assert!(
        !server.log().lines().any(|line| line.starts_with("hookbox: ")),
        "a line of a guest's own making got into the log"
    );
}

#[test]
fn what_need_not_be_called_to_be_found_out_is_refused() {
    for attack in attacks().unwrap() {
        let (part, code) = match &attack.outcome {
            Outcome::Refused(code) => ("problems", code),
            Outcome::Canary(code) => ("trial", code),
            Outcome::Fails(_) | Outcome::Answers => continue,
        };
        let site = Site::empty().with("attack.wasm", attack.component().unwrap());
        let start = Instant::now();
        let report = site.run(&["check", "attack.wasm", "--json"]).exits(1).json();
        assert!(start.elapsed() < Duration::from_secs(5) + PATIENCE, "{}", attack.name);
        let found = match part {
            "problems" => &report["problems"][0]["code"],
            _ => &report["trial"]["code"],
        };
        assert_eq!(found, code.as_str(), "{}: {report}", attack.name);
        assert_eq!(report["fits"], false);
    }
}

/// What many calls came to.
#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    good: AtomicU64,
}

/// Good and hostile calls side by side for `HOOKBOX_SOAK_SECONDS`, ten when nobody says; `tests/soak` runs it longer.
#[test]
fn a_soak_of_good_and_hostile_calls_leaves_the_server_as_it_was() {
    let seconds = std::env::var("HOOKBOX_SOAK_SECONDS").map_or(10, |text| text.parse().unwrap());
    let attacks = live();
    let server = site(&attacks, Duration::from_millis(100), "").serve();
    server.filter(GOOD, &about(OLD_URL)).json(200);
    server.operator();
    let before = Held::by(&server);
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    let outcomes = std::sync::Mutex::new(BTreeMap::<String, u64>::new());
    let mut resident = Vec::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.filter(GOOD, &about(OLD_URL)).json(200);
                    assert_eq!(answer["kwargs"]["url"], NEW_URL);
                    tally.calls.fetch_add(1, Ordering::Relaxed);
                    tally.good.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for first in 0..4 {
            let (server, attacks, tally, stop, outcomes) = (&server, &attacks, &tally, &stop, &outcomes);
            scope.spawn(move || {
                for attack in attacks.iter().cycle().skip(first * attacks.len() / 4) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = server.filter(&format!("kit.{}", attack.name), &arguments(attack));
                    let ended = ended(&answer);
                    assert_eq!(ended, promised(attack), "{}", attack.name);
                    tally.calls.fetch_add(1, Ordering::Relaxed);
                    *outcomes.lock().unwrap().entry(ended).or_default() += 1;
                }
            });
        }
        let start = Instant::now();
        // The kernel's clock decides when to look; nothing else is waited for here.
        while start.elapsed() < Duration::from_secs(seconds) {
            thread::park_timeout(Duration::from_secs(seconds).div_f64(20.0));
            resident.push(server.resident_bytes());
        }
        stop.store(true, Ordering::Relaxed);
    });

    server.until("everything is given back", |server| Held::by(server) == before);
    let (calls, good) = (tally.calls.into_inner(), tally.good.into_inner());
    // The call before the soak is counted, too.
    assert_eq!(kit_calls(&server), calls + 1, "every call has one outcome");
    let attacked: u64 = outcomes.lock().unwrap().values().sum();
    assert_eq!(attacked + good, calls);
    // A look may fall into a call that has much memory; what stays is what is there at the least.
    let (first, second) = resident.split_at(resident.len() / 2);
    let least = |looks: &[u64]| looks.iter().min().copied().unwrap();
    let grown = least(second).saturating_sub(least(first));
    let mebibytes: Vec<u64> = resident.iter().map(|bytes| bytes >> 20).collect();
    println!(
        "{good} good and {attacked} hostile calls in {seconds} s; resident MiB over time {mebibytes:?}; {:?}",
        outcomes.lock().unwrap()
    );
    assert!(grown < 64 << 20, "{grown} bytes more stay in the second half than in the first: {resident:?}");
}

/// All calls of the kit's types, whatever they came to.
fn kit_calls(server: &Server) -> u64 {
    let text = server.get("/metrics").body;
    let calls =
        text.lines().filter(|line| line.starts_with("hookbox_calls_total{") && line.contains("hook=\"kit."));
    calls.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

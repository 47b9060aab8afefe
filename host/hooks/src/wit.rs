//! Writes the generated WIT packages from the catalogue. Equal facts give equal bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::catalogue::{Catalogue, EVENTS_PACKAGE, Event, FILTERS_PACKAGE, Filter};
use crate::names;
use crate::types::{Field, Record, ValueType, Variant};

/// One file of a generated package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitFile {
    /// Where it belongs below `wit/`: `openedx-filters/learning-….wit`.
    pub path: String,
    /// Its text.
    pub text: String,
}

const SHARED_TYPES: &str = "hookbox:plugin/types@1.0.0";
const NOTICE: &str =
    "/// Generated from wit/catalog by `cargo run -p hookbox-hooks --example generate-wit`. Do not edit.";

/// Every file of `openedx:filters` and `openedx:events`.
pub fn generate(catalogue: &Catalogue) -> Vec<WitFile> {
    let filters = catalogue.filters().iter().map(|filter| filter_file(filter));
    let types = shared_records(catalogue);
    let homes = types.iter().flat_map(|(domain, records)| {
        records.keys().map(|upstream| (upstream.as_str(), domain.as_str())).collect::<Vec<_>>()
    });
    let homes: BTreeMap<&str, &str> = homes.collect();
    let type_files = types.iter().map(|(domain, records)| types_file(domain, records, &homes));
    let events = catalogue.events().iter().map(|event| event_file(event, &homes));
    let about =
        [package_file("openedx-filters", FILTERS_PACKAGE), package_file("openedx-events", EVENTS_PACKAGE)];
    let mut files: Vec<WitFile> = filters.chain(type_files).chain(events).chain(about).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The packages written by hand, and those of WASI that they need.
pub fn handwritten() -> Vec<WitFile> {
    let file = |path: &str, text: &str| WitFile { path: path.into(), text: text.into() };
    vec![
        file("deps/wasi-clocks/clocks.wit", include_str!("../../../wit/deps/wasi-clocks/clocks.wit")),
        file("deps/wasi-config/store.wit", include_str!("../../../wit/deps/wasi-config/store.wit")),
        file("deps/wasi-http/http.wit", include_str!("../../../wit/deps/wasi-http/http.wit")),
        file("deps/wasi-io/io.wit", include_str!("../../../wit/deps/wasi-io/io.wit")),
        file("deps/wasi-keyvalue/keyvalue.wit", include_str!("../../../wit/deps/wasi-keyvalue/keyvalue.wit")),
        file("deps/wasi-logging/logging.wit", include_str!("../../../wit/deps/wasi-logging/logging.wit")),
        file("hookbox/context.wit", include_str!("../../../wit/hookbox/context.wit")),
        file("hookbox/course-archive.wit", include_str!("../../../wit/hookbox/course-archive.wit")),
        file("hookbox/delivery.wit", include_str!("../../../wit/hookbox/delivery.wit")),
        file("hookbox/generic.wit", include_str!("../../../wit/hookbox/generic.wit")),
        file("hookbox/lifecycle.wit", include_str!("../../../wit/hookbox/lifecycle.wit")),
        file("hookbox/types.wit", include_str!("../../../wit/hookbox/types.wit")),
        file("hookbox/worlds.wit", include_str!("../../../wit/hookbox/worlds.wit")),
    ]
}

fn filter_file(filter: &Filter) -> WitFile {
    let mut body = String::new();
    let signature = &filter.signature;
    let mut used = BTreeSet::new();
    for param in &signature.params {
        aliases(&param.ty, &mut used);
    }
    for param in filter.exceptions.iter().flat_map(|exception| &exception.params) {
        aliases(&param.ty, &mut used);
    }
    use_line(&mut body, SHARED_TYPES, &used);

    if let Some(ValueType::Variant(outcome)) = &signature.ok {
        if let Some(ValueType::Record(changes)) = outcome.cases.first().and_then(|case| case.payload.as_ref())
        {
            body.push_str("  /// The arguments to replace. `none` leaves a value as it was.\n");
            record(&mut body, changes);
        }
        body.push_str("  /// What the step decided: go on, or let no later step run.\n");
        variant(&mut body, outcome);
    }
    if let Some(ValueType::Variant(failure)) = &signature.err {
        for case in &failure.cases {
            if let Some(ValueType::Record(exception)) = &case.payload {
                let _ = writeln!(body, "  /// Raises `{}.{}`.", filter.class, case.name);
                record(&mut body, exception);
            }
        }
        let what =
            if filter.exceptions.is_empty() { "Any" } else { "One of the filter's exceptions, or any other" };
        let _ = writeln!(body, "  /// {what} error.");
        variant(&mut body, failure);
    }
    let _ = writeln!(body, "  /// One pipeline step of `{}`.", filter.class);
    let params: Vec<String> = signature.params.iter().map(parameter).collect();
    function(&mut body, "run-filter", &params, "result<outcome, failure>");

    let about = format!("Filter `{}`, upstream's `{}.{}`.", filter.filter_type, filter.module, filter.class);
    file("openedx-filters", FILTERS_PACKAGE, &names::interface(&filter.filter_type), &about, &body)
}

fn event_file(event: &Event, homes: &BTreeMap<&str, &str>) -> WitFile {
    let mut body = String::new();
    let mut used = BTreeSet::from(["event-metadata".to_owned(), "receive-failure".to_owned()]);
    aliases(&shallow(&event.data.ty), &mut used);
    use_line(&mut body, SHARED_TYPES, &used);
    use_records(&mut body, std::iter::once(&event.data.ty), homes, None);
    let _ = writeln!(body, "  /// Receive one `{}`.", event.signal);
    let params = [parameter(&event.data), "metadata: event-metadata".to_owned()];
    function(&mut body, "receive", &params, "result<_, receive-failure>");

    let about = format!("Event `{}`, upstream's `{}.{}`.", event.event_type, event.module, event.signal);
    file("openedx-events", EVENTS_PACKAGE, &names::interface(&event.event_type), &about, &body)
}

type Records = BTreeMap<String, Arc<Record>>;

/// The attrs classes of all events by domain, then by upstream's dotted name.
fn shared_records(catalogue: &Catalogue) -> BTreeMap<String, Records> {
    let mut types: BTreeMap<String, Records> = BTreeMap::new();
    for event in catalogue.events() {
        event.data.ty.walk(&mut |ty| {
            if let ValueType::Record(record) = ty {
                // `openedx_events.learning.data.UserData` lives in `learning-types`.
                let domain = record.upstream.split('.').nth(1).unwrap_or("other");
                let records = types.entry(names::kebab(domain)).or_default();
                records.insert(record.upstream.clone(), Arc::clone(record));
            }
        });
    }
    types
}

fn types_file(domain: &str, records: &Records, homes: &BTreeMap<&str, &str>) -> WitFile {
    let mut body = String::new();
    let fields = || records.values().flat_map(|record| &record.fields).map(|field| &field.ty);
    let mut used = BTreeSet::new();
    for ty in fields() {
        aliases(&shallow(ty), &mut used);
    }
    use_line(&mut body, SHARED_TYPES, &used);
    use_records(&mut body, fields(), homes, Some(domain));
    let mut sorted: Vec<_> = records.values().collect();
    sorted.sort_by(|a, b| a.wit.cmp(&b.wit));
    for entry in sorted {
        let _ = writeln!(body, "  /// `{}`", entry.upstream);
        record(&mut body, entry);
    }
    let about = format!("What the events of openedx_events.{} carry.", domain.replace('-', "_"));
    file("openedx-events", EVENTS_PACKAGE, &format!("{domain}-types"), &about, &body)
}

/// The package's own documentation. WIT allows it in one file of a package only.
fn package_file(folder: &str, package: &str) -> WitFile {
    WitFile { path: format!("{folder}/package.wit"), text: format!("{NOTICE}\npackage {package};\n") }
}

fn file(folder: &str, package: &str, interface: &str, about: &str, body: &str) -> WitFile {
    let text = format!(
        "package {package};\n\n/// {about}\ninterface {interface} {{\n{}}}\n",
        body.trim_end_matches('\n').to_owned() + "\n"
    );
    WitFile { path: format!("{folder}/{interface}.wit"), text }
}

/// The type without what its records hold: those are named where the record is defined.
fn shallow(ty: &ValueType) -> ValueType {
    match ty {
        ValueType::Record(_) => ValueType::Text,
        ValueType::List(inner) => ValueType::List(Box::new(shallow(inner))),
        ValueType::Map(inner) => ValueType::Map(Box::new(shallow(inner))),
        ValueType::Option(inner) => shallow(inner).optional(),
        other => other.clone(),
    }
}

/// Collects the shared aliases and records that a type needs from `hookbox:plugin/types`.
fn aliases(ty: &ValueType, used: &mut BTreeSet<String>) {
    match ty {
        ValueType::Named(named) => {
            used.insert(named.wit().to_owned());
        }
        ValueType::Json => {
            used.insert("json".to_owned());
        }
        ValueType::Record(record) => {
            used.insert(record.wit.clone());
        }
        ValueType::List(inner) | ValueType::Map(inner) | ValueType::Option(inner) => aliases(inner, used),
        _ => {}
    }
}

fn use_line(body: &mut String, interface: &str, names: &BTreeSet<String>) {
    if !names.is_empty() {
        let names: Vec<String> = names.iter().map(|name| names::escaped(name)).collect();
        let _ = writeln!(body, "  use {interface}.{{{}}};\n", names.join(", "));
    }
}

/// One `use` a domain for the records that `types` name directly, but for those at home in `own`.
fn use_records<'a>(
    body: &mut String,
    types: impl Iterator<Item = &'a ValueType>,
    homes: &BTreeMap<&str, &str>,
    own: Option<&str>,
) {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ty in types {
        let mut ty = ty;
        while let ValueType::List(inner) | ValueType::Map(inner) | ValueType::Option(inner) = ty {
            ty = inner;
        }
        if let ValueType::Record(record) = ty
            && let Some(home) = homes.get(record.upstream.as_str())
            && own != Some(*home)
        {
            wanted.entry(format!("{home}-types")).or_default().insert(record.wit.clone());
        }
    }
    for (interface, records) in &wanted {
        use_line(body, interface, records);
    }
}

fn parameter(field: &Field) -> String {
    format!("{}: {}", names::escaped(&field.wit), field.ty.wit())
}

fn record(body: &mut String, record: &Record) {
    let _ = writeln!(body, "  record {} {{", names::escaped(&record.wit));
    for field in &record.fields {
        let _ = writeln!(body, "    {},", parameter(field));
    }
    body.push_str("  }\n\n");
}

fn variant(body: &mut String, variant: &Variant) {
    let _ = writeln!(body, "  variant {} {{", names::escaped(&variant.wit));
    for case in &variant.cases {
        let payload = case.payload.as_ref().map(|ty| format!("({})", ty.wit())).unwrap_or_default();
        let _ = writeln!(body, "    {}{payload},", names::escaped(&case.wit));
    }
    body.push_str("  }\n\n");
}

/// A function on one line where it fits, else with a line a parameter.
fn function(body: &mut String, name: &str, params: &[String], result: &str) {
    let line = format!("  {name}: func({}) -> {result};", params.join(", "));
    if line.len() <= 110 {
        let _ = writeln!(body, "{line}");
    } else {
        let _ = writeln!(body, "  {name}: func(\n    {},\n  ) -> {result};", params.join(",\n    "));
    }
}

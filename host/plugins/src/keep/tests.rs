use proptest::prelude::*;

use super::*;
use crate::change::tests::{changes, lived};
use crate::record::Source;

/// Any text that comes from a component or an operator.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), Just("\u{0}\"\\\u{202e}".to_owned())]
}

proptest! {
    #[test]
    fn a_record_survives_being_kept(
        changes in changes(),
        texts in prop::collection::vec(text(), 8),
        micros in -62_000_000_000_000_000i64..250_000_000_000_000_000,
        number in any::<f64>().prop_filter("JSON has no other", |number| number.is_finite()),
    ) {
        let mut record = lived(&changes);
        record.approved.push(texts[0].clone());
        record.offers.insert(Source::Sample, texts[1].clone());
        for release in &mut record.releases {
            release.origin.clone_from(&texts[2]);
            release.installed_by.clone_from(&texts[3]);
            release.reason = Some(texts[4].clone());
            release.cases = Some(texts[5].clone());
            release.report = serde_json::json!({&*texts[6]: [texts[7], number, null, {}]});
            release.installed_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
        }
        let (plugin, releases) = to_rows(&record);
        prop_assert_eq!(from_rows(plugin, releases), Ok(record));
    }
}

#[test]
fn the_words_of_the_rows_are_the_words_for_people() {
    let words = "installed checked needs-approval live disabled quarantined replaced rejected removed";
    let row = Place { plugin: "p", release: None };
    for word in words.split(' ') {
        assert_eq!(row.word::<ReleaseState>("state", word).unwrap().name(), word);
    }
    for word in ["enabled", "disabled", "removed"] {
        assert_eq!(row.word::<Standing>("standing", word).unwrap().name(), word);
    }
    for word in ["upload", "folder", "configuration", "sample"] {
        assert_eq!(row.word::<Source>("source", word).unwrap().name(), word);
    }
}

/// The rows of a plugin with a replaced release 1, a live release 2 and a trial of release 1.
fn rows() -> (PluginRow, Vec<ReleaseRow>) {
    let release = |number: u32, state: &str| ReleaseRow {
        number,
        digest: format!("sha256:{number}"),
        bytes: 1,
        version: None,
        source: "upload".to_owned(),
        origin: String::new(),
        installed_at: Timestamp::from_micros(0),
        installed_by: "ada".to_owned(),
        state: state.to_owned(),
        reason: None,
        report: "{}".to_owned(),
        cases: None,
    };
    let trial = r#"{"release": 1, "kind": "shadow", "percent": 5.0, "rule": null, "values": false,
                    "began_at": "2026-01-01T00:00:00Z", "began_by": "ada"}"#;
    let plugin = PluginRow {
        name: "greeter".to_owned(),
        standing: "enabled".to_owned(),
        revision: 4,
        next_number: 3,
        approved: "[]".to_owned(),
        offers: "{}".to_owned(),
        trial: Some(trial.to_owned()),
    };
    (plugin, vec![release(1, "replaced"), release(2, "live")])
}

#[test]
fn a_column_that_makes_no_sense_is_named_with_its_plugin() {
    let (plugin, releases) = rows();
    from_rows(plugin, releases).unwrap();
    type Damage = fn(&mut PluginRow, &mut Vec<ReleaseRow>);
    let damages: &[(&str, &str, Damage)] = &[
        ("record-column", "greeter: column standing: unknown variant `asleep`", |it, _| {
            it.standing = "asleep".into();
        }),
        ("record-column", "greeter: column approved: ", |it, _| it.approved = "{}".into()),
        ("record-column", "greeter: column offers: unknown variant `moon`", |it, _| {
            it.offers = r#"{"moon": ""}"#.into();
        }),
        ("record-column", "greeter: column trial: missing field", |it, _| it.trial = Some("{}".into())),
        ("record-column", "greeter, release 2: column state: ", |_, of| of[1].state = "odd\n\u{1b}".into()),
        ("record-column", "greeter, release 1: column source: ", |_, of| of[0].source = "x".repeat(9_999)),
        ("record-column", "greeter, release 1: column report: ", |_, of| of[0].report = "{".into()),
        ("record-column", "greeter, release 1: column installed_at: ", |_, of| {
            of[0].installed_at = Timestamp::from_micros(i64::MAX);
        }),
        ("record-contradiction", "column state: 2 releases are live", |_, of| of[0].state = "live".into()),
        ("record-contradiction", "column state: a release is live, the plugin is removed", |it, _| {
            it.standing = "removed".into();
        }),
        ("record-contradiction", "column state: a release is disabled, the plugin is enabled", |_, of| {
            of[1].state = "disabled".into();
        }),
        ("record-contradiction", "column next_number: it is 2, there is a release 2", |it, _| {
            it.next_number = 2;
        }),
        ("record-contradiction", "column trial: there is no release 1", |_, of| drop(of.remove(0))),
        ("record-contradiction", "column trial: release 1 is rejected", |_, of| {
            of[0].state = "rejected".into();
        }),
        ("record-contradiction", "column trial: release 1 is replaced, 0 are live", |_, of| {
            drop(of.remove(1));
        }),
    ];
    for (code, expected, damage) in damages {
        let (mut plugin, mut releases) = rows();
        damage(&mut plugin, &mut releases);
        let error = from_rows(plugin, releases).unwrap_err();
        let said = error.to_string();
        assert!(error.code() == *code && said.contains(expected), "{said}");
        assert!(said.len() < 400 && !said.contains(char::is_control), "{said}");
        assert!(said.contains("hookbox db check"), "{said}");
    }
}

//! A selection as a replay keeps it.

use hookbox_store::{DeliveryState, Selection, Timestamp};
use serde::de::Error;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The criteria of a selection; what is left out lets everything through. Times are microseconds since the epoch.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

/// The criteria of a selection as JSON; those that let everything through are left out. Times are microseconds since the
/// epoch.
pub fn selection_to_json(selection: &Selection) -> String {
    let kept = Kept {
        states: selection.states.iter().map(|state| state.name().to_owned()).collect(),
        plugin: selection.plugin.clone(),
        types: selection.types.clone(),
        course: selection.course.clone(),
        source: selection.source.clone(),
        from: selection.from.map(Timestamp::as_micros),
        to: selection.to.map(Timestamp::as_micros),
        id: selection.id.map(Uuid::from_bytes),
        seq: selection.seq,
    };
    // Nothing in it can fail: names are text, numbers are finite.
    serde_json::to_string(&kept).unwrap_or_else(|_| "{}".to_owned())
}

/// Reads what [`selection_to_json`] wrote.
///
/// # Errors
/// What is wrong with it.
pub fn selection_from_json(text: &str) -> Result<Selection, serde_json::Error> {
    let kept: Kept = serde_json::from_str(text)?;
    Ok(Selection {
        states: kept.states.iter().map(|name| state(name)).collect::<Result<_, serde_json::Error>>()?,
        plugin: kept.plugin,
        types: kept.types,
        course: kept.course,
        source: kept.source,
        from: kept.from.map(Timestamp::from_micros),
        to: kept.to.map(Timestamp::from_micros),
        id: kept.id.map(Uuid::into_bytes),
        seq: kept.seq,
    })
}

fn state<E: Error>(name: &str) -> Result<DeliveryState, E> {
    let found = DeliveryState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| E::custom(format_args!("{name:?} is no state of a delivery")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_kept_as_it_was_asked_for() {
        let whole = Selection {
            states: DeliveryState::ALL.to_vec(),
            plugin: Some("p".into()),
            types: vec!["t".into()],
            course: Some("c".into()),
            source: Some("s".into()),
            from: Some(Timestamp::from_micros(-1)),
            to: Some(Timestamp::from_micros(i64::MAX)),
            id: Some([7; 16]),
            seq: Some(9),
        };
        for selection in [whole, Selection::default()] {
            assert_eq!(selection_from_json(&selection_to_json(&selection)).unwrap(), selection);
        }
        assert_eq!(selection_to_json(&Selection::default()), "{}");
        assert!(selection_from_json("{\"kind\": 1}").is_err());
        assert!(selection_from_json("{\"states\": [\"gone\"]}").is_err());
    }
}

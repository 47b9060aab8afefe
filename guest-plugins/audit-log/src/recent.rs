//! Which events were counted last: a ring of places for each type, each with the id of one event.

/// How many of a type's events are remembered.
pub const REMEMBERED: u64 = 64;

/// The key of the place for the event that was counted as this one of its type.
pub fn place(event_type: &str, count: u64) -> String {
    format!("{event_type}#{}", count % REMEMBERED)
}

/// The keys of all places of a type.
pub fn places(event_type: &str) -> Vec<String> {
    (0..REMEMBERED).map(|count| place(event_type, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_last_events_of_a_type_are_remembered_and_no_others() {
        let mut kept = HashMap::new();
        for count in 1..=1_000 {
            kept.insert(place("a", count), count);
        }
        let mut remembered: Vec<u64> = places("a").iter().map(|place| kept[place]).collect();
        remembered.sort_unstable();
        assert_eq!(remembered, (1_000 - REMEMBERED + 1..=1_000).collect::<Vec<_>>());
        assert_eq!(kept.len() as u64, REMEMBERED, "the places do not become more");
        assert!(places("b").iter().all(|place| !kept.contains_key(place)));
    }
}

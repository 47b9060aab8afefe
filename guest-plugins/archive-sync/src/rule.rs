//! Which events move a course's `last-synced`.

/// Whether an event of this time comes too late: the course was synced with a later one. Both times are UTC as the host
/// writes them, `2026-01-02T03:04:05+00:00` with up to six digits of a second after a point.
pub fn is_outdated(event: &str, last_synced: Option<&str>) -> bool {
    let Some(last_synced) = last_synced else {
        return false;
    };
    match (event.strip_suffix(UTC), last_synced.strip_suffix(UTC)) {
        // A second without a fraction is the beginning of the same second with one, and sorts before it.
        (Some(event), Some(last_synced)) => event < last_synced,
        _ => false,
    }
}

const UTC: &str = "+00:00";

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [&str; 6] = [
        "2025-12-31T23:59:59.999999+00:00",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05.000001+00:00",
        "2026-01-02T03:04:05.678901+00:00",
        "2026-01-02T03:04:06+00:00",
        "2026-10-02T03:04:05+00:00",
    ];

    #[test]
    fn an_event_is_outdated_when_a_later_one_was_there() {
        for (at, event) in TIMES.iter().enumerate() {
            for (synced_at, last_synced) in TIMES.iter().enumerate() {
                let outdated = is_outdated(event, Some(last_synced));
                assert_eq!(outdated, at < synced_at, "{event} after {last_synced}");
            }
        }
    }

    #[test]
    fn the_first_event_of_a_course_is_never_outdated() {
        assert!(!is_outdated(TIMES[0], None));
    }

    #[test]
    fn times_that_cannot_be_compared_hold_nothing_back() {
        assert!(!is_outdated("2026-01-02T03:04:05+01:00", Some(TIMES[5])));
        assert!(!is_outdated(TIMES[0], Some("")));
    }
}

//! What is to happen to a component that is sent: the query of the request.

use axum::http::StatusCode;
use hookbox_plugins::{Then, TrialKind, TrialRequest, TrialRule};
use serde::Deserialize;

use crate::problem::Problem;

/// Of a hundred calls, how many a canary answers, unless it is told.
const CANARY_PERCENT: f64 = 10.0;
/// The same of a shadow.
const SHADOW_PERCENT: f64 = 100.0;

/// The query as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Wanted {
    pub(super) sha256: Option<String>,
    #[serde(default)]
    then: Word,
    percent: Option<f64>,
    calls: Option<u64>,
    differences: Option<u64>,
    values: Option<bool>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    #[default]
    Activate,
    Keep,
    Shadow,
    Canary,
}

impl Wanted {
    /// The same as the registry takes it.
    ///
    /// # Errors
    /// Rules of a trial where none is asked for, or that cannot be.
    pub(super) fn then(&self) -> Result<Then, Problem> {
        let (kind, usual) = match self.then {
            Word::Activate => return self.plain(Then::Activate),
            Word::Keep => return self.plain(Then::Keep),
            Word::Shadow => (TrialKind::Shadow, SHADOW_PERCENT),
            Word::Canary => (TrialKind::Canary, CANARY_PERCENT),
        };
        let percent = self.percent.unwrap_or(usual);
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(bad("percent must be above 0 and at most 100"));
        }
        let rule = match (self.calls, self.differences) {
            (None, None) => None,
            (None, Some(_)) => return Err(bad("differences needs calls: after how many the trial ends")),
            (Some(0), _) => return Err(bad("calls must be at least 1")),
            (Some(calls), differences) => {
                Some(TrialRule { calls, differences: differences.unwrap_or_default() })
            }
        };
        Ok(Then::Try(TrialRequest { kind, percent, rule, values: self.values.unwrap_or_default() }))
    }

    fn plain(&self, then: Then) -> Result<Then, Problem> {
        let given = [
            ("percent", self.percent.is_some()),
            ("calls", self.calls.is_some()),
            ("differences", self.differences.is_some()),
            ("values", self.values.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(bad(&format!("{name} goes with then=shadow or then=canary"))),
            None => Ok(then),
        }
    }
}

/// 400 for a query.
pub(super) fn bad(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail)
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    use super::*;
    use crate::path::Asked;

    async fn read(query: &str) -> Result<Then, &'static str> {
        let (mut parts, ()) = Request::get(format!("/a?{query}")).body(()).unwrap().into_parts();
        let asked = Asked::<Wanted>::from_request_parts(&mut parts, &()).await;
        asked.and_then(|Asked(wanted)| wanted.then()).map_err(|problem| problem.code())
    }

    fn tried(
        kind: TrialKind,
        percent: f64,
        rule: Option<(u64, u64)>,
        values: bool,
    ) -> Result<Then, &'static str> {
        let rule = rule.map(|(calls, differences)| TrialRule { calls, differences });
        Ok(Then::Try(TrialRequest { kind, percent, rule, values }))
    }

    #[tokio::test]
    async fn what_is_to_happen_is_read_from_the_query() {
        assert_eq!(read("").await, Ok(Then::Activate));
        assert_eq!(read("then=activate&sha256=ab").await, Ok(Then::Activate));
        assert_eq!(read("then=keep").await, Ok(Then::Keep));
        assert_eq!(read("then=shadow").await, tried(TrialKind::Shadow, 100.0, None, false));
        assert_eq!(read("then=canary").await, tried(TrialKind::Canary, 10.0, None, false));
        assert_eq!(
            read("then=shadow&percent=2.5&calls=100&differences=3&values=true").await,
            tried(TrialKind::Shadow, 2.5, Some((100, 3)), true)
        );
        assert_eq!(read("then=canary&calls=5").await, tried(TrialKind::Canary, 10.0, Some((5, 0)), false));
    }

    #[tokio::test]
    async fn what_cannot_be_asked_for_is_refused_before_a_byte_is_read() {
        for query in [
            "then=sometime",
            "tehn=keep",
            "percent=5",
            "then=keep&calls=5",
            "then=canary&percent=0",
            "then=canary&percent=100.1",
            "then=canary&percent=NaN",
            "then=canary&percent=inf",
            "then=canary&differences=1",
            "then=canary&calls=0",
            "then=canary&calls=-1",
            "then=shadow&values=maybe",
            "then=keep&then=keep",
        ] {
            assert_eq!(read(query).await, Err("bad-query"), "{query}");
        }
    }
}

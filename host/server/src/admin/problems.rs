//! What a change that was not made is answered with.

use std::io::ErrorKind;

use axum::http::StatusCode;
use hookbox_plugins::{ChangeError, Refusal};

use crate::problem::Problem;

/// Letters of a name that is told back.
const NAME: usize = 80;

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let error = shortened(error);
        let problem = Self::new(status(&error), error.code(), error.to_string());
        match error {
            ChangeError::UnknownPlugin { near: Some(near), .. } => problem.with("nearest", near),
            ChangeError::Rejected { plugin, release, report, .. } => {
                problem.with("plugin", plugin).with("release", release).with("report", report)
            }
            ChangeError::Precondition { plugin, now, .. } => {
                problem.with("plugin", plugin).with("revision", now)
            }
            ChangeError::Pipelines(errors) => {
                problem.with("mistakes", errors.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            ChangeError::Store(error) => Self::store(&error),
            ChangeError::Busy => problem.retry_after(1),
            _ => problem,
        }
    }
}

/// Tells whoever runs the host of a change that failed through no doing of the one who asked.
pub(super) fn log(error: &ChangeError) {
    if status(error).is_server_error() {
        tracing::error!(%error, code = error.code(), "a change was not made");
    }
}

/// The same with no more of a name than somebody reads.
fn shortened(error: ChangeError) -> ChangeError {
    let short = |text: String| text.chars().take(NAME).collect::<String>();
    match error {
        ChangeError::Name(name) => ChangeError::Name(short(name)),
        ChangeError::UnknownPlugin { name, near } => ChangeError::UnknownPlugin { name: short(name), near },
        ChangeError::UnknownRelease { plugin, wanted } => {
            ChangeError::UnknownRelease { plugin, wanted: short(wanted) }
        }
        other => other,
    }
}

fn status(error: &ChangeError) -> StatusCode {
    match error {
        ChangeError::Name(_) | ChangeError::Request(_) => StatusCode::BAD_REQUEST,
        ChangeError::UnknownPlugin { .. }
        | ChangeError::UnknownRelease { .. }
        | ChangeError::Refused(Refusal::NoRelease { .. }) => StatusCode::NOT_FOUND,
        ChangeError::Digest { .. } | ChangeError::Rejected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ChangeError::Refused(_) | ChangeError::Pipelines(_) | ChangeError::Kept { .. } => {
            StatusCode::CONFLICT
        }
        ChangeError::Precondition { .. } => StatusCode::PRECONDITION_FAILED,
        ChangeError::File(error) if no_room(error.kind()) => StatusCode::INSUFFICIENT_STORAGE,
        // The status of a database in trouble is the same everywhere.
        ChangeError::Store(error) => crate::archive::status_of(error),
        ChangeError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ChangeError::File(_) | ChangeError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn no_room(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests {
    use hookbox_store::StoreError;
    use serde_json::{Value, json};

    use super::*;

    fn body(error: ChangeError) -> Value {
        Problem::from(error).body()
    }

    #[test]
    fn a_full_disk_is_told_apart_from_other_trouble_with_files() {
        let file = |kind: ErrorKind| body(ChangeError::File(kind.into()))["status"].clone();
        assert_eq!(file(ErrorKind::StorageFull), 507);
        assert_eq!(file(ErrorKind::QuotaExceeded), 507);
        assert_eq!(file(ErrorKind::FileTooLarge), 507);
        assert_eq!(file(ErrorKind::ReadOnlyFilesystem), 500);
        assert_eq!(body(ChangeError::Store(StoreError::Full))["status"], 507);
        assert_eq!(body(ChangeError::Store(StoreError::Busy))["status"], 503);
    }

    #[test]
    fn a_rejection_tells_the_release_and_its_report() {
        let rejected = body(ChangeError::Rejected {
            plugin: "a".into(),
            release: 3,
            reason: "it traps".into(),
            report: json!({"problems": []}),
        });
        assert_eq!(rejected["status"], 422);
        assert_eq!(rejected["code"], "release-rejected");
        assert_eq!((&rejected["release"], &rejected["report"]), (&json!(3), &json!({"problems": []})));
    }

    #[test]
    fn a_name_without_end_is_cut() {
        for error in [
            ChangeError::Name("x".repeat(60_000)),
            ChangeError::UnknownPlugin { name: "x".repeat(60_000), near: None },
        ] {
            assert!(body(error)["detail"].as_str().unwrap().len() < 400);
        }
    }

    #[test]
    fn who_comes_second_learns_what_the_plugin_is_now() {
        let late = body(ChangeError::Precondition { plugin: "a".into(), seen: 3, now: 4 });
        assert_eq!((&late["status"], &late["revision"]), (&json!(412), &json!(4)));
        assert_eq!(body(ChangeError::Busy)["status"], 503);
        let state = Refusal::Plugin { plugin: "a".into(), what: "is removed" };
        assert_eq!(body(ChangeError::Refused(state))["status"], 409);
    }
}

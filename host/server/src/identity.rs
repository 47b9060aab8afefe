//! From a token's claims to a user, and who may do what an operator does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hookbox_store::{NewUser, StoreError, User};

use crate::app::App;
use crate::auth::{Claims, Refusal};
use crate::problem::Problem;
use crate::telemetry::AUTHENTICATIONS;

/// The scope of a token that may call hooks without being staff.
pub const HOOKS_RUN: &str = "hooks:run";

impl App {
    /// Who sends a request. Counted by how it went.
    pub(crate) fn authenticate(
        &self,
        method: &Method,
        headers: &HeaderMap,
        form_token: Option<&str>,
    ) -> Result<Claims, Refusal> {
        let claims = self.auth.authenticate(method, headers, form_token);
        let result = claims.as_ref().map_or_else(|refusal| refusal.label(), |claims| claims.source.label());
        metrics::counter!(AUTHENTICATIONS, "result" => result).increment(1);
        claims
    }

    /// The user whom the claims name: made on first sight, and brought in line with what the claims say.
    pub(crate) async fn user_of(&self, claims: &Claims) -> Result<Arc<User>, StoreError> {
        if let Some(user) = self.store.user(&claims.username).await? {
            self.note_contradiction(claims, &user);
            if updated(claims, &user).is_none() {
                return Ok(user);
            }
        }
        let claims = claims.clone();
        let user = self.store.write(move |writes| match writes.user_by_name(&claims.username)? {
            Some(user) => match updated(&claims, &user) {
                Some(next) => writes.update_user(&next).map(|_| next),
                None => Ok(user),
            },
            None => writes.insert_user(&NewUser {
                id: claims.user_id.filter(|id| *id > 0),
                username: claims.username.clone(),
                email: claims.email.clone().unwrap_or_default(),
                is_active: true,
                is_staff: claims.is_staff.unwrap_or(false),
                is_superuser: claims.is_superuser.unwrap_or(false),
            }),
        });
        user.await.map(Arc::new)
    }

    /// Logs once that a token gives a known user another id. The known one stays.
    fn note_contradiction(&self, claims: &Claims, user: &User) {
        let Some(claimed) = claims.user_id.filter(|claimed| *claimed != user.id) else { return };
        if self.contradictions.first(user.id) {
            tracing::warn!(
                user = user.id,
                claimed,
                "a token's user_id is not the one this user is known by; it is ignored"
            );
        }
    }
}

/// Users whose token gave them another id, so that the log says it once. It forgets when it grows.
#[derive(Default)]
pub(crate) struct Contradictions(Mutex<HashSet<i64>>);

impl Contradictions {
    fn first(&self, user: i64) -> bool {
        const KEPT: usize = 4_096;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEPT {
            seen.clear();
        }
        seen.insert(user)
    }
}

/// The user as the claims would have them; `None` when nothing changes. A claim that is absent leaves things alone.
fn updated(claims: &Claims, user: &User) -> Option<User> {
    let next = User {
        email: claims.email.clone().unwrap_or_else(|| user.email.clone()),
        is_staff: claims.is_staff.unwrap_or(user.is_staff),
        is_superuser: claims.is_superuser.unwrap_or(user.is_superuser),
        ..user.clone()
    };
    (next != *user).then_some(next)
}

/// Lets an operator through: staff, superusers, and tokens with the scope `hooks:run`.
pub(crate) async fn operators_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let claims = app.authenticate(request.method(), request.headers(), None);
    match permitted(&app, claims).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Lets staff and superusers through. A scope does not do: it is given to services that call hooks. Leaves the user
/// for the handler.
pub(crate) async fn staff_only(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let claims = app.authenticate(request.method(), request.headers(), None);
    match staff(&app, claims).await {
        Ok(user) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn staff(app: &App, claims: Result<Claims, Refusal>) -> Result<Arc<User>, Problem> {
    let claims =
        claims.map_err(|refusal| Problem::unauthenticated(refusal.detail(), app.auth.challenge()))?;
    let user = app.user_of(&claims).await.map_err(|error| Problem::store(&error))?;
    if !claims.is_restricted && (user.is_staff || user.is_superuser) {
        return Ok(user);
    }
    Err(Problem::forbidden_to_all_but_staff())
}

async fn permitted(app: &App, claims: Result<Claims, Refusal>) -> Result<(), Problem> {
    let claims =
        claims.map_err(|refusal| Problem::unauthenticated(refusal.detail(), app.auth.challenge()))?;
    if claims.has_scope(HOOKS_RUN) {
        return Ok(());
    }
    let user = app.user_of(&claims).await.map_err(|error| Problem::store(&error))?;
    if !claims.is_restricted && (user.is_staff || user.is_superuser) {
        return Ok(());
    }
    Err(Problem::forbidden())
}

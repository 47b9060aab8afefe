//! `hookbox token`.

use std::time::Duration;

use clap::Args;
use hookbox_server::{Authenticator, Config, TokenRequest};
use serde_json::json;

use crate::Done;
use crate::output;

/// Make a token that this host takes, signed with its secret.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox token --user alice
  hookbox token --user ops --staff --scope hooks:run --ttl 12h
  curl -H \"Authorization: JWT $(hookbox token --user alice)\" http://127.0.0.1:8000/hooks/

Whoever holds the token is the user until it ends; it cannot be taken back. Its first use makes the user, and every \
use sets the marks: without --staff and --superuser they are taken away.")]
pub(crate) struct Token {
    /// The user's name
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The platform's id of the user
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    user_id: Option<i64>,
    /// The user's email address [default: as it is]
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Staff: sees and edits everything
    #[arg(long)]
    staff: bool,
    /// Superuser
    #[arg(long)]
    superuser: bool,
    /// What the token's holder may do; repeat for several
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How long the token is good, such as 15m, 1h or 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
}

impl Token {
    pub(crate) fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let authenticator = Authenticator::new(&config.auth, &config.folder, &config.server.data)?;
        if let Some(file) = authenticator.made_secret() {
            eprintln!("no key is configured: made a secret in {}", file.display());
        }
        let request = TokenRequest {
            username: self.user,
            user_id: self.user_id,
            email: self.email,
            staff: self.staff,
            superuser: self.superuser,
            scopes: self.scope,
            ttl: self.ttl,
        };
        let token = authenticator.sign(&request)?;
        if json {
            let prefix = &config.auth.header_prefix;
            output::json(
                &json!({"token": token, "token_type": prefix, "expires_in": request.ttl.as_secs()}),
            )?;
        } else {
            output::text(&token)?;
        }
        Ok(Done::Well)
    }
}

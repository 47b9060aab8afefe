//! `hookbox check-install`: what an operator wants to know after installing.

use clap::Args;
use hookbox_server::{Authenticator, Config};
use serde::Serialize;

use super::db;
use crate::Done;
use crate::output;

/// Say whether the configuration, the database, the keys and the plugins are ready to serve.
#[derive(Debug, Args)]
#[command(
    after_help = "Run it after installing and after every change of the configuration. It needs no server and changes
nothing; a database or a secret that is not there yet is made by `hookbox serve`."
)]
pub(crate) struct CheckInstall {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ready: bool,
    detail: String,
}

impl CheckInstall {
    pub(crate) async fn execute(self, config: Config, json: bool) -> anyhow::Result<Done> {
        let findings = [database(&config), keys(&config), plugins(&config).await];
        let ready = findings.iter().all(|finding| finding.ready);
        if json {
            output::json(&serde_json::json!({"ready": ready, "findings": findings}))?;
        } else {
            for finding in &findings {
                let mark = if finding.ready { "ok    " } else { "FAILED" };
                output::text(&format!(
                    "{mark} {}: {}",
                    finding.what,
                    finding.detail.replace('\n', "\n         ")
                ))?;
            }
        }
        Ok(if ready { Done::Well } else { Done::Failed })
    }
}

fn database(config: &Config) -> Finding {
    let path = config.database_path();
    let (ready, detail) = if path.exists() {
        match hookbox_store::check(&path) {
            Ok(report) => {
                let problems = db::problems(&report);
                let detail = if problems.is_empty() { db::sound(&report) } else { problems.join("\n") };
                (problems.is_empty(), detail)
            }
            Err(error) => (false, error.to_string()),
        }
    } else {
        (false, format!("{} is not there yet: run `hookbox db migrate`, or start the server", path.display()))
    };
    Finding { what: "database", ready, detail }
}

fn keys(config: &Config) -> Finding {
    let auth = &config.auth;
    let configured = auth.secret.is_some() || auth.secret_file.is_some() || auth.jwks.is_some();
    let made = config.server.data.join("jwt-secret");
    let (ready, detail) = if !configured && !made.exists() {
        let detail = format!(
            "{} is not there yet, and [auth] names no key: `hookbox serve` or `hookbox token` makes it",
            made.display()
        );
        (false, detail)
    } else {
        let authenticator = Authenticator::new(auth, &config.folder, &config.server.data);
        // The pages that CORS admits are trusted as those of [auth] are.
        let origins = config.cors.origins.clone();
        match authenticator.and_then(|mut authenticator| authenticator.trust_origins(origins)) {
            Ok(()) if configured => (true, "the configured keys load".to_owned()),
            Ok(()) => (true, format!("{} loads", made.display())),
            Err(error) => (false, error.to_string()),
        }
    };
    Finding { what: "keys", ready, detail }
}

async fn plugins(config: &Config) -> Finding {
    let live = async {
        let sandbox = super::sandbox(config)?;
        super::generation(&sandbox, config).await
    };
    let (ready, detail) = match live.await {
        Ok(generation) => {
            let names: Vec<String> = generation.plugins().map(|plugin| plugin.name().to_owned()).collect();
            let detail = if names.is_empty() { "none configured".to_owned() } else { names.join(", ") };
            (true, detail)
        }
        Err(error) => (false, format!("{error:#}")),
    };
    Finding { what: "plugins", ready, detail }
}

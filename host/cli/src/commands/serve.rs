//! `hookbox serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use hookbox_server::{Config, ConfigError};

use crate::Done;
use crate::output;
use crate::samples::SAMPLES;

/// Serve filters and events over HTTP.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  hookbox serve
  hookbox serve --listen 127.0.0.1:9000 --data /var/lib/hookbox
  HOOKBOX_LOG=info,hookbox::plugin=debug hookbox serve

SIGHUP reads the configuration again: plugins and filters change while calls run, or nothing does.")]
pub(crate) struct Serve {
    /// Where to listen; over server.listen
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The folder for everything the host keeps; over server.data
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Serve {
    /// `read` reads the configuration, as often as it is asked to.
    pub(crate) async fn execute(
        self,
        read: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    ) -> anyhow::Result<Done> {
        let configured = move || {
            let mut config = read()?;
            if let Some(listen) = self.listen {
                config.server.listen = listen;
            }
            if let Some(data) = &self.data {
                config.server.data.clone_from(data);
            }
            Ok(config)
        };
        let config = configured()?;
        let ready = |address: SocketAddr| {
            // Programs that start the server wait for this line; a closed standard output is theirs to choose.
            let _ = output::text(&format!("hookbox is ready on http://{address}"));
        };
        let stop = stop_signal()?;
        let compiler = super::compiler(&config)?;
        hookbox_server::serve(&config, SAMPLES, compiler, configured, ready, stop).await?;
        Ok(Done::Well)
    }
}

/// Ends at the first interrupt or termination signal.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

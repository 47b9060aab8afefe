//! The server's life: bind, load, serve, stop without dropping a call.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_plugins::{
    ChangeError, DataLock, FailedCallKeeper, LoadError, LockError, Registry, RegistryOptions, Sample,
};
use hookbox_sandbox::{Compiler, FailedCalls, Sandbox, SandboxError, SandboxOptions, Services};
use hookbox_store::{OpenError, Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{App, AppError, router};
use crate::config::{Config, ConfigError};
#[cfg(unix)]
use crate::reload;
use crate::services::services;
use crate::telemetry;

/// How long a server waits for a data folder that another process works on.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How long between two looks at it.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The server cannot start, or stopped on its own.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or may not be used.
    #[error("cannot listen on {address}: {reason}{}", hint(.reason))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Another process works on the data folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The configuration's keys or origins cannot be used.
    #[error(transparent)]
    App(#[from] AppError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The journal of events cannot be read or written.
    #[error("the events that wait could not be taken up: {0}")]
    Events(StoreError),
    /// The folder for failed calls cannot be used.
    #[error("failed calls cannot be kept: {0}")]
    FailedCalls(std::io::Error),
    /// What is kept of plugins cannot be read.
    #[error(transparent)]
    Plugins(#[from] ChangeError),
    /// The configuration's plugins or filters cannot live.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Load(Vec<LoadError>),
    /// The listener failed.
    #[error("the server stopped: {0}")]
    Io(std::io::Error),
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; stop the program that uses it, or choose another with --listen or server.listen"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege, choose a higher one",
        _ => "",
    }
}

/// Where compiled components are kept below the data folder.
pub fn compile_cache(data: &Path) -> PathBuf {
    data.join("cache").join("components")
}

/// Serves until `stop` ends, then finishes calls in flight within the configured grace; events that wait stay for the next
/// start.
/// `ready` hears the address once calls can be answered. `compiler` compiles the plugins; when `stop` ends before they
/// are loaded, this does not wait for it. `reread` reads the configuration again, with all that was laid over it: at each
/// `SIGHUP` and each time that an operator asks for it.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    config: &Config,
    samples: &'static [Sample],
    compiler: Compiler,
    reread: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    // Until somebody listens for it, this signal ends the process.
    #[cfg(unix)]
    let hangups =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map_err(ServeError::Io)?;
    let address = config.server.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|reason| ServeError::Listen { address, reason })?;
    let address = listener.local_addr().map_err(ServeError::Io)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "other machines can reach this address: put a proxy with TLS in front");
    }
    // The recorder comes before anything that counts.
    let upkeep = tokio::spawn(telemetry::upkeep(telemetry::recorder()));
    // The store comes first: it makes the data folder, for this user alone.
    let options = config.database_options();
    let store = tokio::task::spawn_blocking(move || Store::open(&options)).await.map_err(|error| {
        // The task ends only by finishing or by a panic of our own.
        ServeError::Io(std::io::Error::other(error))
    })??;
    let closing = store.closing();
    let _alone = alone(&config.server.data).await?;
    let keeper = failed_calls(config).await?;
    let failed_calls = keeper.clone().map(|keeper| -> Arc<dyn FailedCalls> { Arc::new(keeper) });
    let sandbox = Sandbox::new(SandboxOptions {
        cache: Some(compile_cache(&config.server.data)),
        compiler,
        services: Services { failed_calls, ..services(&store) },
        guest_memory_bytes: Some(usize::try_from(config.server.guest_memory.as_u64()).unwrap_or(usize::MAX)),
    })?;
    tracing::info!(allocation = ?sandbox.allocation(), "sandbox made");
    let plugins = Registry::open(RegistryOptions {
        sandbox: sandbox.clone(),
        store: store.clone(),
        data: config.server.data.clone(),
        samples,
    })
    .await?;
    let app = App::new(sandbox, store, plugins.clone(), config, Arc::new(reread))?;
    if let Some(keeper) = keeper.clone() {
        app.show_failed_calls(keeper);
    }

    let (stopping, stopped) = watch::channel(false);
    let told = stopped.clone();
    let http =
        axum::serve(listener, router(app.clone())).with_graceful_shutdown(told_to_stop(told)).into_future();
    let http = tokio::spawn(http);

    let mut stop = pin!(stop);
    let started = tokio::select! {
        started = plugins.start(config.configured()) => started,
        () = &mut stop => {
            tracing::info!("stopped before the plugins were loaded");
            http.abort();
            return Ok(());
        }
    };
    if let Err(errors) = started {
        http.abort();
        return Err(ServeError::Load(errors));
    }
    let watched = tokio::select! {
        () = app.watch(config) => true,
        () = &mut stop => false,
    };
    let delivering = tokio::spawn(heed_changes(app.clone()));
    if watched {
        // What waits is not begun while some of its receivers are still on their way.
        if let Err(error) = app.delivery.start().await {
            delivering.abort();
            http.abort();
            return Err(ServeError::Events(error));
        }
        #[cfg(unix)]
        let reloading = tokio::spawn(reload::at_hangups(app.clone(), hangups));
        ready(address);

        stop.await;
        #[cfg(unix)]
        {
            reloading.abort();
            let _ = reloading.await;
        }
    }
    tracing::info!("stopping: calls in flight are finished first");
    app.stop();
    let _ = stopping.send(true);
    let grace = config.server.shutdown_grace;
    // Whoever reads the configuration again holds the watch until it is read: that is a request in flight too.
    let ending = async { tokio::join!(http, app.watch_nothing()).0 };
    match tokio::time::timeout(grace, ending).await {
        Ok(Ok(ended)) => ended.map_err(ServeError::Io)?,
        Ok(Err(error)) => tracing::error!(%error, "the server's task ended in a panic: please report this"),
        Err(_) => tracing::warn!("some requests did not end within the grace"),
    }
    if !app.delivery.stop(grace).await {
        tracing::warn!(
            "some receivers did not end within the grace; the next start gives them their events again"
        );
    }
    delivering.abort();
    let _ = delivering.await;
    if let Some(keeper) = keeper {
        let _ = tokio::task::spawn_blocking(move || keeper.finish()).await;
    }
    upkeep.abort();
    // A connection that ends last may have the app for a moment longer, and with it the database.
    drop((app, plugins));
    if tokio::time::timeout(grace, closing.wait()).await.is_err() {
        tracing::warn!("the database was not closed within the grace; the next start takes up its log");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Tells the lanes of each change of the plugins.
async fn heed_changes(app: Arc<App>) {
    let mut changes = app.plugins.changes();
    while changes.changed().await.is_ok() {
        app.delivery.plugins_changed();
    }
}

/// Who keeps failed calls, when the configuration wants some kept.
async fn failed_calls(config: &Config) -> Result<Option<FailedCallKeeper>, ServeError> {
    let Some(options) = config.failed_calls.options(&config.server.data) else { return Ok(None) };
    let opening = tokio::task::spawn_blocking(move || FailedCallKeeper::open(options)).await;
    let opened = opening.map_err(std::io::Error::other).and_then(|opened| opened);
    opened.map(Some).map_err(ServeError::FailedCalls)
}

/// Takes the data folder for this server. A command that works on it for a moment is waited for.
async fn alone(data: &Path) -> Result<DataLock, LockError> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match DataLock::take(data) {
            Err(LockError::Held(_)) if Instant::now() < until => tokio::time::sleep(LOCK_PAUSE).await,
            taken => return taken,
        }
    }
}

async fn told_to_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

//! From a host to the addresses that may be connected to.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use wasmtime_wasi_http::Error;

use super::exchange::{Exchange, Outcome};
use super::{Outgoing, address};
use crate::grants::{Host, Origin};

/// Names that one plugin has looked up at a time: each holds a thread until the system answers.
const LOOKUPS: usize = 4;
/// Addresses of one name.
const ADDRESSES: usize = 64;

/// The addresses of a name, or why there are none.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Says which addresses a name has. What it says is checked: it need not be trusted.
pub trait Resolver: Send + Sync {
    /// The addresses of a name, which is in lower case and without a dot at its end.
    fn resolve(&self, name: &str) -> Resolving;
}

/// The system's own resolver.
pub(super) struct System {
    turns: Arc<Semaphore>,
}

impl System {
    pub(super) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolver for System {
    fn resolve(&self, name: &str) -> Resolving {
        let (turns, name) = (Arc::clone(&self.turns), name.to_owned());
        Box::pin(async move {
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            // The system cannot be told to stop: the thread keeps its turn until it has the answer.
            let lookup = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let addresses = (name.as_str(), 0).to_socket_addrs()?;
                Ok(addresses.map(|address| address.ip()).take(ADDRESSES).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// The addresses of an origin, every one of them checked. One that is not public, and not granted by address, refuses
/// the request even when others are fine: an honest name does not lead to both sides of the fence.
pub(super) async fn addresses(
    outgoing: &Outgoing,
    origin: &Origin,
    exchange: &Exchange,
    warned: &AtomicBool,
) -> Result<Vec<SocketAddr>, Error> {
    let unknown = || Error::DnsError { rcode: Some("the name has no address".to_owned()), info_code: None };
    let (name, found) = match &origin.host {
        // Its origin is granted, and so by address.
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, origin.port)]),
        Host::Name(name) => (name, outgoing.resolver.resolve(name).await),
    };
    let mut found = found.map_err(|error| {
        tracing::debug!(plugin = &*outgoing.plugin, name, "no address: {error}");
        exchange.fail(Outcome::Failed, unknown())
    })?;
    found.truncate(ADDRESSES);
    for address in &found {
        let Some(kind) = address::not_public(*address) else { continue };
        let by_address = Host::Address(*address);
        if outgoing.origins.iter().any(|granted| granted.host == by_address && granted.port == origin.port) {
            continue;
        }
        if !warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                plugin = &*outgoing.plugin,
                "a request to {origin} is refused: the name leads to {address}, which is not public ({kind}); only a \
                 grant of that address and port allows it"
            );
        }
        return Err(exchange.fail(Outcome::AddressRefused, Error::DestinationIpProhibited));
    }
    if found.is_empty() {
        return Err(exchange.fail(Outcome::Failed, unknown()));
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, origin.port)).collect())
}

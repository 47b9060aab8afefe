//! A connection to one of the checked addresses, with TLS where the origin asks for it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use crate::grants::{Host, Origin};

/// TLS for all plugins: the authorities that browsers trust, no certificate of our own, HTTP/1.1.
static TLS: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> =
    LazyLock::new(|| config(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()));

/// A connection's bytes.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Makes what TLS needs, so that no call waits for it.
pub(super) fn prepare() {
    let _ = LazyLock::force(&TLS);
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What one plugin's connection leaves behind is not there for another's.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Connects to the first address that takes the connection. Each gets an equal share of the time that is left.
pub(super) async fn connect(
    origin: &Origin,
    addresses: &[SocketAddr],
    until: Instant,
) -> Result<Box<dyn Stream>, Error> {
    let mut failure = Error::DestinationUnavailable;
    for (at, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let shares = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = Instant::now() + left / shares;
        match timeout_at(share.into(), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                if !origin.secure {
                    return Ok(Box::new(stream));
                }
                let config = TLS.as_ref().map_err(|_| Error::ConfigurationError)?;
                return secure(&origin.host, stream, config).await;
            }
            Ok(Err(error)) => failure = unreachable(&error),
            Err(_) => failure = Error::ConnectionTimeout,
        }
    }
    Err(failure)
}

fn unreachable(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

/// TLS to a host that must show a certificate for its name or address.
async fn secure(
    host: &Host,
    stream: TcpStream,
    config: &Arc<ClientConfig>,
) -> Result<Box<dyn Stream>, Error> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::TlsCertificateError)?,
        Host::Address(address) => ServerName::from(*address),
    };
    match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(not_secured(&error)),
    }
}

fn not_secured(error: &std::io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: None }
        }
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    /// What comes of TLS to a server whose certificate is vouched for, called by this host.
    async fn secured(host: Host) -> Result<(), Error> {
        let certificate =
            CertificateDer::from_pem_slice(include_bytes!("../../../tests/tls/certificate.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/tls/key.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(server)).accept(stream).await
        };
        let stream = TcpStream::connect(address).await.unwrap();
        let config = config(roots).unwrap();
        let (client, _server) = tokio::join!(secure(&host, stream, &config), accept);
        client.map(drop)
    }

    #[tokio::test]
    async fn a_server_must_have_a_certificate_for_the_name_or_address_it_is_called_by() {
        for host in ["tls.example.test", "localhost", "127.0.0.1"] {
            assert!(secured(Host::parse(host).unwrap()).await.is_ok(), "{host}");
        }
        for host in ["example.test", "other.example.test", "127.0.0.2", "::1"] {
            let refused = secured(Host::parse(host).unwrap()).await;
            assert!(matches!(refused, Err(Error::TlsCertificateError)), "{host}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_answers_is_found_behind_one_that_does_not() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = somebody.local_addr().unwrap();
        let origin = Origin { secure: false, host: Host::Name("example.test".into()), port: address.port() };
        let until = Instant::now() + std::time::Duration::from_secs(20);
        assert!(connect(&origin, &[nobody, address], until).await.is_ok());
        let refused = connect(&origin, &[nobody], until).await;
        assert!(matches!(refused, Err(Error::ConnectionRefused)));
    }
}

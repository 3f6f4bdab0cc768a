//! TLS and HTTP on any stream.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

type Failure = Box<dyn Error + Send + Sync>;

/// What to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Whom to believe.
#[derive(Clone)]
pub(crate) struct Trust(Arc<RootCertStore>);

/// A connection to a server.
pub(crate) struct Client {
    server: IpAddr,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Trust {
    /// Those who have this certificate.
    pub(crate) fn in_pem(certificate: &str) -> Result<Trust, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
        Ok(Trust(Arc::new(roots)))
    }
}

impl Client {
    /// Begins to speak with `server`, at the other end of `stream`.
    pub(crate) async fn connect(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        server: IpAddr,
        trust: &Trust,
        version: Version,
    ) -> Result<Client, Failure> {
        let mut config = ClientConfig::builder()
            .with_root_certificates(Arc::clone(&trust.0))
            .with_no_client_auth();
        config.alpn_protocols = vec![match version {
            Version::Http1 => b"http/1.1".to_vec(),
            Version::Http2 => b"h2".to_vec(),
        }];
        let tls = TlsConnector::from(Arc::new(config))
            .connect(ServerName::from(server), stream)
            .await?;
        let io = TokioIo::new(tls);
        let sender = match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Client { server, sender })
    }

    /// Fetches `path`.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let host = match self.server {
            IpAddr::V4(server) => server.to_string(),
            IpAddr::V6(server) => format!("[{server}]"),
        };
        let request = Request::builder();
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                let request = request.uri(path).header("host", host);
                sender.ready().await?;
                sender.send_request(request.body(Full::default())?).await?
            }
            Sender::Http2(sender) => {
                let request = request.uri(format!("https://{host}{path}"));
                sender.ready().await?;
                sender.send_request(request.body(Full::default())?).await?
            }
        };
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

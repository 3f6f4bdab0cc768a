//! TLS and HTTP on sockets of the stack.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use netstack::tokio::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The longest answer that may be asked for.
const MOST: usize = 64 << 20;
/// How long a client may take for its half of a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// A certificate that was made just now, and what goes with it.
pub(crate) struct Identity {
    /// In PEM, for clients to trust.
    pub(crate) certificate: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A certificate for these names or addresses, signed by itself.
    pub(crate) fn new(names: &[String]) -> Result<Identity, Box<dyn Error + Send + Sync>> {
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Identity {
            certificate: made.cert.pem(),
            config: Arc::new(config),
        })
    }
}

/// Answers whoever connects, until the stack ends.
pub(crate) async fn serve(mut listener: TcpListener, identity: &Identity) {
    let acceptor = TlsAcceptor::from(Arc::clone(&identity.config));
    // A listener is a stream of connections.
    while let Some(Ok(stream)) = listener.next().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, acceptor).await {
                eprintln!("connection: {error}");
            }
        });
    }
}

async fn answer(
    stream: TcpStream,
    acceptor: TlsAcceptor,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let tls = timeout(PATIENCE, acceptor.accept(stream)).await??;
    // Which version of HTTP it is, the connection's first bytes tell.
    Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(tls), service_fn(respond))
        .await
}

/// `GET /` greets, `GET /bytes/N` is N bytes long, and what is posted comes back as it comes.
async fn respond(
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::POST, _) => return Ok(Response::new(request.into_body().boxed())),
        (_, "/") => (StatusCode::OK, greeting(&request)),
        (_, path) => match path.strip_prefix("/bytes/").map(str::parse) {
            Some(Ok(length)) if length <= MOST => (StatusCode::OK, pattern(length)),
            _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"not found\n")),
        },
    };
    let body = Full::new(body).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

fn greeting(request: &Request<Incoming>) -> Bytes {
    format!("hello over {:?}\n", request.version()).into()
}

/// Bytes of which each tells its place.
pub(crate) fn pattern(length: usize) -> Bytes {
    let byte = |place: usize| (place as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()[0];
    (0..length).map(byte).collect()
}

//! The http service: files below one directory, over HTTP/1.1 by hyper.
//!
//! Works over any asynchronous byte stream: those of the stack come from the module `web`.

mod body;
mod files;
mod listing;
mod path;
mod patient;
mod range;
mod respond;

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use files::Files;
pub(crate) use patient::Patient;

/// How long a client may take over the head of a request, and sit idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest head of a request, and what is taken from a file before the client has taken what came before.
const BUFFER: usize = 64 << 10;

/// Answers the requests of one connection until it ends.
pub(crate) async fn serve_connection<S>(stream: S, files: Arc<Files>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let files = Arc::clone(&files);
        async move { Ok::<_, std::convert::Infallible>(respond::respond(&request, files).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(true)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "http connection ended early");
    }
}

#[cfg(test)]
mod tests;

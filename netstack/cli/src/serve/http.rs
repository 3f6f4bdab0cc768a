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
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

pub(crate) use files::Files;
pub(crate) use patient::Patient;

/// How long a client may take over the head of a request, and sit idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest head of a request, and what is taken from a file before the client has taken what came before.
const BUFFER: usize = 64 << 10;

/// How long, and for how many bytes, to listen on to a client that was given its last answer.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 16 << 20;

/// Answers the requests of one connection until it ends. What the client sent and nobody read may be left in `stream`.
pub(crate) async fn serve_connection<S>(stream: &mut S, files: Arc<Files>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
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

/// Ends the stream of answers, and throws away what the client still sends until it ends its own.
///
/// To close a connection with unread data is to reset it, and a reset overtakes an answer that was not read yet (RFC
/// 9112 section 9.6).
pub(crate) async fn linger<S>(stream: &mut S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let drain = async {
        stream.shutdown().await?;
        let (mut waste, mut left) = (vec![0; BUFFER], LINGER_BYTES);
        while left > 0 {
            match stream.read(&mut waste).await? {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        std::io::Result::Ok(())
    };
    // Whoever has not ended by then, or fails, is not waited for.
    let _ = timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests;

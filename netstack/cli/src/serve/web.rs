//! The http service's thread: a single-threaded runtime that accepts on the stack's sockets.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use netstack::Netstack;
use netstack::tokio::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

use super::http::{Files, Patient, linger, serve_connection};
use super::services::everywhere;
use crate::args::{Service, ServiceKind};
use crate::failure::Failure;

/// Connections that are served at a time; further ones wait in the listener's backlog.
const CONNECTIONS: usize = 1024;
/// What one connection may hold of the stack's memory for sending: all of them together, a quarter of it.
const SEND_BUFFER: usize = 256 << 10;
/// How long a client may go without taking anything of what it asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait after an accept that failed for want of something that may come back.
const BREATHER: Duration = Duration::from_millis(100);

/// The running service; dropping it ends its connections.
pub(crate) struct Web {
    /// Dropped to say stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// Listens on the ports of all http services and answers from `files`.
    ///
    /// # Errors
    /// When a port or the thread cannot be had.
    pub(crate) fn start(
        net: &Netstack,
        services: &[Service],
        files: Files,
    ) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Failure::new(format!("cannot start the http service: {error}")))?;
        let mut listeners = Vec::new();
        for port in services
            .iter()
            .filter(|s| s.kind == ServiceKind::Http)
            .map(|s| s.port)
        {
            for local in everywhere(port) {
                let listener = TcpListener::bind(net, local);
                listeners.push(listener.map_err(|error| {
                    Failure::new(format!("cannot serve http on {local}: {error}"))
                })?);
            }
        }
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || run(&runtime, listeners, Arc::new(files), stopped))
            .map_err(|error| Failure::new(format!("cannot start the http service: {error}")))?;
        Ok(Web {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

fn run(
    runtime: &Runtime,
    listeners: Vec<TcpListener>,
    files: Arc<Files>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in listeners {
            tokio::spawn(accept(listener, Arc::clone(&places), Arc::clone(&files)));
        }
        // Either way it is the end: nothing is ever sent.
        let _ = stopped.await;
    });
}

async fn accept(listener: TcpListener, places: Arc<Semaphore>, files: Arc<Files>) {
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tracing::debug!(%peer, "http connection");
                let files = Arc::clone(&files);
                tokio::spawn(async move {
                    serve(stream, files).await;
                    drop(place);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NetworkDown => return,
            Err(error) => {
                tracing::warn!(%error, "http accept");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

/// Serves one connection, whose client may be slow but has to read: otherwise the connection is reset, for its end would
/// never be taken either.
async fn serve(stream: TcpStream, files: Arc<Files>) {
    if let Err(error) = stream.set_send_buffer(SEND_BUFFER) {
        tracing::debug!(%error, "http connection");
        return;
    }
    let mut stream = Patient::new(stream, PATIENCE);
    serve_connection(&mut stream, files).await;
    if stream.has_run_out() {
        stream.get_ref().set_zero_linger();
    } else {
        linger(&mut stream).await;
    }
}

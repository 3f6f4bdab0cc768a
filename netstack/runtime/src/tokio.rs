//! Asynchronous sockets, shaped like those of [`tokio::net`](https://docs.rs/tokio/latest/tokio/net).
//!
//! They need no tokio runtime: the stack's own thread wakes the tasks, whatever executor they run on. All futures are
//! cancel-safe: one that is dropped before it is ready has taken nothing and sent nothing.
//!
//! The `poll_*` functions and the `AsyncRead` and `AsyncWrite` of one handle remember one task for each direction,
//! that of the last call, as tokio's do; the `async` functions can be called from any number of tasks at once.

mod gateway;
mod messages;
mod split;
mod tcp_listener;
mod tcp_stream;
mod transfer;
mod udp_socket;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use ::tokio::task::coop;

pub use self::gateway::{FlowSocket, Gateway, IncomingFlow};
pub use self::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use self::tcp_listener::TcpListener;
pub use self::tcp_stream::TcpStream;
pub use self::udp_socket::UdpSocket;

use crate::socket::Waitable;
use crate::waiters::{Direction, Waiter, WaiterKey};

/// One `poll_*` call of a handle: `op` with the handle's own key, within the task's budget.
fn poll_handle<T>(
    key: WaiterKey,
    cx: &mut Context<'_>,
    op: impl FnOnce(Option<Waiter<'_>>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    // A stream that is always ready must not keep the task's thread for itself.
    let budget = ready!(coop::poll_proceed(cx));
    let result = op(Some(Waiter {
        key,
        waker: cx.waker(),
    }));
    if result.is_ready() {
        budget.made_progress();
    }
    result
}

/// Repeats `op` until it is done, with a key of its own; dropping the future takes its waker back.
async fn wait<T>(
    socket: &impl Waitable,
    direction: Direction,
    mut op: impl FnMut(Option<Waiter<'_>>) -> Poll<io::Result<T>>,
) -> io::Result<T> {
    let mut interest = Interest {
        socket,
        direction,
        key: WaiterKey::unique(),
        registered: false,
    };
    poll_fn(|cx| {
        let result = poll_handle(interest.key, cx, &mut op);
        interest.registered |= result.is_pending();
        result
    })
    .await
}

/// Takes the waker of a future back when the future goes.
struct Interest<'a, S: Waitable> {
    socket: &'a S,
    direction: Direction,
    key: WaiterKey,
    registered: bool,
}

impl<S: Waitable> Drop for Interest<'_, S> {
    fn drop(&mut self) {
        if self.registered {
            self.socket.deregister(self.direction, self.key);
        }
    }
}

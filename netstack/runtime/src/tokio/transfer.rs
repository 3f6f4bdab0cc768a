//! What all asynchronous sockets send and receive by.

use std::collections::VecDeque;
use std::io;
use std::task::{Poll, ready};

use ::tokio::io::ReadBuf;
use bytes::Bytes;
use netstack_core::{Received, RecvFlags, SendFlags};
use txbuf::{Completion, IovIter, Span, Token};

use super::wait;
use crate::copy::unreadable;
use crate::socket::{Socket, Waitable};
use crate::waiters::{Direction, Waiter};

/// Sends from the front of `from` when there is room for something.
pub(super) async fn send(
    socket: &Socket,
    from: &mut IovIter<'_>,
    flags: SendFlags,
    token: Option<&Token>,
) -> io::Result<usize> {
    if flags.has(SendFlags::DONTWAIT) {
        return or_would_block(socket.poll_send(None, from, flags, token));
    }
    wait(socket, Direction::Write, |waiter| {
        socket.poll_send(waiter, from, flags, token)
    })
    .await
}

/// Sends from the front of `bytes` without copying, and advances it.
pub(super) async fn send_bytes(socket: &Socket, bytes: &mut Bytes) -> io::Result<usize> {
    let span = Span::from_bytes(socket.ledger(), bytes.clone());
    let span = span.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let sent = send(socket, &mut IovIter::span(span), SendFlags::NONE, None).await?;
    let _ = bytes.split_to(sent.min(bytes.len()));
    Ok(sent)
}

/// Receives into the unfilled part of `buf`.
pub(super) fn receive_into(
    socket: &impl Waitable,
    waiter: Option<Waiter<'_>>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<Received>> {
    copy_into(socket, waiter, buf, RecvFlags::NONE)
}

/// Copies into the unfilled part of `buf` what stays to be received.
pub(super) fn peek_into(
    socket: &impl Waitable,
    waiter: Option<Waiter<'_>>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<usize>> {
    copy_into(socket, waiter, buf, RecvFlags::PEEK).map_ok(|received| received.bytes)
}

fn copy_into(
    socket: &impl Waitable,
    waiter: Option<Waiter<'_>>,
    buf: &mut ReadBuf<'_>,
    flags: RecvFlags,
) -> Poll<io::Result<Received>> {
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, buf.remaining());
    let flags = flags | RecvFlags::TRANSIENT | RecvFlags::READABLE;
    let received = ready!(socket.poll_receive(waiter, &mut into, flags))?;
    for span in spans {
        for extent in span.extents() {
            buf.put_slice(extent.bytes().map_err(unreadable)?);
        }
    }
    Poll::Ready(Ok(received))
}

/// Receives into `into` when there is something.
pub(super) async fn receive(
    socket: &impl Waitable,
    into: &mut IovIter<'_>,
    flags: RecvFlags,
) -> io::Result<Received> {
    if flags.has(RecvFlags::DONTWAIT) {
        return or_would_block(socket.poll_receive(None, into, flags));
    }
    wait(socket, Direction::Read, |waiter| {
        socket.poll_receive(waiter, into, flags)
    })
    .await
}

/// Waits for what a message's end tells.
pub(super) async fn completion(socket: &impl Waitable) -> io::Result<Completion> {
    wait(socket, Direction::Complete, |waiter| {
        socket.poll_completion(waiter)
    })
    .await
}

/// What a call that does not wait returns.
pub(super) fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

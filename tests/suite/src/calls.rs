//! The calls of an application, with plain slices.

use netstack_core::{RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId, Stack};
use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use txbuf::IovIter;

/// Sends as much of `data` as there is room for; returns how much.
///
/// # Errors
///
/// As [`Stack::send_message`].
pub fn write(stack: &mut Stack, socket: SocketId, data: &[u8]) -> Result<usize, SendError> {
    write_with(stack, socket, data, SendFlags::NONE)
}

/// [`write()`] with flags.
///
/// # Errors
///
/// As [`Stack::send_message`].
pub fn write_with(
    stack: &mut Stack,
    socket: SocketId,
    data: &[u8],
    flags: SendFlags,
) -> Result<usize, SendError> {
    let slices = [IoSlice::new(data)];
    stack.send_message(
        socket,
        &mut IovIter::source(&slices),
        flags,
        &SendControl::default(),
    )
}

/// Reads at most `max` bytes; an empty vector is the end of the stream.
///
/// # Errors
///
/// As [`Stack::receive_message`].
pub fn read(stack: &mut Stack, socket: SocketId, max: usize) -> Result<Vec<u8>, RecvError> {
    let mut buffer = vec![0; max];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let received =
        stack.receive_message(socket, &mut IovIter::sink(&mut slices), RecvFlags::NONE)?;
    buffer.truncate(received.bytes);
    Ok(buffer)
}

/// Sends one datagram, to `to` or to the peer that the socket is connected to.
///
/// # Errors
///
/// As [`Stack::send_message`].
pub fn send_to(
    stack: &mut Stack,
    socket: SocketId,
    to: Option<SocketAddr>,
    data: &[u8],
) -> Result<usize, SendError> {
    let slices = [IoSlice::new(data)];
    stack.send_message(
        socket,
        &mut IovIter::source(&slices),
        SendFlags::NONE,
        &SendControl {
            to,
            ..SendControl::default()
        },
    )
}

/// Receives one datagram of any size, and who sent it.
///
/// # Errors
///
/// As [`Stack::receive_message`].
///
/// # Panics
///
/// When the stack does not say who sent it.
pub fn receive_from(
    stack: &mut Stack,
    socket: SocketId,
) -> Result<(Vec<u8>, SocketAddr), RecvError> {
    let mut buffer = vec![0; 1 << 16];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let received =
        stack.receive_message(socket, &mut IovIter::sink(&mut slices), RecvFlags::NONE)?;
    buffer.truncate(received.bytes);
    Ok((buffer, received.from.expect("a datagram has a sender")))
}

//! Services that run on the loop's own thread.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::iter::once;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use netstack_core::{
    Event, How, Instant, Received, RecvFlags, SendControl, SendFlags, SocketId, SocketOption, Stack,
};
use txbuf::IovIter;

use crate::error::IntoIo as _;

/// A server that runs inside the event loop, without a thread or a task of its own.
///
/// Its functions run on the loop's thread while the stack is locked: they must not block, and must not use the
/// blocking sockets of the same stack. A service that panics is removed and its sockets are closed; everything
/// else goes on.
///
/// [`services`](crate::services) has some.
pub trait Service: Send {
    /// A short name, for logs and errors.
    fn name(&self) -> &str;

    /// Opens the service's sockets. Called once, before the loop runs.
    ///
    /// # Errors
    ///
    /// When a socket cannot be had, for example because its port is in use: then the stack does not start.
    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()>;

    /// Something became possible on a socket of this service.
    ///
    /// Events tell changes: the service must go on until it is told `WouldBlock`, or it hears no more. A connection
    /// must be tried once when it was accepted, because its first data may have come before.
    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event);

    /// A service like this one that was not started yet, to run on another shard of the stack. With `None`, which is
    /// what this does if it is not written, the service runs on the first shard alone, and what comes to others for it
    /// is passed on to there.
    fn for_shard(&self) -> Option<Box<dyn Service>> {
        None
    }
}

/// The service for the first shard, and a copy of it for each further one, if it can be copied.
pub(crate) fn copies(service: Box<dyn Service>, shards: usize) -> Vec<Option<Box<dyn Service>>> {
    let more: Vec<_> = (1..shards).map_while(|_| service.for_shard()).collect();
    once(service).chain(more).map(Some).collect()
}

/// The stack as a [`Service`] sees it.
///
/// Sockets made here belong to the service: their events come to it, and they are closed when it ends.
pub struct ServiceContext<'a> {
    stack: &'a mut Stack,
    now: Instant,
    service: usize,
    owners: &'a mut HashMap<SocketId, usize>,
}

impl ServiceContext<'_> {
    /// The stack itself, for what is not offered here. A socket made with it has to be
    /// [adopted](ServiceContext::adopt).
    pub fn stack(&mut self) -> &mut Stack {
        self.stack
    }

    /// The time of this turn.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Takes over the events of a socket.
    pub fn adopt(&mut self, socket: SocketId) {
        self.owners.insert(socket, self.service);
    }

    /// Listens on `local` with room for `backlog` connections that nobody accepted yet.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`.
    pub fn listen(&mut self, local: SocketAddr, backlog: usize) -> io::Result<SocketId> {
        let socket = self
            .stack
            .tcp_listen(local, backlog)
            .map_err(|error| error.into_io())?;
        self.adopt(socket);
        Ok(socket)
    }

    /// Takes a connection from a listener's queue.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is none.
    pub fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)> {
        let (socket, peer) = self
            .stack
            .tcp_accept(listener)
            .map_err(|error| error.into_io())?;
        self.adopt(socket);
        Ok((socket, peer))
    }

    /// Begins a connection to `remote`, from an address and port of the stack's choice. A connected or a closed event
    /// follows.
    ///
    /// # Errors
    ///
    /// `NetworkUnreachable` without a route, `AddrNotAvailable` without an address or a free port, `InvalidInput`.
    pub fn connect(&mut self, remote: SocketAddr) -> io::Result<SocketId> {
        let socket = self
            .stack
            .tcp_connect(self.now, remote, None)
            .map_err(|error| error.into_io())?;
        self.adopt(socket);
        Ok(socket)
    }

    /// Binds a UDP socket.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`.
    pub fn bind_udp(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        let socket = self
            .stack
            .udp_bind(local)
            .map_err(|error| error.into_io())?;
        self.adopt(socket);
        Ok(socket)
    }

    /// Has datagrams of one sender that came as one packet received as one, with [`Received::segment`].
    ///
    /// # Errors
    ///
    /// `Unsupported` where the socket is none for datagrams.
    pub fn set_gro(&mut self, socket: SocketId, gro: bool) -> io::Result<()> {
        self.stack
            .set_option(self.now, socket, SocketOption::UdpGro(gro))
            .map_err(|error| error.into_io())
    }

    /// Has small segments of a connection leave without waiting until the small one before is acknowledged
    /// (`TCP_NODELAY`): for services that answer what they were asked.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the socket is no connection.
    pub fn set_nodelay(&mut self, socket: SocketId, nodelay: bool) -> io::Result<()> {
        self.stack
            .set_option(self.now, socket, SocketOption::NoDelay(nodelay))
            .map_err(|error| error.into_io())
    }

    /// Sends from the front of `from`; `control` says where a datagram goes. Says how much the socket took over; spans are
    /// moved out of `from`, not copied.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the socket is full, otherwise the connection's end.
    pub fn send(
        &mut self,
        socket: SocketId,
        from: &mut IovIter<'_>,
        control: &SendControl<'_>,
    ) -> io::Result<usize> {
        self.stack
            .send_message(socket, from, SendFlags::default(), control)
            .map_err(|error| error.into_io())
    }

    /// Whether the socket has room: of a stream for some bytes, for any datagram otherwise. If not, a writable event
    /// comes once it has.
    pub fn can_send(&mut self, socket: SocketId) -> bool {
        self.stack.send_room(socket).is_ok()
    }

    /// Receives into `into`, and says what: no bytes are the end of a stream. Spans are
    /// given as they are, however much they pin: they are to be sent, or copied and dropped, at once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is nothing, otherwise the connection's end.
    pub fn receive(&mut self, socket: SocketId, into: &mut IovIter<'_>) -> io::Result<Received> {
        self.stack
            .receive_message(socket, into, RecvFlags::TRANSIENT)
            .map_err(|error| error.into_io())
    }

    /// Moves up to `max` bytes from what the connection `from` has received to what `to`, which may be the same,
    /// sends, without touching them; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is nothing, or no room for it; otherwise the end of either connection.
    pub fn splice(&mut self, from: SocketId, to: SocketId, max: usize) -> io::Result<usize> {
        self.stack
            .splice(from, to, max)
            .map_err(|error| error.into_io())
    }

    /// Ends what a connection sends; what was sent before is still delivered.
    ///
    /// # Errors
    ///
    /// `NotConnected` while it is not established or after it is over.
    pub fn end(&mut self, socket: SocketId) -> io::Result<()> {
        self.stack
            .shutdown(socket, How::Write)
            .map_err(|error| error.into_io())
    }

    /// Closes a connection by a reset; what was not delivered is lost.
    pub fn abort(&mut self, socket: SocketId) {
        self.owners.remove(&socket);
        self.stack.abort(self.now, socket);
    }

    /// Closes a socket; what was sent is still delivered.
    pub fn close(&mut self, socket: SocketId) {
        self.owners.remove(&socket);
        self.stack.close(self.now, socket);
    }
}

/// The services of one loop, and which socket is whose.
#[derive(Default)]
pub(crate) struct ServiceHost {
    /// A service that panicked leaves its place empty.
    services: Vec<Option<Box<dyn Service>>>,
    owners: HashMap<SocketId, usize>,
    /// Services that ended, to be dropped after the lock is given back: they may own handles.
    retired: Vec<Box<dyn Service>>,
}

impl ServiceHost {
    /// Starts the service in `slot`, and takes it out of there if that succeeded. Returns its number.
    ///
    /// # Errors
    ///
    /// What its `on_start` says.
    pub(crate) fn start(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        slot: &mut Option<Box<dyn Service>>,
    ) -> io::Result<usize> {
        let index = self.services.len();
        let Some(service) = slot else {
            return Ok(index);
        };
        self.services.push(None);
        let mut cx = ServiceContext {
            stack,
            now,
            service: index,
            owners: &mut self.owners,
        };
        let started = service.on_start(&mut cx);
        match started {
            Ok(()) => self.services[index] = slot.take(),
            Err(_) => {
                self.close(stack, now, Some(index));
            }
        }
        started.map(|()| index)
    }

    /// Closes the sockets of a service and takes it out, to be dropped after the lock is given back.
    #[must_use = "drop it after the lock is given back"]
    pub(crate) fn end(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        number: usize,
    ) -> Option<Box<dyn Service>> {
        self.close(stack, now, Some(number));
        self.services.get_mut(number).and_then(Option::take)
    }

    /// Tells the service that owns the event's socket; `false` when none does.
    pub(crate) fn deliver(&mut self, stack: &mut Stack, now: Instant, event: &Event) -> bool {
        let Some(&index) = self.owners.get(&event.socket) else {
            return false;
        };
        let Some(Some(service)) = self.services.get_mut(index) else {
            return false;
        };
        let mut cx = ServiceContext {
            stack,
            now,
            service: index,
            owners: &mut self.owners,
        };
        // The service is dropped after a panic, so that its broken state is not seen again; of the
        // stack only calls that returned have an effect that lasts.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| service.on_event(&mut cx, event))) {
            tracing::error!(
                service = service.name(),
                panic = message(&*panic),
                "a service panicked and was removed"
            );
            self.retired.extend(self.services[index].take());
            self.close(stack, now, Some(index));
        }
        true
    }

    /// Closes all sockets of all services; says whether there were any.
    pub(crate) fn stop(&mut self, stack: &mut Stack, now: Instant) -> bool {
        self.retired.extend(self.services.drain(..).flatten());
        self.close(stack, now, None)
    }

    /// Moves the services that ended to `into`.
    pub(crate) fn take_retired(&mut self, into: &mut Vec<Box<dyn Service>>) {
        into.append(&mut self.retired);
    }

    /// Closes the sockets of one service, or of all.
    fn close(&mut self, stack: &mut Stack, now: Instant, of: Option<usize>) -> bool {
        let before = self.owners.len();
        self.owners.retain(|socket, owner| {
            let keep = of.is_some_and(|of| of != *owner);
            if !keep {
                stack.close(now, *socket);
            }
            keep
        });
        self.owners.len() < before
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

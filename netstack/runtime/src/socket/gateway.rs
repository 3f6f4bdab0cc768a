//! Gateways, and the flows that come to them, said once for both front ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Poll, ready};

use netstack_core::{Admission, Flow, FlowId, GatewayConfig, Instant, NewFlow};

use super::{Socket, Sockets};
use crate::Netstack;
use crate::error::IntoIo as _;
use crate::waiters::{Direction, Waiter};

/// A flow that came, on which its holder decides; dropping it drops the flow.
pub(crate) struct Arrived {
    net: Netstack,
    shard: usize,
    flow: Flow,
    state: FlowState,
}

enum FlowState {
    Undecided(FlowId),
    Accepted(Socket),
    Done,
}

impl Sockets {
    /// Opens a gateway on an interface of that name, with a part on every shard.
    pub(crate) fn gateway(
        net: &Netstack,
        interface: &str,
        config: &GatewayConfig,
        admit: impl Fn(&Flow) -> Admission + Send + Sync + 'static,
    ) -> io::Result<Sockets> {
        let admit = Arc::new(admit);
        let parts = (0..net.shards()).map(|shard| {
            let admit = Arc::clone(&admit);
            let iface = net.shared(shard).with_quietly(|state| {
                let mut interfaces = state.interfaces.iter();
                let found = interfaces.find(|status| status.name == interface);
                found.map(|status| status.id)
            })?;
            let iface = iface.ok_or_else(|| {
                let what = format!("the stack has no interface named {interface}");
                io::Error::new(io::ErrorKind::NotFound, what)
            })?;
            Socket::open(net, shard, |stack, _| {
                let admit = move |_: Instant, flow: &Flow| admit(flow);
                stack
                    .gateway_open(iface, config.clone(), admit)
                    .map_err(|error| io::Error::new(io::ErrorKind::AddrInUse, error))
            })
        });
        Ok(Sockets::of(net, parts.collect::<io::Result<_>>()?))
    }

    /// Takes a flow from the queue of any part of a gateway.
    pub(crate) fn poll_arrived(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<Arrived>> {
        self.poll_any(waiter, Socket::poll_arrived)
    }
}

impl Socket {
    fn poll_arrived(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<Arrived>> {
        let arrival = ready!(self.poll(Direction::Read, waiter, |state| {
            let arrival = state
                .driven
                .stack
                .gateway_next(self.id)
                .map_err(|error| error.into_io())?;
            if let NewFlow::Accepted(id, _) = arrival {
                state.driven.open.insert(id);
            }
            Ok(arrival)
        }))?;
        let (state, flow) = match arrival {
            NewFlow::Accepted(id, flow) => {
                let socket = Socket::new(&self.net, self.shard, id);
                (FlowState::Accepted(socket), flow)
            }
            NewFlow::Undecided(id, flow) => (FlowState::Undecided(id), flow),
        };
        Poll::Ready(Ok(Arrived {
            net: self.net.clone(),
            shard: self.shard,
            flow,
            state,
        }))
    }
}

impl Socket {
    /// Refuses the UDP flow whose socket this is, and closes it.
    ///
    /// # Errors
    ///
    /// `Unsupported` for another socket.
    pub(super) fn refuse_flow(&self) -> io::Result<()> {
        self.attempt(|state| {
            let refused = state.driven.stack.flow_refuse(state.clock.now(), self.id);
            refused.map_err(|error| error.into_io())
        })
    }
}

impl Arrived {
    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    pub(crate) fn is_decided(&self) -> bool {
        !matches!(self.state, FlowState::Undecided(_))
    }

    /// Accepts the flow, if that was not decided before.
    pub(crate) fn accept(mut self) -> io::Result<Socket> {
        match std::mem::replace(&mut self.state, FlowState::Done) {
            FlowState::Accepted(socket) => Ok(socket),
            FlowState::Undecided(id) => {
                let accepted = Socket::open(&self.net, self.shard, |stack, now| {
                    let accepted = stack.flow_accept(now, id);
                    accepted.map_err(|error| error.into_io())
                });
                // One that there was no room for still waits, and goes with this.
                self.state = match accepted {
                    Ok(_) => FlowState::Done,
                    Err(_) => FlowState::Undecided(id),
                };
                accepted
            }
            FlowState::Done => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Tells the flow's sender that nobody listens. One that was accepted before is reset.
    pub(crate) fn reject(mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, FlowState::Done) {
            FlowState::Undecided(id) => self.net.shared(self.shard).with(|state| {
                let rejected = state.driven.stack.flow_reject(state.clock.now(), id);
                rejected.map_err(|error| error.into_io())
            }),
            FlowState::Accepted(socket) => {
                socket.set_zero_linger();
                Ok(())
            }
            FlowState::Done => Ok(()),
        }
    }
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived")
            .field("flow", &self.flow)
            .field("accepted", &self.is_decided())
            .finish_non_exhaustive()
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if let FlowState::Undecided(id) = self.state {
            // One that ended meanwhile, or whose stack did, waits no more.
            let _ = self.net.shared(self.shard).with(|state| {
                let dropped = state.driven.stack.flow_drop(state.clock.now(), id);
                dropped.map_err(|error| error.into_io())
            });
        }
    }
}

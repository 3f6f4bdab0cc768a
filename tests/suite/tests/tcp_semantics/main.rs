//! What TCP does, segment by segment, in virtual time.

mod buffers;
mod closing;
mod cookies;
mod ecn;
mod handshake;
mod icmp;
mod keepalive;
mod listening;
mod loss;
mod options;
mod pacing;
mod ports;
mod receiving;
mod recovery;
mod resets;
mod sending;
mod time_wait;
mod timestamps;

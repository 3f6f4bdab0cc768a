//! What TCP does, segment by segment, in virtual time.

mod buffers;
mod closing;
mod congestion;
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
mod scoreboard;
mod sending;
mod time_wait;
mod timeouts;
mod timestamps;
mod windows;

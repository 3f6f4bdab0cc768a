//! What TCP does, segment by segment, in virtual time.

mod attacks;
mod buffers;
mod closing;
mod cookies;
mod ecn;
mod fast_open;
mod fast_open_client;
mod handshake;
mod icmp;
mod keepalive;
mod lingering;
mod listening;
mod loss;
mod lost_acknowledgements;
mod options;
mod pacing;
mod ports;
mod receiving;
mod recovery;
mod resets;
mod sending;
mod time_wait;
mod timestamps;
mod user_timeout;

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod command;
mod control;
mod create;
mod datagram;
mod epoll;
mod errno;
mod errors;
mod files;
mod info;
mod interfaces;
mod news;
mod options;
mod packet;
mod parts;
mod readiness;
mod receive;
mod send;
mod sockets;
mod stamps;
mod stream;
pub mod sysctl;
mod urgent;

pub use address::SockAddr;
pub use command::{Count, SocketCommand};
pub use epoll::EpollEvent;
pub use errno::Errno;
pub use info::{TCP_INFO_LEN, tcp_info_bytes};
pub use parts::Parts;
pub use readiness::PollFd;
pub use receive::ReceivedMessage;
pub use send::MessageHead;
pub use sockets::{Limits, Sockets};

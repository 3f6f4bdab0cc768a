//! The kernel's side of a device: addresses, routes, MTU, link state, and network namespaces.
//!
//! Calls block: each runs its netlink conversation on a short-lived thread, which first enters the namespace it is
//! told to, so that the caller's thread stays where it is. All may be called from any thread, also inside an
//! asynchronous runtime.

mod address;
mod cidr;
mod error;
mod link;
mod namespace;
mod private;
mod request;
mod route;
mod undo;

pub use address::Address;
pub use cidr::{Cidr, CidrError};
pub use error::NetlinkError;
pub use link::{LinkConfig, LinkState, MIN_IPV6_MTU, addresses, configure, delete, link_state};
pub use namespace::Netns;
pub use private::private_namespace;
pub use route::Route;
pub use undo::{Changes, undo};

pub(crate) use link::check_name;
pub(crate) use undo::{configure_since, snapshot};

#[cfg(test)]
mod tests;

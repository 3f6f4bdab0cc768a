//! The kernel's side of a device: addresses, routes, MTU, link state, and network namespaces.
//!
//! Calls block: each runs its netlink conversation on a short-lived thread, which first enters the namespace it is
//! told to, so that the caller's thread stays where it is. All may be called from any thread, also inside an
//! asynchronous runtime.

mod address;
mod changes;
mod cidr;
mod error;
mod link;
mod namespace;
mod private;
mod request;
mod route;

pub use address::{Address, addresses};
pub use changes::{Changes, LinkConfig, configure, undo};
pub use cidr::{Cidr, CidrError};
pub use error::NetlinkError;
pub use link::{LinkState, MIN_IPV6_MTU, delete, link_state};
pub use namespace::Netns;
pub use private::private_namespace;
pub use route::Route;

pub(crate) use changes::{configure_since, snapshot};
pub(crate) use link::check_name;

#[cfg(test)]
mod tests;

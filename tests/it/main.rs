//! The one integration binary: everything against real servers.

mod server_docker;
mod server_local;
mod support;

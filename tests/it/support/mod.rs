pub mod events;
pub mod server;

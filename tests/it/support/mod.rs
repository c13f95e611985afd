pub mod events;
pub mod python;
pub mod server;

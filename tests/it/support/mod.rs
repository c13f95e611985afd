pub mod events;
pub mod project;
pub mod server;

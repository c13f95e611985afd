//! What several test modules share.

pub mod docker;
pub mod dump;
pub mod events;
pub mod http;
pub mod project;
pub mod python;
pub mod random_schema;
pub mod second_engine;
pub mod server;
pub mod versions;

//! The migration tools: which migrations there are, which of them a database has, running them
//! forward and back, and writing a new one. One shape for all tools, [`MigrationTool`].

pub mod sqlx;

mod chain;

pub use chain::*;

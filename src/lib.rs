//! devdb: the right Postgres for every developer and every CI job, in one command.
//!
//! The house, from top to bottom (imports point down only; see `docs/architecture.md`):
//! `cli` → { `serve`, `testing` } → `workflow` → { `server`, `migrations`, `schema`, `databases`, `report` } → `postgres` →
//! { `config`, `event`, `error`, `fault`, `owner` }.

pub mod cli;
pub mod config;
pub mod databases;
pub mod error;
pub mod event;
pub mod excerpt;
pub mod fault;
pub mod migrations;
mod owner;
pub mod postgres;
pub mod report;
pub mod schema;
pub mod serve;
pub mod server;
pub mod testing;
pub mod workflow;

//! What a user asks for, one file each. A workflow takes a [`Context`], has the rooms meet, and
//! gives plain data back.

mod attend;
mod bake;
mod baseline;
mod bench;
mod check;
mod compare;
mod context;
mod everyday;
mod generate;
mod git;
mod guard;
mod init;
mod lock;
mod migrate;
mod pool;
mod prepared;
mod proof;
mod provision;
mod ready;
mod renames;
mod reset;
mod roles;
mod run;
mod server;
mod snapshot;
mod stakes;
mod status;
mod switch;
mod tidy;
mod verify;

pub use bake::{Bake, BakeOptions, bake};
pub use baseline::{Baseline, baselines, prune_baselines};
pub use check::{Check, CheckOptions, Finding, Level, Looked, Rule, Tried, Way, check, try_remote};
pub use compare::{
    DiffOptions, Difference, Drift, Dump, Filter, Side, diff, drift, dump, graph, keep_drift,
};
pub use context::Context;
pub use everyday::{Head, Known, Shown, down_sql, heads, merge, show, stamp, up_sql};
pub use generate::{GenerateOptions, Generated, generate};
pub use init::{Init, init};
pub use migrate::{Moved, migrate, rollback};
pub use pool::{Lender, Lent, Listed, OpenPool, PoolOptions, Refusal};
pub use ready::{Ready, ready};
pub use renames::{Ask, Decisions};
pub use reset::{Reset, ResetOptions, Undone, reset, undo};
pub use run::{RunEnd, RunOptions, clone, clones, drop_clone, run};
pub use server::{Left, Up, down, logs, psql, up, url, variables};
pub use snapshot::{
    Restored, Snapshot, export_snapshot, import_snapshot, remove_snapshot, rename_snapshot,
    restore_snapshot, save_snapshot, snapshots,
};
pub use status::{HistoryEntry, Status, history, status};
pub use switch::{How, SwitchOptions, Switched, install_hook, switch};
pub use tidy::{Tidied, is_anything_left, tidy};

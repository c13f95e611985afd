//! The command line: what was typed becomes settings and workflow calls, results become text.

mod args;
mod behind;
mod chain;
mod check;
mod kept;
mod progress;
mod run;
mod show;
mod ui;

pub use run::main;

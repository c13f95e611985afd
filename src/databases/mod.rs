//! The databases that devdb keeps on a server besides the dev database: the base, scratch clones,
//! and the dev database that a reset put aside. Their names tell whose they are; a scratch database
//! belongs to a living session and is swept when that session is gone.

mod aside;
mod base;
mod baseline;
pub mod clones;
mod copy;
mod mark;
mod names;
pub mod pool;
mod scratch;
mod serverwide;
pub mod snapshot;
mod spare;
mod trash;

pub use aside::{begin_fresh, forget_aside, heal, is_aside, put_aside, swap_aside};
pub use base::{BaseKey, clone_from, drop_all, find_base, keep_as_base};
pub use baseline::{Baseline, BaselineKey, KEPT, Known, Mark, baselines, keep, longest, prune};
pub use copy::{LARGE, copy, ensure_room};
pub use names::Names;
pub use scratch::{Scratch, Workshop};
pub use serverwide::ServerWide;
pub use spare::{drop_spares, make_spare};
pub use trash::empty_trash;

//! The dev database that a reset replaced: renamed, never dropped, until the next reset succeeded.
//! Renames are transactional, so a process that dies leaves either the one state or the other.

use super::{Names, snapshot, spare};
use crate::error::Result;
use crate::postgres::{Connection, database};

/// Whether a dev database stands aside.
pub async fn is_aside(on: &mut Connection, names: &Names) -> Result<bool> {
    database::exists(on, &names.aside()).await
}

/// The finished `fresh` database becomes `dev`; the present one, if any, goes aside in the place of
/// an older one, which becomes an [automatic snapshot](snapshot::Kind::Automatic).
pub async fn put_aside(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    let aside = names.aside();
    let mut moves = Moves::default();
    if database::exists(on, dev).await? {
        if is_aside(on, names).await? {
            snapshot::keep_automatically(on, names, &aside, dev, &mut moves).await?;
        }
        moves.rename(dev, &aside);
    }
    moves.rename(&names.fresh(), dev);
    moves.run(on).await
}

/// The one that stands aside and `dev` change places.
pub async fn swap_aside(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    let (aside, fresh) = (names.aside(), names.fresh());
    let mut moves = Moves::default();
    match database::exists(on, dev).await? {
        true => {
            moves.rename(dev, &fresh);
            moves.rename(&aside, dev);
            moves.rename(&fresh, &aside);
        }
        false => moves.rename(&aside, dev),
    }
    heal(on, names).await?;
    moves.run(on).await
}

/// Drops the dev database that stands aside.
pub async fn forget_aside(on: &mut Connection, names: &Names) -> Result<()> {
    database::drop(on, &names.aside()).await
}

/// Drops what a reset left that did not come to its end.
pub async fn heal(on: &mut Connection, names: &Names) -> Result<()> {
    database::drop(on, &names.fresh()).await
}

/// The database that will be the dev database: the spare of `start` where one stands ready, else
/// a clone of `start`.
pub async fn begin_fresh(on: &mut Connection, names: &Names, start: &str) -> Result<()> {
    heal(on, names).await?;
    match spare::find(on, names, start).await? {
        Some(spare) => {
            let mut moves = Moves::default();
            moves.rename(&spare, &names.fresh());
            moves.run(on).await
        }
        None => super::clone_from(on, &names.fresh(), start).await,
    }
}

/// Changes of whole databases that happen all together or not at all, whoever is connected.
#[derive(Default)]
pub(super) struct Moves {
    statements: Vec<String>,
    /// Who is connected to these is disconnected.
    from: Vec<String>,
}

impl Moves {
    pub fn rename(&mut self, from: &str, to: &str) {
        self.statements.push(database::rename_sql(from, to));
        self.from.push(from.to_owned());
    }

    /// Any other statement about databases that may stand in a transaction.
    pub fn also(&mut self, statement: String) {
        self.statements.push(statement);
    }

    pub async fn run(self, on: &mut Connection) -> Result<()> {
        let from: Vec<&str> = self.from.iter().map(String::as_str).collect();
        let batch = format!("begin; {}; commit;", self.statements.join("; "));
        database::undisturbed(on, &from, &batch).await
    }
}

//! The dev database that a reset replaced: renamed, never dropped, until the next reset succeeded.
//! Renames are transactional, so a process that dies leaves either the one state or the other.

use std::time::Duration;

use super::{Names, spare, trash};
use crate::error::Result;
use crate::postgres::{self, Connection, database, quote_ident};

/// Whether a dev database stands aside.
pub async fn is_aside(on: &mut Connection, names: &Names) -> Result<bool> {
    database::exists(on, &names.aside()).await
}

/// The finished `fresh` database becomes `dev`; the present one, if any, goes aside in the place of
/// an older one, which is [trash](trash::empty_trash) from then on.
pub async fn put_aside(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    let aside = names.aside();
    let mut renames = Vec::new();
    if database::exists(on, dev).await? {
        if is_aside(on, names).await? {
            renames.push((aside.clone(), trash::name(names)));
        }
        renames.push((dev.to_owned(), aside));
    }
    renames.push((names.fresh(), dev.to_owned()));
    rename_all(on, &renames).await
}

/// The one that stands aside and `dev` change places.
pub async fn swap_aside(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    let aside = names.aside();
    let renames = match database::exists(on, dev).await? {
        true => vec![
            (dev.to_owned(), names.fresh()),
            (aside.clone(), dev.to_owned()),
            (names.fresh(), aside),
        ],
        false => vec![(aside, dev.to_owned())],
    };
    database::drop(on, &names.fresh()).await?;
    rename_all(on, &renames).await
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
        Some(spare) => rename_all(on, &[(spare, names.fresh())]).await,
        None => super::clone_from(on, &names.fresh(), start).await,
    }
}

/// How long the server is given to see that the disconnected are gone, before a second session
/// goes on disconnecting.
const GRACE: Duration = Duration::from_millis(50);

/// All of them or none. A client that connects again at once does not keep it from succeeding:
/// Postgres holds new ones up as soon as a rename waits for the old ones to go, and those are
/// ended for as long as it waits.
async fn rename_all(on: &mut Connection, renames: &[(String, String)]) -> Result<()> {
    let mut batch = String::from("begin;");
    for (from, to) in renames {
        batch.push_str(&format!(
            "alter database {} rename to {};",
            quote_ident(from),
            quote_ident(to)
        ));
    }
    batch.push_str("commit;");
    let from: Vec<&str> = renames.iter().map(|(from, _)| from.as_str()).collect();
    let maintenance = on.target().clone();
    for _ in 0..5 {
        database::disconnect(on, &from).await?;
        let ending = async {
            tokio::time::sleep(GRACE).await;
            let mut second = postgres::connect(&maintenance).await?;
            loop {
                database::disconnect(&mut second, &from).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let result = tokio::select! {
            result = on.execute(&batch) => result,
            failed = ending => {
                let failed: Result<std::convert::Infallible> = failed;
                match failed {
                    Err(error) => return Err(error),
                    Ok(never) => match never {},
                }
            }
        };
        match result {
            // 55006 object_in_use: it could not be ended within five seconds.
            Err(e) if e.sqlstate() == Some("55006") => on.execute("rollback").await?,
            result => return result,
        }
    }
    on.execute(&batch).await
}

//! The dev database that a reset replaced: renamed, never dropped, until the next reset succeeded.
//! Renames are transactional, so a process that dies leaves either the one state or the other.

use super::Names;
use crate::error::Result;
use crate::postgres::{Connection, database, quote_ident};

/// Whether a dev database stands aside.
pub async fn is_aside(on: &mut Connection, names: &Names) -> Result<bool> {
    database::exists(on, &names.aside()).await
}

/// The finished `fresh` database becomes `dev`; the present one, if any, goes aside in the place of
/// an older one.
pub async fn put_aside(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    let aside = names.aside();
    let mut renames = Vec::new();
    if database::exists(on, dev).await? {
        if is_aside(on, names).await? {
            renames.push((aside.clone(), names.trash()));
        }
        renames.push((dev.to_owned(), aside));
    }
    renames.push((names.fresh(), dev.to_owned()));
    rename_all(on, &renames).await?;
    // Only now is the older one nobody's any more.
    database::drop(on, &names.trash()).await
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
    database::drop(on, &names.trash()).await?;
    database::drop(on, &names.fresh()).await
}

/// All of them or none. A client that connects again at once makes a rename fail: then once more.
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
    let mut attempt = 0;
    loop {
        for (from, _) in renames {
            database::disconnect(on, from).await?;
        }
        match on.execute(&batch).await {
            Ok(()) => return Ok(()),
            // 55006 object_in_use: somebody came back between the two statements.
            Err(e) if e.sqlstate() == Some("55006") && attempt < 50 => {
                on.execute("rollback").await?;
                attempt += 1;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Err(e) => return Err(e),
        }
    }
}

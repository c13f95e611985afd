//! Copies of databases that people work in: who is connected is disconnected, a large one shows how
//! far it is, and a full disk is seen before.

use std::convert::Infallible;
use std::time::Duration;

use super::Names;
use super::base::copy_surroundings;
use crate::error::{Error, Result};
use crate::event::{Events, Task};
use crate::postgres::{self, Connection, database, quote_literal};

/// From here on files are copied whole, and somebody may be waiting for them.
pub const LARGE: u64 = 256 << 20;

/// What has to stay free on the server's disk after a copy.
const RESERVE: u64 = 512 << 20;

/// Makes `name` a copy of `template`, which people may be connected to.
///
/// # Errors
/// `Server` where the disk has too little room.
pub async fn copy(
    on: &mut Connection,
    names: &Names,
    name: &str,
    template: &str,
    what: &str,
    events: &Events,
) -> Result<()> {
    let bytes = database::size(on, template).await?;
    if bytes < LARGE {
        let strategy = database::strategy(on).await?;
        let sql = database::clone_sql(name, template, strategy);
        database::undisturbed(on, &[template], &sql).await?;
        return copy_surroundings(on, name, template).await;
    }
    // Since 18 the file system may be asked to share blocks; what it cannot share it copies.
    let may_share: Option<String> = on
        .fetch_value(
            "select pg_catalog.set_config(name, 'clone', false) from pg_catalog.pg_settings \
             where name = 'file_copy_method'",
            &[],
        )
        .await?;
    if let Err(error) = ensure_room(on, names, bytes).await
        && !(may_share.is_some() && shares_blocks(on).await)
    {
        return Err(error);
    }
    let task = events.begin_bytes(format!("copying {what}"), bytes);
    let target = on.target().clone();
    let mut watching = postgres::connect(&target).await?;
    let sql = database::clone_sql(name, template, "file_copy");
    let templates = [template];
    let made = tokio::select! {
        made = database::undisturbed(on, &templates, &sql) => made,
        never = watch(&mut watching, &task) => match never {},
    };
    watching.close().await;
    made?;
    task.end("");
    copy_surroundings(on, name, template).await
}

/// Tells how much is there of a database that is not in the catalog yet, as far as the server lets
/// this user look.
async fn watch(on: &mut Connection, task: &Task) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let done = on
            .fetch_value::<i64>(
                "select coalesce(pg_catalog.sum((pg_catalog.pg_stat_file('base/' || d || '/' || f, true)).size), 0)::bigint \
                 from pg_catalog.pg_ls_dir('base') d, pg_catalog.pg_ls_dir('base/' || d, true, false) f \
                 where d ~ '^[0-9]+$' and d not in (select oid::text from pg_catalog.pg_database)",
                &[],
            )
            .await;
        let Ok(Some(done)) = done else {
            // The copy itself goes on.
            return std::future::pending().await;
        };
        task.advance(done.try_into().unwrap_or_default(), "");
    }
}

/// Sees to it that so many bytes fit. Where the server does not tell how many are free, they are
/// taken to fit.
///
/// # Errors
/// `Server`, with what to remove.
pub async fn ensure_room(on: &mut Connection, names: &Names, bytes: u64) -> Result<()> {
    let Some(free) = free_bytes(on).await else {
        return Ok(());
    };
    if free >= bytes + RESERVE {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let kept = database::beginning_with(on, &names.prefix()).await?.len();
    Err(Error::server(format!(
        "not enough room on the server's disk: the copy takes {}, {} are free",
        gigabytes(bytes),
        gigabytes(free)
    ))
    .hint(format!(
        "`devdb snapshot remove`, `devdb tidy` and `devdb baseline prune` make room: {kept} databases are kept for this project"
    )))
}

/// As `df` says on the server's own machine. `None` where that may not be asked.
async fn free_bytes(on: &mut Connection) -> Option<u64> {
    let line = line_of(on, "df -Pk . | tail -n 1").await?;
    let kilobytes: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Whether a copy of a file in the data directory takes no room (reflinks: XFS, Btrfs, ZFS …).
async fn shares_blocks(on: &mut Connection) -> bool {
    let probe = "devdb-reflink-probe";
    let program =
        format!("cp --reflink=always global/pg_control {probe} 2>&1 && echo shared; rm -f {probe}");
    line_of(on, &program).await.as_deref() == Some("shared")
}

/// The first line that a program prints on the server's machine, in the data directory. `None`
/// where none may be run.
async fn line_of(on: &mut Connection, program: &str) -> Option<String> {
    let asked = async {
        let program = quote_literal(program);
        on.execute(&format!(
            "create temp table if not exists devdb_line (line text); truncate devdb_line; \
             copy devdb_line from program {program}"
        ))
        .await?;
        let line: Option<String> = on
            .fetch_value("select line from devdb_line limit 1", &[])
            .await?;
        on.execute("drop table devdb_line").await?;
        Ok::<_, Error>(line)
    };
    asked.await.ok()?
}

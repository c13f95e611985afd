//! Clones that stay until they are told to go, or until their time is up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Names, mark};
use crate::error::Result;
use crate::postgres::{Connection, Row, database, error_from};

/// What is written on one, as the comment of its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub name: String,
    /// Seconds since 1970.
    pub made: u64,
    /// When it may be dropped, in seconds since 1970; `None`: never by itself.
    pub until: Option<u64>,
}

/// One that stands on a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clone {
    pub database: String,
    #[serde(flatten)]
    pub mark: Mark,
}

const MARK: &str = "clone";

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// All of them, the oldest first.
pub async fn all(on: &mut Connection, names: &Names) -> Result<Vec<Clone>> {
    let rows = on
        .fetch(
            "select datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1) order by oid",
            &[&names.clone_prefix()],
        )
        .await?;
    let mut found = Vec::new();
    for row in rows {
        let comment: String = row.try_get(1).map_err(error_from)?;
        if let Some(mark) = mark::parse(MARK, &comment) {
            let database = row.try_get(0).map_err(error_from)?;
            found.push(Clone { database, mark });
        }
    }
    // Those of one second stay in the order in which the server made them.
    found.sort_by_key(|clone| clone.mark.made);
    Ok(found)
}

/// A scratch database becomes a clone of this name. Gives the name of its database.
pub async fn keep(
    on: &mut Connection,
    names: &Names,
    scratch: &str,
    name: &str,
    ttl: Option<Duration>,
) -> Result<String> {
    let database = names.clone_named(name);
    let mark = Mark {
        name: name.to_owned(),
        made: now(),
        until: ttl.map(|ttl| now() + ttl.as_secs()),
    };
    // The mark first: as a scratch database it is swept whatever is written on it.
    mark::write(on, scratch, &mark::line(MARK, &mark)).await?;
    database::rename(on, scratch, &database).await?;
    Ok(database)
}

/// Drops those whose time is up; gives their names.
pub async fn sweep(on: &mut Connection, names: &Names) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for clone in all(on, names).await? {
        if clone.mark.until.is_some_and(|until| until <= now()) {
            database::drop(on, &clone.database).await?;
            gone.push(clone.database);
        }
    }
    Ok(gone)
}

//! Baselines: what a replay gave, kept under a key made from everything that decides it. Nobody can
//! connect to one; clones of it take the place of a replay.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::base::clone_from;
use super::{BaseKey, Names};
use crate::error::Result;
use crate::postgres::{Connection, Row, database, error_from, quote_ident};

/// How many of a project's baselines stay; the least recently used go first.
pub const KEPT: usize = 8;

/// Decides what a replay gives: the base, the server, and the bytes of each migration, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineKey(String);

impl BaselineKey {
    /// Before the first migration. `surroundings` is what all migrations depend on besides.
    pub fn before(base: &BaseKey, surroundings: &[u8]) -> Self {
        BaselineKey(hash(&[base.text().as_bytes(), surroundings]))
    }

    /// After one more migration.
    pub fn after(&self, id: &str, checksum: &str) -> Self {
        BaselineKey(hash(&[
            self.0.as_bytes(),
            id.as_bytes(),
            checksum.as_bytes(),
        ]))
    }
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// One that stands on a server.
#[derive(Debug, Serialize)]
pub struct Baseline {
    pub name: String,
    /// Hex digits of its key.
    pub key: String,
    /// The id of its last migration.
    pub at: String,
    pub bytes: i64,
    /// Seconds since 1970.
    pub used: u64,
}

/// All that are complete, the least recently used first.
pub async fn baselines(on: &mut Connection, names: &Names) -> Result<Vec<Baseline>> {
    let mut found = Vec::new();
    for (name, mark, bytes) in candidates(on, names).await? {
        if let Some(baseline) = parse(&name, &mark, bytes) {
            found.push(baseline);
        }
    }
    found.sort_by(|a, b| (a.used, &a.name).cmp(&(b.used, &b.name)));
    Ok(found)
}

async fn candidates(on: &mut Connection, names: &Names) -> Result<Vec<(String, String, i64)>> {
    let rows = on
        .fetch(
            "select datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), ''), \
                    pg_catalog.pg_database_size(oid) \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1)",
            &[&names.baseline_prefix()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let name = row.try_get(0).map_err(error_from)?;
            let mark = row.try_get(1).map_err(error_from)?;
            Ok((name, mark, row.try_get(2).map_err(error_from)?))
        })
        .collect()
}

/// Reads `devdb baseline KEY USED AT`.
fn parse(name: &str, mark: &str, bytes: i64) -> Option<Baseline> {
    let rest = mark.strip_prefix("devdb baseline ")?;
    let mut words = rest.splitn(3, ' ');
    Some(Baseline {
        name: name.to_owned(),
        key: words.next()?.to_owned(),
        used: words.next()?.parse().ok()?,
        at: words.next()?.to_owned(),
        bytes,
    })
}

/// The one that stands for the longest beginning of the chain: how many migrations it holds, and
/// its name. `keys` are those after 1, 2, 3 … migrations. Says that it was used just now.
pub async fn longest(
    on: &mut Connection,
    names: &Names,
    keys: &[BaselineKey],
) -> Result<Option<(usize, String)>> {
    // Without sizes, for which the server would have to look at every file.
    let rows = on
        .fetch(
            "select datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1)",
            &[&names.baseline_prefix()],
        )
        .await?;
    let mut known = Vec::new();
    for row in rows {
        let name: String = row.try_get(0).map_err(error_from)?;
        let mark: String = row.try_get(1).map_err(error_from)?;
        known.extend(parse(&name, &mark, 0));
    }
    let newest = known.iter().map(|baseline| baseline.used).max();
    let found = keys.iter().enumerate().rev().find_map(|(at, key)| {
        let baseline = known.iter().find(|baseline| baseline.key == key.0)?;
        Some((at + 1, baseline))
    });
    let Some((count, baseline)) = found else {
        return Ok(None);
    };
    // The one that was used last stays that without a word.
    if newest != Some(baseline.used) {
        mark_used(on, &baseline.name, &baseline.key, &baseline.at).await?;
    }
    Ok(Some((count, baseline.name.clone())))
}

/// Keeps a clone of `database`, which nobody may be connected to, as the baseline of `key`, and
/// drops those that are too many. `at` is the id of its last migration.
pub async fn keep(
    on: &mut Connection,
    names: &Names,
    key: &BaselineKey,
    at: &str,
    database: &str,
) -> Result<()> {
    let name = names.baseline(&key.0);
    database::drop(on, &name).await?;
    clone_from(on, &name, database).await?;
    on.execute(&format!(
        "alter database {} allow_connections false",
        quote_ident(&name)
    ))
    .await?;
    // The mark comes last: without it this is no baseline, and is swept.
    mark_used(on, &name, &key.0, at).await?;
    prune(on, names, KEPT).await?;
    Ok(())
}

async fn mark_used(on: &mut Connection, name: &str, key: &str, at: &str) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |d| d.as_secs());
    let mark = format!("devdb baseline {key} {seconds} {at}");
    database::comment(on, name, &mark).await
}

/// Drops all but the `keep` most recently used ones, and what was never finished. Gives the names
/// of the dropped.
pub async fn prune(on: &mut Connection, names: &Names, keep: usize) -> Result<Vec<String>> {
    let complete = baselines(on, names).await?;
    let surplus = complete.len().saturating_sub(keep);
    let mut gone: Vec<String> = complete[..surplus].iter().map(|b| b.name.clone()).collect();
    for (name, mark, bytes) in candidates(on, names).await? {
        if parse(&name, &mark, bytes).is_none() {
            gone.push(name);
        }
    }
    for name in &gone {
        database::drop(on, name).await?;
    }
    Ok(gone)
}

/// What the server has that no clone of a database brings or takes: roles, settings, tablespaces,
/// other databases. Empty on a server that holds nothing but devdb's databases and `dev`.
pub async fn beyond(on: &mut Connection, names: &Names, dev: &str) -> Result<Vec<String>> {
    let rows = on
        .fetch(
            "select 'role ' || rolname::text from pg_catalog.pg_roles where oid >= 16384 \
             union all select 'membership of ' || m.member::pg_catalog.regrole::text || ' in ' || m.roleid::pg_catalog.regrole::text \
               from pg_catalog.pg_auth_members m where m.member >= 16384 or m.roleid >= 16384 or m.member = 10 \
             union all select 'setting of role ' || s.setrole::pg_catalog.regrole::text from pg_catalog.pg_db_role_setting s where s.setdatabase = 0 \
             union all select 'tablespace ' || spcname::text from pg_catalog.pg_tablespace where oid >= 16384 \
             union all select 'database ' || datname::text from pg_catalog.pg_database \
               where oid >= 16384 and datname <> $1 and not pg_catalog.starts_with(datname::text, $2) \
             union all select 'setting of ALTER SYSTEM ' || name from pg_catalog.pg_settings where sourcefile like '%postgresql.auto.conf' \
             union all select 'replication slot ' || slot_name::text from pg_catalog.pg_replication_slots \
             union all select 'grant on a setting' from pg_catalog.pg_parameter_acl \
             order by 1",
            &[dev, &names.prefix()],
        )
        .await?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(error_from))
        .collect()
}

/// Whether a database has what no clone of it would have: grants on itself, a comment, a limit.
pub async fn has_more_than_a_clone(on: &mut Connection, database: &str) -> Result<bool> {
    let more = on
        .fetch_value::<bool>(
            "select datacl is not null or datconnlimit <> -1 \
               or pg_catalog.shobj_description(oid, 'pg_database') is not null \
             from pg_catalog.pg_database where datname = $1",
            &[database],
        )
        .await?;
    Ok(more.unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_the_whole_way() {
        let start = BaselineKey::before(&BaseKey::new([&b"x"[..]]), b"");
        let there = start.after("1", "a").after("2", "b");
        assert_eq!(there, start.after("1", "a").after("2", "b"));
        assert_ne!(there, start.after("2", "b").after("1", "a"));
        assert_ne!(there, start.after("1", "c").after("2", "b"));
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let found = parse("n", "devdb baseline abc 12 20260101 x", 5).unwrap();
        assert_eq!((found.key.as_str(), found.used), ("abc", 12));
        assert_eq!(found.at, "20260101 x");
        assert!(parse("n", "devdb base abc", 5).is_none());
        assert!(parse("n", "", 5).is_none());
    }
}

//! Baselines: what a replay gave, kept under a key made from everything that decides it. Nobody can
//! connect to one; clones of it take the place of a replay.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::base::clone_from;
use super::{BaseKey, Names, ServerWide, mark};
use crate::error::Result;
use crate::postgres::{Connection, Row, database, error_from};

/// How many of a project's baselines stay; the least recently used go first.
pub const KEPT: usize = 8;

/// How many bytes they may take together, beside the most recently used one.
const KEPT_BYTES: i64 = 4 << 30;

/// Decides what a replay gives: the base, the server, and the bytes of each migration, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineKey(String);

impl BaselineKey {
    /// Before the first migration. `surroundings` is what all migrations depend on besides.
    pub fn before(base: &BaseKey, surroundings: &[u8]) -> Self {
        BaselineKey(hash(&[base.text().as_bytes(), surroundings]))
    }

    /// Its hex digits.
    pub fn text(&self) -> &str {
        &self.0
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
    #[serde(flatten)]
    pub mark: Mark,
    pub bytes: i64,
}

/// What is written on a baseline, as the comment of its database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Hex digits of its key.
    pub key: String,
    /// The id of its last migration.
    pub at: String,
    /// Seconds since 1970.
    pub used: u64,
    /// What the replay left on the server besides: the baseline is worth nothing without it.
    pub server: ServerWide,
}

const MARK: &str = "baseline";

impl Mark {
    pub fn new(key: &BaselineKey, at: &str, server: ServerWide) -> Self {
        Mark {
            key: key.0.clone(),
            at: at.to_owned(),
            used: 0,
            server,
        }
    }

    /// `None` for what no devdb wrote, or another version of it.
    fn parse(comment: &str) -> Option<Self> {
        mark::parse(MARK, comment)
    }

    /// Writes it on `name`, as used just now.
    async fn write(&self, on: &mut Connection, name: &str) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mark = Mark {
            used: now.map_or(0, |d| d.as_secs()),
            ..self.clone()
        };
        mark::write(on, name, &mark::line(MARK, &mark)).await
    }
}

/// All that are complete, the least recently used first.
pub async fn baselines(on: &mut Connection, names: &Names) -> Result<Vec<Baseline>> {
    let mut found = Vec::new();
    for (name, comment, bytes) in candidates(on, names).await? {
        if let Some(mark) = Mark::parse(&comment) {
            found.push(Baseline { name, mark, bytes });
        }
    }
    found.sort_by(|a, b| (a.mark.used, &a.name).cmp(&(b.mark.used, &b.name)));
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

/// A beginning of the chain that need not be replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// How many migrations it holds.
    pub count: usize,
    /// The database.
    pub name: String,
    /// What the server must have besides.
    pub server: ServerWide,
}

/// The baseline of the longest beginning of the chain whose mark `fits`. `keys` are those after 1,
/// 2, 3 … migrations. Says that it was used just now.
pub async fn longest(
    on: &mut Connection,
    names: &Names,
    keys: &[BaselineKey],
    fits: impl Fn(&Mark) -> bool,
) -> Result<Option<Known>> {
    // Without sizes, for which the server would have to look at every file.
    let rows = on
        .fetch(
            "select datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1)",
            &[&names.baseline_prefix()],
        )
        .await?;
    let mut marks = Vec::new();
    for row in rows {
        let name: String = row.try_get(0).map_err(error_from)?;
        let comment: String = row.try_get(1).map_err(error_from)?;
        marks.extend(Mark::parse(&comment).map(|mark| (name, mark)));
    }
    let newest = marks.iter().map(|(_, mark)| mark.used).max();
    let found = keys.iter().enumerate().rev().find_map(|(at, key)| {
        let found = marks
            .iter()
            .find(|(_, mark)| mark.key == key.0 && fits(mark))?;
        Some((at + 1, found))
    });
    let Some((count, (name, mark))) = found else {
        return Ok(None);
    };
    // The one that was used last stays that without a word.
    if newest != Some(mark.used) {
        // Somebody else may be writing the same at this moment.
        let _ = mark.write(on, name).await;
    }
    Ok(Some(Known {
        count,
        name: name.clone(),
        server: mark.server.clone(),
    }))
}

/// Keeps a clone of `database`, which nobody may be connected to, as the baseline that `mark` says;
/// one that is there already stays as it is: somebody may be cloning it.
pub async fn keep(on: &mut Connection, names: &Names, mark: &Mark, database: &str) -> Result<()> {
    let name = names.baseline(&mark.key);
    let there = database::comment_of(on, &name).await?;
    let there = there.and_then(|comment| Mark::parse(&comment));
    if there.is_some_and(|there| there.key == mark.key && there.server == mark.server) {
        return mark.write(on, &name).await;
    }
    database::drop(on, &name).await?;
    clone_from(on, &name, database).await?;
    on.execute(&database::allow_sql(&name, false)).await?;
    // The mark comes last: without it this is no baseline, and is swept.
    mark.write(on, &name).await?;
    // Commonly `tidy` has seen to it, when nobody was waiting.
    let all = database::beginning_with(on, &names.baseline_prefix()).await?;
    if all.len() > 2 * KEPT {
        prune(on, names, KEPT).await?;
    }
    Ok(())
}

/// Drops all but the `keep` most recently used ones, and what was never finished. Gives the names
/// of the dropped.
pub async fn prune(on: &mut Connection, names: &Names, keep: usize) -> Result<Vec<String>> {
    let complete = baselines(on, names).await?;
    let mut bytes = 0;
    let mut gone = Vec::new();
    for (newer, baseline) in complete.iter().rev().enumerate() {
        bytes += baseline.bytes;
        if newer >= keep || newer > 0 && bytes > KEPT_BYTES {
            gone.push(baseline.name.clone());
        }
    }
    for (name, comment, _) in candidates(on, names).await? {
        if Mark::parse(&comment).is_none() {
            gone.push(name);
        }
    }
    for name in &gone {
        database::drop(on, name).await?;
    }
    Ok(gone)
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
    fn what_is_no_mark_is_none() {
        assert_eq!(Mark::parse("devdb base abc"), None);
        assert_eq!(Mark::parse("devdb baseline abc 12 20260101 x"), None);
        assert_eq!(Mark::parse(""), None);
    }
}

//! Snapshots: saved states of the dev database, with its data. Nobody can connect to one.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::aside::Moves;
use super::{Names, copy, mark, trash};
use crate::error::Result;
use crate::event::Events;
use crate::postgres::{Connection, Row, database, error_from};

/// How many automatic snapshots stay, and how many bytes they may take together beyond the first.
const KEPT: usize = 3;
const KEPT_BYTES: u64 = 4 << 30;

/// What the names of automatic snapshots begin with.
pub const AUTOMATIC: &str = "auto-";

/// How it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody asked for it.
    Saved,
    /// Made before something that loses data; the oldest go when there are too many.
    Automatic,
    /// The dev database of a git branch that was left.
    Parked,
}

/// What is written on a snapshot, as the comment of its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// For a parked one the branch.
    pub name: String,
    pub kind: Kind,
    /// Seconds since 1970.
    pub made: u64,
    /// The last migration that was applied, as `id name`, where that was looked at.
    pub at: Option<String>,
    /// The dev database that it was.
    pub of: String,
    pub note: Option<String>,
}

/// One that stands on a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    pub database: String,
    #[serde(flatten)]
    pub mark: Mark,
    pub bytes: u64,
    /// The data directory that it lies in, where that is not the present one.
    pub elsewhere: Option<String>,
}

const MARK: &str = "snapshot";

impl Mark {
    /// Made just now.
    pub fn new(name: &str, kind: Kind, of: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Mark {
            name: name.to_owned(),
            kind,
            made: now.map_or(0, |now| now.as_secs()),
            at: None,
            of: of.to_owned(),
            note: None,
        }
    }

    /// `None` for what no devdb wrote.
    pub fn parse(comment: &str) -> Option<Self> {
        mark::parse(MARK, comment)
    }

    /// As it is written on the database.
    pub fn text(&self) -> String {
        mark::line(MARK, self)
    }

    /// The database's name. A branch may be called like a snapshot.
    fn database(&self, names: &Names) -> String {
        match self.kind {
            Kind::Parked => names.snapshot(&format!("branch {}", self.name)),
            _ => names.snapshot(&self.name),
        }
    }
}

/// All that are complete, the oldest first.
pub async fn all(on: &mut Connection, names: &Names) -> Result<Vec<Snapshot>> {
    let rows = on
        .fetch(
            "select datname::text, pg_catalog.shobj_description(oid, 'pg_database'), pg_catalog.pg_database_size(oid) \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1)",
            &[&names.snapshot_prefix()],
        )
        .await?;
    let mut found = Vec::new();
    for row in rows {
        let comment: Option<String> = row.try_get(1).map_err(error_from)?;
        let Some(mark) = Mark::parse(&comment.unwrap_or_default()) else {
            continue;
        };
        let bytes: i64 = row.try_get(2).map_err(error_from)?;
        found.push(Snapshot {
            database: row.try_get(0).map_err(error_from)?,
            mark,
            bytes: bytes.try_into().unwrap_or_default(),
            elsewhere: None,
        });
    }
    found.sort_by(|a, b| (a.mark.made, &a.mark.name).cmp(&(b.mark.made, &b.mark.name)));
    Ok(found)
}

/// The names of the databases with their marks; `None` for one that was never finished.
async fn marks(on: &mut Connection, names: &Names) -> Result<Vec<(String, Option<Mark>)>> {
    let rows = on
        .fetch(
            "select datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') \
             from pg_catalog.pg_database where pg_catalog.starts_with(datname::text, $1)",
            &[&names.snapshot_prefix()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let comment: String = row.try_get(1).map_err(error_from)?;
            Ok((row.try_get(0).map_err(error_from)?, Mark::parse(&comment)))
        })
        .collect()
}

/// The one of this name (`parked`: of this branch), without its size.
pub async fn find(
    on: &mut Connection,
    names: &Names,
    name: &str,
    parked: bool,
) -> Result<Option<Snapshot>> {
    let all = marks(on, names).await?.into_iter();
    let mut all = all.filter_map(|(database, mark)| Some((database, mark?)));
    let found = all.find(|(_, mark)| mark.name == name && parked == (mark.kind == Kind::Parked));
    Ok(found.map(|(database, mark)| Snapshot {
        database,
        mark,
        bytes: 0,
        elsewhere: None,
    }))
}

/// Saves `from` as it is now.
///
/// # Errors
/// `Server` where the disk has too little room.
pub async fn save(
    on: &mut Connection,
    names: &Names,
    mark: &Mark,
    from: &str,
    events: &Events,
) -> Result<()> {
    sweep(on, names).await?;
    let name = mark.database(names);
    copy(on, names, &name, from, from, events).await?;
    on.execute(&database::allow_sql(&name, false)).await?;
    // The mark comes last: without it this is no snapshot, and is swept.
    mark::write(on, &name, &mark.text()).await
}

/// What was never finished.
async fn sweep(on: &mut Connection, names: &Names) -> Result<()> {
    for (name, mark) in marks(on, names).await? {
        if mark.is_none() {
            database::drop(on, &name).await?;
        }
    }
    Ok(())
}

/// What a reset of the whole data directory must not destroy: what was saved and what is parked.
pub async fn worth_keeping(on: &mut Connection, names: &Names) -> Result<Vec<Mark>> {
    let all = marks(on, names).await?.into_iter();
    let all = all.filter_map(|(_, mark)| mark);
    Ok(all.filter(|mark| mark.kind != Kind::Automatic).collect())
}

/// The dev database of a data directory that is not the dev database any more, and what stands
/// aside there, become automatic snapshots.
pub async fn put_away(on: &mut Connection, names: &Names, dev: &str) -> Result<()> {
    for name in [names.aside(), dev.to_owned()] {
        if database::exists(on, &name).await? {
            let mut moves = Moves::default();
            keep_automatically(on, names, &name, dev, &mut moves).await?;
            moves.run(on).await?;
        }
    }
    Ok(())
}

/// The dev database of a branch is parked, and none takes its place yet.
pub async fn park(on: &mut Connection, names: &Names, dev: &str, left: &Mark) -> Result<()> {
    let mut moves = Moves::default();
    park_in(on, names, dev, left, &mut moves).await?;
    moves.run(on).await
}

async fn park_in(
    on: &mut Connection,
    names: &Names,
    dev: &str,
    left: &Mark,
    moves: &mut Moves,
) -> Result<()> {
    if database::exists(on, dev).await? {
        // A database that was parked under this name before is older than the one that is left.
        if let Some(old) = find(on, names, &left.name, true).await? {
            moves.rename(&old.database, &trash::name(names));
        }
        become_snapshot(names, dev, left, moves);
    }
    Ok(())
}

/// The database `fresh`, which was filled by somebody else, becomes a snapshot.
pub async fn adopt_fresh(on: &mut Connection, names: &Names, mark: &Mark) -> Result<()> {
    let mut moves = Moves::default();
    become_snapshot(names, &names.fresh(), mark, &mut moves);
    moves.run(on).await
}

/// Makes `fresh` a copy of the snapshot.
pub async fn copy_to_fresh(
    on: &mut Connection,
    names: &Names,
    snapshot: &Snapshot,
    events: &Events,
) -> Result<()> {
    super::heal(on, names).await?;
    let what = format!("the snapshot {}", snapshot.mark.name);
    copy(on, names, &names.fresh(), &snapshot.database, &what, events).await
}

/// Gives it another name.
pub async fn rename(
    on: &mut Connection,
    names: &Names,
    snapshot: &Snapshot,
    to: &str,
) -> Result<()> {
    let mark = Mark {
        name: to.to_owned(),
        kind: Kind::Saved,
        ..snapshot.mark.clone()
    };
    let mut moves = Moves::default();
    become_snapshot(names, &snapshot.database, &mark, &mut moves);
    moves.run(on).await
}

/// The snapshot takes the place of `dev`, which nobody needs any more.
pub async fn put_back(
    on: &mut Connection,
    names: &Names,
    dev: &str,
    snapshot: &Snapshot,
) -> Result<()> {
    let mut moves = Moves::default();
    moves.rename(dev, &trash::name(names));
    become_dev(&snapshot.database, dev, &mut moves);
    moves.run(on).await
}

fn become_dev(snapshot: &str, dev: &str, moves: &mut Moves) {
    moves.also(mark::sql(snapshot, None));
    moves.also(database::allow_sql(snapshot, true));
    moves.rename(snapshot, dev);
}

/// Drops it.
pub async fn remove(on: &mut Connection, snapshot: &Snapshot) -> Result<()> {
    database::drop(on, &snapshot.database).await
}

/// `dev` becomes the parked database of the branch that is left; the one of the branch that is
/// entered, if any, else `fresh`, becomes `dev`.
pub async fn switch(
    on: &mut Connection,
    names: &Names,
    dev: &str,
    left: &Mark,
    entered: Option<&Snapshot>,
) -> Result<()> {
    let mut moves = Moves::default();
    park_in(on, names, dev, left, &mut moves).await?;
    match entered {
        Some(entered) => become_dev(&entered.database, dev, &mut moves),
        None => moves.rename(&names.fresh(), dev),
    }
    moves.run(on).await
}

fn become_snapshot(names: &Names, from: &str, mark: &Mark, moves: &mut Moves) {
    let to = mark.database(names);
    if from != to {
        moves.rename(from, &to);
    }
    moves.also(database::allow_sql(&to, false));
    moves.also(mark::sql(&to, Some(&mark.text())));
}

/// What stands aside at `aside` becomes an automatic snapshot; those that are too many go.
pub(super) async fn keep_automatically(
    on: &mut Connection,
    names: &Names,
    aside: &str,
    dev: &str,
    moves: &mut Moves,
) -> Result<()> {
    let present = automatic(on, names).await?;
    let surplus = (present.len() + 1).saturating_sub(KEPT);
    for (at, (name, _)) in present[..surplus].iter().enumerate() {
        moves.rename(name, &format!("{}{at}", trash::name(names)));
    }
    let mut mark = Mark::new(&next_name(&present), Kind::Automatic, dev);
    mark.note = Some("what stood aside before the last reset".into());
    become_snapshot(names, aside, &mark, moves);
    Ok(())
}

/// The oldest first.
async fn automatic(on: &mut Connection, names: &Names) -> Result<Vec<(String, Mark)>> {
    let all = marks(on, names).await?.into_iter();
    let mut found: Vec<(String, Mark)> = all
        .filter_map(|(name, mark)| Some((name, mark?)))
        .filter(|(_, mark)| mark.kind == Kind::Automatic)
        .collect();
    found.sort_by_key(|(_, mark)| mark.made);
    Ok(found)
}

/// The name of the next automatic snapshot.
pub async fn next_automatic(on: &mut Connection, names: &Names) -> Result<String> {
    Ok(next_name(&automatic(on, names).await?))
}

fn next_name(present: &[(String, Mark)]) -> String {
    let number = |mark: &Mark| mark.name.strip_prefix(AUTOMATIC)?.parse::<u64>().ok();
    let last = present.iter().filter_map(|(_, mark)| number(mark)).max();
    format!("{AUTOMATIC}{}", last.unwrap_or(0) + 1)
}

/// Closes the snapshots that somebody who died had opened to read them.
pub async fn close(on: &mut Connection, names: &Names) -> Result<()> {
    let sql = "select datname::text from pg_catalog.pg_database \
               where datallowconn and pg_catalog.starts_with(datname::text, $1)";
    for row in on.fetch(sql, &[&names.snapshot_prefix()]).await? {
        let name: String = row.try_get(0).map_err(error_from)?;
        on.execute(&database::allow_sql(&name, false)).await?;
    }
    Ok(())
}

/// Drops the automatic snapshots that take too much room or are too many; gives their names.
pub async fn prune_automatic(on: &mut Connection, names: &Names) -> Result<Vec<String>> {
    let mut bytes = 0;
    let mut gone = Vec::new();
    for (kept, (name, _)) in automatic(on, names).await?.iter().rev().enumerate() {
        bytes += database::size(on, name).await?;
        if kept >= KEPT || kept > 0 && bytes > KEPT_BYTES {
            database::drop(on, name).await?;
            gone.push(name.clone());
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark {
            at: Some("3 a \"b\"".into()),
            note: Some("it's".into()),
            ..Mark::new("before the demo", Kind::Saved, "app")
        };
        assert_eq!(Mark::parse(&mark.text()), Some(mark));
        assert_eq!(Mark::parse("devdb baseline {}"), None);
    }
}

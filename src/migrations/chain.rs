//! The words that all migration tools share: a chain of migrations, what of it is applied, and
//! what is wrong with it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// All migrations of a project, in the order in which they are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    pub migrations: Vec<Migration>,
    /// Ids of the migrations that no other builds on. sqlx has at most one, Alembic can have more.
    pub heads: Vec<String>,
    /// What the files alone show to be wrong or odd.
    pub problems: Vec<Problem>,
}

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// sqlx: the version, as digits without leading zeros; Alembic: the revision id.
    pub id: String,
    /// sqlx: the description from the file name; Alembic: the first line of the message.
    pub name: String,
    /// The absolute path of the file that brings the database forward.
    pub file: PathBuf,
    /// Whether it can be rolled back: a down file, a `downgrade` function.
    pub reversible: bool,
    /// Whether it commits before it is through, or may: where it fails, something of it may stay.
    #[serde(default)]
    pub commits: bool,
    /// The ids that it builds on; empty for a first migration.
    pub parents: Vec<String>,
    /// Alembic: further ids that must be applied before (`depends_on`).
    pub depends_on: Vec<String>,
    /// Alembic: the labels of the branch that begins here.
    pub labels: Vec<String>,
    /// Hex digits over the content. sqlx: SHA-384 as in the table of applied migrations;
    /// Alembic: SHA-256 of the file.
    pub checksum: String,
}

impl Chain {
    pub fn get(&self, id: &str) -> Option<&Migration> {
        self.migrations.iter().find(|m| m.id == id)
    }

    /// The only head; `None` where there are no migrations.
    ///
    /// # Errors
    /// `Migration` where there is more than one head; all are named.
    pub fn head(&self) -> Result<Option<&str>> {
        match self.heads.as_slice() {
            [] => Ok(None),
            [head] => Ok(Some(head)),
            _ => Err(Problem::several_heads(self).into_error()),
        }
    }

    /// Fails with the first problem that keeps every migration from running.
    ///
    /// # Errors
    /// `Migration`, with the problem's sentence and hint.
    pub fn ensure_sound(&self) -> Result<()> {
        first_blocker(&self.problems)
    }

    /// `ids` and everything that they build on, directly or not.
    pub(crate) fn ancestry<'a>(
        &'a self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            let Some(migration) = self.get(id) else {
                continue;
            };
            if seen.insert(id) {
                open.extend(migration.parents.iter().map(String::as_str));
                open.extend(migration.depends_on.iter().map(String::as_str));
            }
        }
        seen
    }
}

/// One migration that the database says was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub id: String,
    /// From the files, or from the database where the file is gone.
    pub name: String,
    /// sqlx: when, as Postgres prints it; Alembic does not keep it.
    pub when: Option<String>,
}

/// How a database stands to the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// In the order of the chain; those without a file at the end.
    pub applied: Vec<Applied>,
    /// In the order in which they would be applied.
    pub pending: Vec<Migration>,
    /// The chain's own and those between chain and database.
    pub problems: Vec<Problem>,
}

impl Standing {
    /// Every migration is applied, and nothing is wrong that keeps migrations from running.
    pub fn at_head(&self) -> bool {
        self.pending.is_empty() && !self.problems.iter().any(|p| p.blocks)
    }

    /// Fails with the first problem that keeps migrations from running.
    ///
    /// # Errors
    /// `Migration`, with the problem's sentence and hint.
    pub fn ensure_sound(&self) -> Result<()> {
        first_blocker(&self.problems)
    }
}

fn first_blocker(problems: &[Problem]) -> Result<()> {
    match problems.iter().find(|p| p.blocks) {
        Some(problem) => Err(problem.clone().into_error()),
        None => Ok(()),
    }
}

/// Something wrong or odd, as one sentence that names the file or id, and one thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub kind: ProblemKind,
    /// The migration concerned; `None` where it is about several.
    pub id: Option<String>,
    pub file: Option<PathBuf>,
    pub message: String,
    pub hint: String,
    /// Whether migrations are refused while it stands. Otherwise it is a warning.
    pub blocks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A file changed after it was applied.
    Edited,
    /// Applied, but there is no file.
    Missing,
    /// A file that is not applied is older than one that is.
    OutOfOrder,
    /// The database is at an Alembic revision that no file knows.
    UnknownRevision,
    /// Began and never finished.
    Dirty,
    /// A plain file among reversible ones.
    Mixed,
    /// An up file without its down file, or the other way round.
    Unpaired,
    /// A file that looks like a migration, which the tool passes over.
    Ignored,
    /// A byte order mark, which Postgres does not read.
    ByteOrderMark,
    /// More than one head.
    SeveralHeads,
}

impl Problem {
    pub fn into_error(self) -> Error {
        Error::migration(self.message).hint(self.hint)
    }

    pub(crate) fn several_heads(chain: &Chain) -> Self {
        let named: Vec<String> = chain
            .heads
            .iter()
            .map(|id| match chain.get(id) {
                Some(m) if !m.name.is_empty() => format!("{id} ({})", m.name),
                _ => id.clone(),
            })
            .collect();
        Problem {
            kind: ProblemKind::SeveralHeads,
            id: None,
            file: None,
            message: format!(
                "the chain has {} heads: {}",
                chain.heads.len(),
                named.join(", ")
            ),
            hint: format!(
                "join them with `alembic merge -m \"merge\" {}`",
                chain.heads.join(" ")
            ),
            blocks: true,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A migration that was run, forward or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub id: String,
    pub name: String,
    pub took: Duration,
}

/// How far back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollback {
    /// So many migrations.
    Steps(u32),
    /// Until this one is the last that is applied.
    To(String),
    /// Everything.
    Base,
}

//! What the table of applied migrations says, beside the files.

use std::collections::BTreeSet;

use super::files::{File, Files, checksum, name_of};
use crate::error::Result;
use crate::migrations::{Applied, Problem, ProblemKind, Standing};
use crate::postgres::{Connection, Row};

/// One row of the table.
pub struct Recorded {
    version: i64,
    description: String,
    when: String,
    success: bool,
    checksum: Vec<u8>,
}

/// Reads the table; no rows where there is no table.
pub async fn applied(connection: &mut Connection, table: &str) -> Result<Vec<Recorded>> {
    // The name may carry a schema and quotes: to_regclass reads it as the server would.
    let exists: Option<bool> = connection
        .fetch_value("select pg_catalog.to_regclass($1) is not null", &[table])
        .await?;
    if exists != Some(true) {
        return Ok(Vec::new());
    }
    let rows = connection
        .fetch(
            &format!(
                "select version, description, installed_on::text, success, checksum \
                 from {table} order by version"
            ),
            &[],
        )
        .await
        .map_err(|e| {
            e.context(format_args!("{table} is not a table of sqlx migrations"))
                .hint("set `table` under [migrations] to the table that sqlx uses")
        })?;
    rows.iter()
        .map(|row| {
            let read = || -> std::result::Result<Recorded, _> {
                Ok(Recorded {
                    version: row.try_get(0)?,
                    description: row.try_get(1)?,
                    when: row.try_get(2)?,
                    success: row.try_get(3)?,
                    checksum: row.try_get(4)?,
                })
            };
            read().map_err(crate::postgres::error_from)
        })
        .collect()
}

/// Sets rows and files beside each other.
pub fn compare(files: &Files, rows: Vec<Recorded>, table: &str) -> Standing {
    let mut standing = Standing {
        problems: files.problems.clone(),
        ..Standing::default()
    };
    let versions: BTreeSet<i64> = rows.iter().map(|row| row.version).collect();
    let mut without_file = Vec::new();
    for row in rows {
        let id = row.version.to_string();
        let file = files.steps.get(&row.version).map(|step| &step.up);
        if !row.success {
            standing.problems.push(Problem {
                kind: ProblemKind::Dirty,
                message: format!(
                    "migration {id} ({}) began and never finished",
                    row.description
                ),
                hint: format!("`devdb reset`, or repair by hand and delete its row from {table}"),
                file: file.map(|f| f.path.clone()),
                id: Some(id.clone()),
                blocks: true,
            });
        }
        let applied = Applied {
            name: match file {
                Some(file) => file.migration.description.to_string(),
                None => row.description.clone(),
            },
            when: Some(row.when),
            id: id.clone(),
        };
        match file {
            Some(file) => {
                if *file.migration.checksum != *row.checksum {
                    standing.problems.push(edited(file, &row.checksum));
                }
                standing.applied.push(applied);
            }
            None => {
                standing.problems.push(Problem {
                    kind: ProblemKind::Missing,
                    message: format!(
                        "migration {id} ({}) is applied, but its file is gone",
                        row.description
                    ),
                    hint: "bring the file back (another branch?), or `devdb reset`".into(),
                    file: None,
                    id: Some(id),
                    blocks: true,
                });
                without_file.push(applied);
            }
        }
    }
    standing.applied.extend(without_file);

    let latest = versions.last().copied();
    for (migration, (version, step)) in files.chain().migrations.into_iter().zip(&files.steps) {
        if versions.contains(version) {
            continue;
        }
        if let Some(latest) = latest.filter(|latest| version < latest) {
            standing.problems.push(Problem {
                kind: ProblemKind::OutOfOrder,
                message: format!(
                    "{} is not applied, though the later {latest} is: it will run out of order",
                    name_of(&step.up.path)
                ),
                hint: "give it a version after the last one if it was not released yet".into(),
                file: Some(step.up.path.clone()),
                id: Some(version.to_string()),
                blocks: false,
            });
        }
        standing.pending.push(migration);
    }
    standing
}

fn edited(file: &File, applied: &[u8]) -> Problem {
    let name = name_of(&file.path);
    let (message, hint) = if other_line_ends(file, applied) {
        (
            format!("{name} has other line ends than when it was applied"),
            "write `*.sql text eol=lf` into .gitattributes and check it out again, \
             or set ignored-chars = [\"\\r\"] in sqlx.toml",
        )
    } else {
        (
            format!("{name} was changed after it was applied"),
            "put it back and write a further migration; or `devdb reset` if it was not released yet",
        )
    };
    Problem {
        kind: ProblemKind::Edited,
        id: Some(file.migration.version.to_string()),
        file: Some(file.path.clone()),
        message,
        hint: hint.into(),
        blocks: true,
    }
}

/// A checkout on another system is the common reason for a checksum that does not match.
fn other_line_ends(file: &File, applied: &[u8]) -> bool {
    let unix = file.migration.sql.as_str().replace("\r\n", "\n");
    let none = BTreeSet::new();
    checksum(&unix, &none) == applied || checksum(&unix.replace('\n', "\r\n"), &none) == applied
}

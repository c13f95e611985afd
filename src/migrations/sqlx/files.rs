//! Reading a folder of sqlx migrations, by sqlx's own rules (`sqlx_core::migrate::source`), but
//! with every bad name found at once and with the paths kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha384};
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::error::{Error, Named, Result};
use crate::migrations::{Chain, Problem, ProblemKind};

/// One version: the file that goes forward and, where there is one, the file that goes back.
#[derive(Debug, Clone)]
pub struct Step {
    pub up: File,
    pub down: Option<File>,
}

/// A file, as sqlx's driver wants it, and where it lies.
#[derive(Debug, Clone)]
pub struct File {
    pub migration: Migration,
    pub path: PathBuf,
}

/// The folder's content, by version.
#[derive(Debug, Clone, Default)]
pub struct Files {
    pub steps: BTreeMap<i64, Step>,
    pub problems: Vec<Problem>,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads the folder. `ignored` are the characters that sqlx.toml leaves out of checksums.
///
/// # Errors
/// `Migration` for a version that cannot be read, two files of one version, text that is not
/// UTF-8; `Failed` where the folder cannot be read.
pub fn read(dir: &Path, ignored: &BTreeSet<char>) -> Result<Files> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(dir)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
        .map_err(|e| {
            Error::migration(format!("cannot read migrations in {}: {e}", dir.display()))
                .hint("set `dir` under [migrations] in devdb.toml to the folder of the files")
        })?;
    names.sort();

    let mut ups: BTreeMap<i64, File> = BTreeMap::new();
    let mut downs: BTreeMap<i64, File> = BTreeMap::new();
    let mut problems = Vec::new();
    for path in names {
        // Follows links, as sqlx does; a dangling one is an error there too.
        let metadata =
            std::fs::metadata(&path).named(format_args!("cannot read {}", path.display()))?;
        if !metadata.is_file() {
            continue;
        }
        let Some(file) = read_file(path, ignored, &mut problems)? else {
            continue;
        };
        let version = file.migration.version;
        let side = if file.migration.migration_type.is_down_migration() {
            &mut downs
        } else {
            &mut ups
        };
        if let Some(first) = side.insert(version, file.clone()) {
            return Err(Error::migration(format!(
                "two migrations have version {version}: {} and {}",
                name_of(&first.path),
                name_of(&file.path)
            ))
            .hint("rename the newer one to a later version; nothing was run"));
        }
    }
    Ok(assemble(ups, downs, problems))
}

fn assemble(
    ups: BTreeMap<i64, File>,
    mut downs: BTreeMap<i64, File>,
    mut problems: Vec<Problem>,
) -> Files {
    let reversible = ups
        .values()
        .filter(|f| f.migration.migration_type.is_reversible())
        .count();
    let mut steps = BTreeMap::new();
    for (version, up) in ups {
        let down = downs.remove(&version);
        let plain = !up.migration.migration_type.is_reversible();
        if plain && down.is_none() && reversible > 0 {
            problems.push(Problem {
                kind: ProblemKind::Mixed,
                id: Some(version.to_string()),
                message: format!(
                    "{} is a plain file among reversible ones: it cannot be rolled back",
                    name_of(&up.path)
                ),
                hint: format!(
                    "rename it to {0}.up.sql and write {0}.down.sql",
                    name_of(&up.path).trim_end_matches(".sql")
                ),
                file: Some(up.path.clone()),
                blocks: false,
            });
        } else if !plain && down.is_none() {
            problems.push(Problem {
                kind: ProblemKind::Unpaired,
                id: Some(version.to_string()),
                message: format!("{} has no .down.sql beside it", name_of(&up.path)),
                hint: format!(
                    "write {}.down.sql; it may be empty",
                    name_of(&up.path).trim_end_matches(".up.sql")
                ),
                file: Some(up.path.clone()),
                blocks: false,
            });
        }
        steps.insert(version, Step { up, down });
    }
    for (version, down) in downs {
        problems.push(Problem {
            kind: ProblemKind::Unpaired,
            id: Some(version.to_string()),
            message: format!("{} has no .up.sql beside it", name_of(&down.path)),
            hint: "write the .up.sql file, or delete this one".into(),
            file: Some(down.path),
            blocks: false,
        });
    }
    Files { steps, problems }
}

/// `None` for a file that sqlx passes over.
fn read_file(
    path: PathBuf,
    ignored: &BTreeSet<char>,
    problems: &mut Vec<Problem>,
) -> Result<Option<File>> {
    let name = name_of(&path);
    let Some((number, rest)) = name.split_once('_').filter(|(_, r)| r.ends_with(".sql")) else {
        if name.ends_with(".sql") {
            problems.push(Problem {
                kind: ProblemKind::Ignored,
                id: None,
                message: format!("{name} is not read: its name has no `_` after a version"),
                hint: "name it <version>_<description>.sql, or move it out of the folder".into(),
                file: Some(path),
                blocks: false,
            });
        }
        return Ok(None);
    };
    let version: i64 = number.parse().map_err(|_| {
        Error::migration(format!(
            "{} does not begin with a version: {number:?} is not a whole number below 2^63",
            path.display()
        ))
        .hint("name it <version>_<description>.sql, such as 20240131120000_add_tags.sql")
    })?;
    let kind = MigrationType::from_filename(rest);
    let description = rest.trim_end_matches(kind.suffix()).replace('_', " ");
    let bytes = std::fs::read(&path).named(format_args!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytecount(e.as_bytes(), e.utf8_error().valid_up_to());
        Error::migration(format!("{}:{line} is not UTF-8", path.display()))
            .hint("save the file as UTF-8; sqlx reads nothing else")
    })?;
    let checksum = checksum(&text, ignored);
    // sqlx hands the mark to Postgres, which fails at it. Here the file runs as any editor shows
    // it, under sqlx's own checksum, so that sqlx-cli continues a database that devdb made.
    let sql = match text.strip_prefix(BYTE_ORDER_MARK) {
        None => text,
        Some(rest) => {
            problems.push(Problem {
                kind: ProblemKind::ByteOrderMark,
                id: Some(version.to_string()),
                message: format!(
                    "{name} begins with a byte order mark: devdb passes over it, sqlx itself fails at it"
                ),
                hint: "save it as UTF-8 without a mark before anybody applies it".into(),
                file: Some(path.clone()),
                blocks: false,
            });
            rest.to_owned()
        }
    };
    Ok(Some(File {
        migration: Migration {
            version,
            description: Cow::Owned(description),
            migration_type: kind,
            no_tx: sql.starts_with("-- no-transaction"),
            sql: AssertSqlSafe(sql).into_sql_str(),
            checksum: Cow::Owned(checksum),
        },
        path,
    }))
}

/// Counts the line breaks in the first `until` bytes.
fn bytecount(bytes: &[u8], until: usize) -> usize {
    bytes[..until].iter().filter(|b| **b == b'\n').count()
}

/// SHA-384 over the text without the ignored characters: what sqlx keeps in its table.
pub fn checksum(text: &str, ignored: &BTreeSet<char>) -> Vec<u8> {
    let mut digest = Sha384::new();
    if ignored.is_empty() {
        digest.update(text);
    } else {
        for part in text.split(|c| ignored.contains(&c)) {
            digest.update(part);
        }
    }
    digest.finalize().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

impl Files {
    pub fn chain(&self) -> Chain {
        let mut migrations = Vec::new();
        let mut parent: Option<String> = None;
        for (version, step) in &self.steps {
            let id = version.to_string();
            migrations.push(crate::migrations::Migration {
                name: step.up.migration.description.to_string(),
                file: step.up.path.clone(),
                reversible: step.down.is_some(),
                commits: step.up.migration.no_tx,
                parents: parent.replace(id.clone()).into_iter().collect(),
                depends_on: Vec::new(),
                labels: Vec::new(),
                checksum: hex(&step.up.migration.checksum),
                id,
            });
        }
        Chain {
            migrations,
            heads: parent.into_iter().collect(),
            problems: self.problems.clone(),
        }
    }
}

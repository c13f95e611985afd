//! The chain of revisions, as the runner reports it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::errors;
use crate::error::{Error, Named, Result};
use crate::migrations::{Applied, Chain, Migration, Problem, ProblemKind, Standing};

/// The runner's answer to `graph`.
#[derive(Debug, Deserialize)]
pub struct Graph {
    revisions: Vec<Revision>,
    heads: Vec<String>,
    warnings: Vec<String>,
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    folders: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Revision {
    id: String,
    name: String,
    file: PathBuf,
    parents: Vec<String>,
    depends_on: Vec<String>,
    labels: Vec<String>,
    reversible: bool,
}

/// The files that the graph is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// alembic.ini, pyproject.toml, env.py: those that exist.
    pub files: Vec<PathBuf>,
    /// Where version files lie.
    pub folders: Vec<PathBuf>,
}

impl Graph {
    pub fn sources(&self) -> Sources {
        Sources {
            files: self.files.clone(),
            folders: self.folders.clone(),
        }
    }

    /// # Errors
    /// `Migration` where two files have one id, or a file builds on a revision that is not there.
    pub fn chain(self) -> Result<Chain> {
        // Alembic only warns, and then works with one of the two, or none.
        for warning in &self.warnings {
            if warning.contains("present more than once") {
                let id = warning.split_whitespace().nth(1).unwrap_or_default();
                let files = with_revision(&self.folders, id);
                return Err(Error::migration(format!(
                    "two files have revision {id}: {}",
                    files.join(", ")
                ))
                .hint("give the newer one another id, and correct what builds on it"));
            }
            if errors::is_missing_parent(warning) {
                return Err(errors::missing_parent(warning));
            }
        }
        let mut migrations = Vec::new();
        for revision in self.revisions {
            let bytes = std::fs::read(&revision.file)
                .named(format_args!("cannot read {}", revision.file.display()))?;
            migrations.push(Migration {
                id: revision.id,
                name: revision.name,
                reversible: revision.reversible,
                parents: revision.parents,
                depends_on: revision.depends_on,
                labels: revision.labels,
                commits: commits(&bytes),
                checksum: hex(&Sha256::digest(&bytes)),
                file: revision.file,
            });
        }
        let mut chain = Chain {
            migrations,
            heads: self.heads,
            problems: Vec::new(),
        };
        if chain.heads.len() > 1 {
            chain.problems.push(Problem::several_heads(&chain));
        }
        Ok(chain)
    }
}

/// The names of the files that hold `revision = "<id>"`.
fn with_revision(folders: &[PathBuf], id: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in folders.iter().flat_map(|folder| python_files(folder)) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let assigns = |line: &str| {
            line.starts_with("revision")
                && (line.contains(&format!("\"{id}\"")) || line.contains(&format!("'{id}'")))
        };
        if text.lines().any(assigns) {
            let name = file.file_name().unwrap_or_default();
            found.push(name.to_string_lossy().into_owned());
        }
    }
    found
}

/// All `.py` files in a folder and below, sorted.
pub fn python_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != "__pycache__" {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "py") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Sets the heads that a database has beside the chain.
pub fn compare(chain: &Chain, heads: &[String]) -> Standing {
    let applied = chain.ancestry(heads.iter().map(String::as_str));
    let mut standing = Standing {
        problems: chain.problems.clone(),
        ..Standing::default()
    };
    for migration in &chain.migrations {
        if applied.contains(migration.id.as_str()) {
            standing.applied.push(Applied {
                id: migration.id.clone(),
                name: migration.name.clone(),
                when: None,
            });
        } else {
            standing.pending.push(migration.clone());
        }
    }
    for id in heads.iter().filter(|id| chain.get(id).is_none()) {
        standing.problems.push(Problem {
            kind: ProblemKind::UnknownRevision,
            id: Some(id.clone()),
            file: None,
            message: format!("the database is at revision {id}, which no file has"),
            hint: "check out the branch it came from and roll it back there, or `devdb reset`"
                .into(),
            blocks: true,
        });
        standing.applied.push(Applied {
            id: id.clone(),
            name: String::new(),
            when: None,
        });
    }
    standing
}

/// Whether a version file speaks of leaving its transaction. Said too often costs a copy, no more.
fn commits(file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file);
    ["autocommit_block", "AUTOCOMMIT"]
        .iter()
        .any(|word| text.contains(word))
}

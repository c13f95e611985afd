//! What Python said about the revisions, kept between runs: a ready database then needs no Python
//! to be found ready.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::graph::{self, Sources};
use super::versions::{self, VersionTable};
use crate::error::{Named, Result};
use crate::migrations::{Chain, Standing};
use crate::postgres::Connection;

/// Counts up when the layout or the meaning changes.
const FORMAT: u32 = 2;

/// The chain, with the key of the files that it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlembicCache {
    format: u32,
    sources: Sources,
    /// SHA-256 over alembic.ini, env.py and all version files: names and bytes.
    key: String,
    pub chain: Chain,
    /// Known once env.py has run.
    version_table: Option<VersionTable>,
}

impl AlembicCache {
    pub(super) fn new(sources: Sources, chain: Chain, version_table: Option<VersionTable>) -> Self {
        AlembicCache {
            format: FORMAT,
            key: key(&sources, None),
            sources,
            chain,
            version_table,
        }
    }

    /// Reads it; `None` where it is not there, not readable, or the project's files changed since.
    pub fn load(path: &Path) -> Option<Self> {
        Self::last(path).filter(Self::is_fresh)
    }

    /// The same, whatever changed since.
    fn last(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let cache: AlembicCache = serde_json::from_str(&text).ok()?;
        (cache.format == FORMAT).then_some(cache)
    }

    /// The name of the version table, as SQL has it, that env.py configured when it ran last: another
    /// revision in the folder, one that `generate` has just written say, does not change it.
    pub fn last_version_table(path: &Path) -> Option<String> {
        let last = Self::last(path)?;
        last.version_table.as_ref().map(VersionTable::quoted)
    }

    /// Writes it, whole or not at all; makes the folder.
    ///
    /// # Errors
    /// `Failed`, with the path.
    pub fn save(&self, path: &Path) -> Result<()> {
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&file, self)?;
            file.persist(path)?;
            Ok(())
        };
        write().named(format_args!("cannot write {}", path.display()))
    }

    /// A hash of the files besides the revisions that a replay depends on: alembic.ini, env.py, and
    /// the project's own modules that revisions import. The same for every copy of the project:
    /// paths below `dir`, the folder of alembic.ini, count from there.
    pub fn surroundings(&self, dir: &Path) -> String {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        key(
            &Sources {
                files: self.sources.files.clone(),
                folders: Vec::new(),
            },
            Some(&dir),
        )
    }

    /// Those files one by one: path from `dir` → hash. Without those beside `dir`.
    pub fn surrounding_files(&self, dir: &Path) -> BTreeMap<String, String> {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let inside = self.sources.files.iter().filter_map(|file| {
            let file = file.canonicalize().ok()?;
            let name = file.strip_prefix(&dir).ok()?.to_str()?.to_owned();
            Some((
                name,
                graph::hex(&Sha256::digest(std::fs::read(&file).ok()?)),
            ))
        });
        inside.collect()
    }

    /// Whether the files are still as they were.
    pub fn is_fresh(&self) -> bool {
        key(&self.sources, None) == self.key
    }

    /// How a database stands to the chain, without Python; `None` where only env.py can tell
    /// which table holds the answer.
    ///
    /// # Errors
    /// `Postgres`.
    pub async fn standing(&self, connection: &mut Connection) -> Result<Option<Standing>> {
        let heads = match &self.version_table {
            Some(table) => table.heads(connection).await?,
            None if versions::any(connection).await? => return Ok(None),
            None => Vec::new(),
        };
        Ok(Some(graph::compare(&self.chain, &heads)))
    }

    pub(super) fn version_table(&self) -> Option<&VersionTable> {
        self.version_table.as_ref()
    }

    pub(super) fn set_version_table(&mut self, table: VersionTable) {
        self.version_table = Some(table);
    }
}

/// `dir`: the folder that names count from; without one they count whole.
fn key(sources: &Sources, dir: Option<&Path>) -> String {
    let mut digest = Sha256::new();
    let versions = sources.folders.iter().flat_map(|f| graph::python_files(f));
    for path in sources.files.iter().cloned().chain(versions) {
        // Lengths keep names and contents apart. A file that is gone counts as empty; its name
        // was there before only if it existed.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let inner = dir.and_then(|dir| {
            let path = path.canonicalize().ok()?;
            path.strip_prefix(dir).ok().map(Path::to_owned)
        });
        let name = inner.as_ref().unwrap_or(&path);
        // Beside `dir`, such as ../pyproject.toml: the bytes must do.
        let name = match dir {
            Some(_) if inner.is_none() => name.file_name().unwrap_or_default(),
            _ => name.as_os_str(),
        };
        let name = name.as_encoded_bytes();
        for part in [name, &bytes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    graph::hex(&digest.finalize())
}

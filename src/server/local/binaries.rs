//! Where `initdb`, `postgres` and `pg_ctl` are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::server::program::is_executable;

/// A folder with the programs of one version of Postgres.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The configured folder; else the first that runs, in this order: PATH, Debian's, Red Hat's,
    /// Homebrew's and Postgres.app's places, the newest version first. Data of one major version
    /// wants binaries of that version.
    ///
    /// # Errors
    /// `Server`; the detail lists where it looked.
    pub fn find(config: &Config, data_major: Option<u32>) -> Result<Self> {
        let places = match &config.server.bin {
            Some(folder) => vec![folder.clone()],
            None => places(&config.server.path),
        };
        let mut found = Vec::new();
        for folder in &places {
            if let Some(binaries) = Self::in_folder(folder) {
                if data_major.is_none_or(|major| major == binaries.major) {
                    return Ok(binaries);
                }
                found.push(binaries);
            }
        }
        // Of another version than the data: whoever starts it says so.
        if let Some(first) = found.into_iter().next() {
            return Ok(first);
        }
        let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        let hint = match &config.server.bin {
            Some(folder) => format!(
                "`bin` under [server] (or DEVDB_PG_BIN) names {}: correct it, or remove it to have \
                 the usual places searched",
                folder.display()
            ),
            None => {
                "install PostgreSQL (`apt-get install postgresql`, `brew install postgresql`), \
                     or name the folder in `bin` under [server] or DEVDB_PG_BIN"
                    .to_string()
            }
        };
        Err(
            Error::server("no PostgreSQL binaries (initdb, postgres, pg_ctl) were found")
                .detail(format!("looked in:\n{}", looked.join("\n")))
                .hint(hint),
        )
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let all = ["initdb", "postgres", "pg_ctl"];
        if !all.iter().all(|name| is_executable(&folder.join(name))) {
            return None;
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        Some(Binaries {
            folder: folder.to_path_buf(),
            major: major(&String::from_utf8_lossy(&output.stdout))?,
        })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// From `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, `18beta1` …
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn places(path: &[PathBuf]) -> Vec<PathBuf> {
    let mut places = path.to_vec();
    places.extend(versions("/usr/lib/postgresql", "", "bin"));
    places.extend(versions("/usr", "pgsql-", "bin"));
    places.extend(versions("/opt/homebrew/opt", "postgresql@", "bin"));
    places.extend(versions("/usr/local/opt", "postgresql@", "bin"));
    places.extend(versions(
        "/Applications/Postgres.app/Contents/Versions",
        "",
        "bin",
    ));
    places
}

/// `<parent>/<prefix><number>/<below>`, the highest number first.
fn versions(parent: &str, prefix: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(below)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_shape_are_read() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("no such thing"), None);
    }
}

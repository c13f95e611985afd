//! Writing new migration files in the style of the chain.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Sqlx;
use super::files::Files;
use crate::error::{Error, Named, Result};

/// The text of one new migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBody {
    /// Whole text, with `-- no-transaction` as its first line where it needs that.
    pub up: String,
    /// The way back; written only where the chain is reversible.
    pub down: String,
}

impl Sqlx {
    /// Whether new migrations get an up and a down file: as sqlx.toml says, else like the last one.
    ///
    /// # Errors
    /// Those of [`Sqlx::chain`].
    pub fn is_reversible(&self) -> Result<bool> {
        if self.dir.is_dir() {
            Ok(self.style(&self.read()?))
        } else {
            Ok(self.toml.reversible.unwrap_or(false))
        }
    }

    fn style(&self, files: &Files) -> bool {
        let last = files.steps.last_key_value();
        self.toml.reversible.unwrap_or_else(|| {
            last.is_some_and(|(_, step)| step.up.migration.migration_type.is_reversible())
        })
    }

    /// Writes new migrations behind the last one, in order, and gives their paths (up before
    /// down). `timestamp` is the time now in UTC as `yyyymmddHHMMSS`; where it is not after the
    /// last version, the first number after that is taken. A chain that counts (0001, 0002 …) is
    /// counted on. All files are written, or none; none is overwritten.
    ///
    /// # Errors
    /// `Usage` for a bad timestamp; `Failed` where a file cannot be written or is there already.
    pub fn write(
        &self,
        timestamp: &str,
        message: &str,
        bodies: &[FileBody],
    ) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(&self.dir)
            .named(format_args!("cannot make {}", self.dir.display()))?;
        let files = self.read()?;
        let mut versions = Versions::after(&files, self.toml.sequential, timestamp)?;
        let reversible = self.style(&files);
        let slug = slug(message);

        let mut planned = Vec::new();
        for (index, body) in bodies.iter().enumerate() {
            let stem = match index {
                0 => format!("{}_{slug}", versions.next_text()),
                n => format!("{}_{slug}_{}", versions.next_text(), n + 1),
            };
            if reversible {
                planned.push((self.dir.join(format!("{stem}.up.sql")), &body.up));
                planned.push((self.dir.join(format!("{stem}.down.sql")), &body.down));
            } else {
                planned.push((self.dir.join(format!("{stem}.sql")), &body.up));
            }
        }
        let mut written: Vec<PathBuf> = Vec::new();
        for (path, text) in planned {
            if let Err(error) = write_new(&path, text) {
                for path in &written {
                    // The first error is the one to tell.
                    let _ = std::fs::remove_file(path);
                }
                return Err(error);
            }
            written.push(path);
        }
        Ok(written)
    }
}

/// Writes beside its place and moves it there, so that nobody ever sees half a file.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".devdb-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        Ok(())
    };
    write().named(format_args!("cannot write {}", path.display()))
}

/// Lower-case words joined by `_`, at most 60 characters: `Add tags!` → `add_tags`.
fn slug(message: &str) -> String {
    let lower = message.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug: String = words.join("_").chars().take(60).collect();
    match slug.trim_end_matches('_') {
        "" => "migration".to_string(),
        slug => slug.to_string(),
    }
}

/// Gives out version numbers.
struct Versions {
    next: i64,
    width: usize,
    timestamps: bool,
}

impl Versions {
    fn after(files: &Files, sequential: Option<bool>, timestamp: &str) -> Result<Self> {
        let now = parse_timestamp(timestamp).ok_or_else(|| {
            Error::usage(format!("{timestamp:?} is not a time as yyyymmddHHMMSS"))
        })?;
        let last: Vec<i64> = files.steps.keys().rev().take(2).copied().collect();
        // sqlx-cli's own rule for "does this chain count?".
        let sequential = sequential.unwrap_or(match last.as_slice() {
            [last, before] => last - before == 1,
            [only] => matches!(only, 0 | 1),
            _ => false,
        });
        let after_last = last.first().map_or(Ok(1), |last| {
            last.checked_add(1)
                .ok_or_else(|| Error::migration(format!("no version comes after {last}")))
        })?;
        Ok(if sequential {
            Versions {
                next: after_last,
                width: width_of_last(files).unwrap_or(4),
                timestamps: false,
            }
        } else if now >= after_last {
            Versions {
                next: now,
                width: 14,
                timestamps: true,
            }
        } else {
            // From a clock that runs ahead, or a style of its own, such as 15 digits.
            let timestamps = parse_timestamp(&(after_last - 1).to_string()).is_some();
            Versions {
                next: if timestamps {
                    next_second(after_last - 1)
                } else {
                    after_last
                },
                width: width_of_last(files).unwrap_or(14),
                timestamps,
            }
        })
    }

    fn next_text(&mut self) -> String {
        let text = format!("{:0width$}", self.next, width = self.width);
        self.next = if self.timestamps {
            next_second(self.next)
        } else {
            self.next + 1
        };
        text
    }
}

/// Digits of the last version as its file writes it: `0007` → 4.
fn width_of_last(files: &Files) -> Option<usize> {
    let (_, step) = files.steps.last_key_value()?;
    let name = super::files::name_of(&step.up.path);
    name.split_once('_').map(|(number, _)| number.len())
}

const TIMESTAMP: &str = "%Y%m%d%H%M%S";

fn parse_timestamp(text: &str) -> Option<i64> {
    let number = text.parse().ok()?;
    (text.len() == 14 && jiff::civil::DateTime::strptime(TIMESTAMP, text).is_ok()).then_some(number)
}

/// The next second after a timestamp, written as a number; midnight and leap days included.
fn next_second(timestamp: i64) -> i64 {
    jiff::civil::DateTime::strptime(TIMESTAMP, timestamp.to_string())
        .ok()
        .and_then(|time| time.checked_add(jiff::SignedDuration::from_secs(1)).ok())
        .and_then(|time| time.strftime(TIMESTAMP).to_string().parse().ok())
        .unwrap_or(timestamp + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_file_name() {
        assert_eq!(slug("Add tags!"), "add_tags");
        assert_eq!(slug("../../etc/passwd"), "etc_passwd");
        assert_eq!(slug("Größe ändern"), "größe_ändern");
        assert_eq!(slug("—"), "migration");
        assert!(slug(&"word ".repeat(50)).len() <= 60);
    }

    #[test]
    fn seconds_carry_into_days() {
        assert_eq!(next_second(20240228235959), 20240229000000);
        assert_eq!(next_second(20231231235959), 20240101000000);
    }
}

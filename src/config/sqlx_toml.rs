//! `sqlx.toml`, the settings that sqlx-cli and `sqlx::migrate!` read, as far as migrations go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Named, Result};

/// The `[migrate]` table of a `sqlx.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlxToml {
    /// Where it was found.
    pub file: PathBuf,
    pub table_name: Option<String>,
    /// Schemas made before the table of applied migrations.
    pub create_schemas: BTreeSet<String>,
    /// Relative to the folder of the file.
    pub migrations_dir: Option<String>,
    /// Left out when a file is hashed.
    pub ignored_chars: BTreeSet<char>,
    /// Whether new migrations are reversible; `None`: like the last one.
    pub reversible: Option<bool>,
    /// Whether new versions count up instead of being timestamps; `None`: like the last ones.
    pub sequential: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    migrate: Migrate,
}

// Keys that do not concern migrations belong to sqlx's macros and are none of devdb's business;
// a wrong key inside `[migrate]` stops sqlx-cli and stops devdb.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Migrate {
    create_schemas: BTreeSet<String>,
    table_name: Option<String>,
    migrations_dir: Option<String>,
    ignored_chars: BTreeSet<char>,
    defaults: Defaults,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Defaults {
    migration_type: Option<String>,
    migration_versioning: Option<String>,
}

impl SqlxToml {
    /// The nearest `sqlx.toml` above the folder of the migrations, not going past the folder that
    /// holds `.git` or `devdb.toml`.
    ///
    /// # Errors
    /// `Failed` where it cannot be read, `Usage` where it is not what sqlx-cli accepts.
    pub fn find(migrations: &Path) -> Result<Option<Self>> {
        for folder in migrations.ancestors().skip(1) {
            let file = folder.join("sqlx.toml");
            if file.is_file() {
                return Self::read(file).map(Some);
            }
            if folder.join(".git").exists() || folder.join("devdb.toml").exists() {
                break;
            }
        }
        Ok(None)
    }

    fn read(file: PathBuf) -> Result<Self> {
        let text =
            std::fs::read_to_string(&file).named(format_args!("cannot read {}", file.display()))?;
        let File { migrate } = toml::from_str(&text).map_err(|e| {
            Error::usage(format!("{} is not a sqlx.toml", file.display()))
                .detail(e.to_string())
                .hint("see https://docs.rs/sqlx/0.9/sqlx/config for its keys")
        })?;
        let word = |value: Option<String>, yes: &str, no: &str| match value.as_deref() {
            Some(v) if v == yes => Some(true),
            Some(v) if v == no => Some(false),
            _ => None,
        };
        Ok(SqlxToml {
            table_name: migrate.table_name,
            create_schemas: migrate.create_schemas,
            migrations_dir: migrate.migrations_dir,
            ignored_chars: migrate.ignored_chars,
            reversible: word(migrate.defaults.migration_type, "reversible", "simple"),
            sequential: word(
                migrate.defaults.migration_versioning,
                "sequential",
                "timestamp",
            ),
            file,
        })
    }
}

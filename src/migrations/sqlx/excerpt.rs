//! What to do where a statement of a migration failed.

use std::path::Path;

use sqlx::migrate::Migration;

use crate::error::{Error, PostgresError};
use crate::excerpt;

/// [`excerpt::failed_file`], with what to do about it in a migration.
pub fn failed_file(path: &Path, migration: &Migration, error: Error) -> Error {
    let error = excerpt::failed_file(path, migration.sql.as_str(), error);
    match error.postgres().and_then(|said| hint(said, migration)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn hint(said: &PostgresError, migration: &Migration) -> Option<String> {
    let own = match said.code.as_str() {
        // active_sql_transaction
        "25001" if !migration.no_tx => {
            "begin the file with `-- no-transaction` and leave this statement alone in it"
        }
        "25001" => {
            "Postgres runs several statements of one file in one transaction: leave this one alone in its file"
        }
        // unsafe_new_enum_value_usage
        "55P04" => "add the enum value in a migration of its own, before the one that uses it",
        "58P01" | "0A000" if said.message.contains("extension") => {
            "the server lacks this extension: use an image that has it (`image` under [server])"
        }
        "42501" => "the configured user may not do this: see `user` under [database]",
        _ => match &said.hint {
            Some(hint) => return Some(hint.clone()),
            None if migration.no_tx => {
                "the file runs without a transaction: look at what it left behind before running it again"
            }
            None => {
                "nothing of this file was kept; those before it stay applied. Mend it and run again"
            }
        },
    };
    Some(own.to_string())
}

//! One migration, and the row that records it.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate as _, MigrateError, Migration};

use super::plain_error;
use crate::error::{Error, ErrorKind};
use crate::postgres::{Connection, error_from, quote_literal};

/// What failed.
pub(super) enum Failure {
    /// A statement of the file. `position` counts in the file's own text.
    Statement(Error),
    /// All of them ran; the row or the end of the transaction did not come to pass.
    Record(Error),
}

const SYNTAX_ERROR: &str = "42601";

/// On one line with the file's first: it is sent together with the file.
const BEGIN: &str = "BEGIN; ";

/// Runs a migration as sqlx does, and leaves the same row. A chain's replay is mostly waiting for
/// answers: what runs in a transaction takes one round trip here, where sqlx's own takes five.
pub(super) async fn apply(
    connection: &mut Connection,
    table: &str,
    migration: &Migration,
) -> Result<Duration, Failure> {
    if migration.no_tx {
        let applied = connection.driver().apply(table, migration).await;
        return applied.map_err(failure);
    }
    let started = Instant::now();
    let file = migration.sql.as_str();
    let record = record(table, migration);
    // On a line of its own: the file may end with a comment.
    let text = format!("{BEGIN}{file}\n; {record}; COMMIT");
    match connection.execute(&text).await {
        Ok(()) => Ok(started.elapsed()),
        Err(error) => {
            roll_back(connection).await;
            Err(told_apart(connection, error, file).await)
        }
    }
}

/// A lost connection has rolled back already.
async fn roll_back(connection: &mut Connection) {
    let _ = connection.execute("ROLLBACK").await;
}

/// The row as sqlx writes it, but that the time is what the server needed.
fn record(table: &str, migration: &Migration) -> String {
    let checksum = migration.checksum.iter();
    let checksum: String = checksum.map(|byte| format!("{byte:02x}")).collect();
    format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) \
         VALUES ({}, {}, TRUE, pg_catalog.decode('{checksum}', 'hex'), \
         (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \
         pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.*) 1e9)::pg_catalog.int8)",
        migration.version,
        quote_literal(&migration.description),
    )
}

/// Runs a down file and takes the row away.
pub(super) async fn revert(
    connection: &mut Connection,
    table: &str,
    migration: &Migration,
) -> Result<Duration, Failure> {
    let reverted = connection.driver().revert(table, migration).await;
    reverted.map_err(failure)
}

fn failure(error: MigrateError) -> Failure {
    match error {
        MigrateError::ExecuteMigration(error, _) => Failure::Statement(error_from(error)),
        error => Failure::Record(plain_error(error)),
    }
}

/// The same error as if the file had been sent alone, or that of the row: what is wrong with that
/// stands behind the file.
async fn told_apart(connection: &mut Connection, error: Error, file: &str) -> Failure {
    // Counted in characters, from one.
    let end = BEGIN.len() + file.chars().count();
    let position = error.postgres().and_then(|said| said.position);
    if position.is_none_or(|position| position <= end) {
        return Failure::Statement(without_begin(error));
    }
    if error.sqlstate() != Some(SYNTAX_ERROR) {
        return Failure::Record(error.with_kind(ErrorKind::Migration));
    }
    // The file's last statement is unfinished and took in what came behind it.
    let alone = connection.execute(&format!("{BEGIN}{file}")).await;
    roll_back(connection).await;
    Failure::Statement(without_begin(alone.err().unwrap_or(error)))
}

fn without_begin(error: Error) -> Error {
    let Some(mut said) = error.postgres().cloned() else {
        return error;
    };
    said.position = said
        .position
        .map(|position| position.saturating_sub(BEGIN.len()));
    error.with_postgres(said)
}

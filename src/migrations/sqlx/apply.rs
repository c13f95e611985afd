//! One migration, and the row that records it.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate as _, MigrateError, Migration};

use super::plain_error;
use crate::error::Error;
use crate::postgres::{Connection, error_from, quote_literal};

/// What failed.
pub(super) enum Failure {
    /// A statement of the file. `position` counts in the file's own text.
    Statement(Error),
    /// All of them ran; the row or the end of the transaction did not come to pass.
    Record(Error),
}

/// On one line with the file's first: it is sent together with the file.
const BEGIN: &str = "BEGIN; ";

/// Runs a migration as sqlx does, and leaves the same row. A chain's replay is mostly waiting for
/// answers: what runs in a transaction takes two round trips here, where sqlx's own takes five.
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
    let text = format!("{BEGIN}{}", migration.sql.as_str());
    if let Err(error) = connection.execute(&text).await {
        roll_back(connection).await;
        return Err(Failure::Statement(without_begin(error)));
    }
    let checksum: String = migration
        .checksum
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let record = format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) \
         VALUES ({}, {}, TRUE, pg_catalog.decode('{checksum}', 'hex'), {}); COMMIT",
        migration.version,
        quote_literal(&migration.description),
        started.elapsed().as_nanos(),
    );
    if let Err(error) = connection.execute(&record).await {
        roll_back(connection).await;
        let error = error.with_kind(crate::error::ErrorKind::Migration);
        return Err(Failure::Record(error));
    }
    Ok(started.elapsed())
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

/// A lost connection has rolled back already.
async fn roll_back(connection: &mut Connection) {
    let _ = connection.execute("ROLLBACK").await;
}

/// The same error as if the file had been sent alone.
fn without_begin(error: Error) -> Error {
    let Some(mut said) = error.postgres().cloned() else {
        return error;
    };
    said.position = said
        .position
        .map(|position| position.saturating_sub(BEGIN.len()));
    error.with_postgres(said)
}

//! The SQL of a chain as text, for servers that devdb does not reach; and marks without SQL.

use std::time::Instant;

use super::excerpt::failed_file;
use super::files::{File, Files};
use super::{Sqlx, existing_version};
use crate::error::{Error, Result};
use crate::migrations::{Applied, Migration, Ran, Rollback};
use crate::postgres::{Connection, Target, quote_literal};

impl Sqlx {
    /// What [`Sqlx::migrate`] would run on a database with `applied`, marks included.
    ///
    /// # Errors
    /// As [`Sqlx::chain`]; `Migration` for an unknown version.
    pub fn up_sql(&self, pending: &[Migration], to: Option<&str>) -> Result<String> {
        let files = self.read()?;
        let to = to.map(|to| existing_version(&files, to)).transpose()?;
        let mut sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (\n    version BIGINT PRIMARY KEY,\n    description TEXT NOT NULL,\n    \
             installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n    success BOOLEAN NOT NULL,\n    \
             checksum BYTEA NOT NULL,\n    execution_time BIGINT NOT NULL\n);\n",
            self.table()
        );
        let versions = pending.iter().filter_map(|m| m.id.parse::<i64>().ok());
        for version in versions.filter(|version| to.is_none_or(|to| *version <= to)) {
            let file = &files.steps[&version].up;
            sql.push_str(&framed(file, &self.mark(file)));
        }
        Ok(sql)
    }

    /// What [`Sqlx::rollback`] would run, marks included.
    ///
    /// # Errors
    /// As [`Sqlx::chain`]; `Migration` where a migration on the way has no down file.
    pub fn down_sql(&self, applied: &[Applied], how_far: &Rollback) -> Result<String> {
        let files = self.read()?;
        let mut versions: Vec<i64> = applied.iter().filter_map(|a| a.id.parse().ok()).collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        match how_far {
            Rollback::Steps(steps) => versions.truncate(*steps as usize),
            Rollback::Base => {}
            Rollback::To(to) => {
                let to = match to.as_str() {
                    "0" => 0,
                    to => existing_version(&files, to)?,
                };
                versions.retain(|version| *version > to);
            }
        }
        let mut sql = String::new();
        for version in versions {
            let down = files
                .steps
                .get(&version)
                .and_then(|step| step.down.as_ref());
            let down = down.ok_or_else(|| {
                Error::migration(format!("migration {version} has no down file"))
                    .hint("write its way back, or roll back less")
            })?;
            let mark = format!("DELETE FROM {} WHERE version = {version};\n", self.table());
            sql.push_str(&framed(down, &mark));
        }
        Ok(sql)
    }

    fn mark(&self, file: &File) -> String {
        let migration = &file.migration;
        let hex: String = migration
            .checksum
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) VALUES ({}, {}, true, '\\x{hex}', 0);\n",
            self.table(),
            migration.version,
            quote_literal(&migration.description),
        )
    }

    /// Says that a database is at `to` (`0`: before the first) without running anything.
    ///
    /// # Errors
    /// `Migration` for an unknown version; `Postgres`.
    pub async fn stamp(&self, target: &Target, to: &str) -> Result<()> {
        let files = self.read()?;
        let to = match to {
            "0" => 0,
            to => existing_version(&files, to)?,
        };
        let mut connection = self.connect(target).await?;
        let stamped = self.stamp_on(&mut connection, &files, to).await;
        connection.close().await;
        stamped
    }

    async fn stamp_on(&self, connection: &mut Connection, files: &Files, to: i64) -> Result<()> {
        self.prepare(connection, &crate::event::Events::silent())
            .await?;
        let mut sql = format!("begin; delete from {};", self.table());
        for step in files.steps.range(..=to).map(|(_, step)| step) {
            sql.push_str(&self.mark(&step.up));
        }
        sql.push_str("commit;");
        connection.execute(&sql).await
    }
}

impl Sqlx {
    /// Runs what is pending in one transaction, and rolls that back. The inner error says why it
    /// cannot be done. Waits five seconds at most for a lock.
    ///
    /// # Errors
    /// `Migration`: the one that fails, with an excerpt of its file.
    pub async fn try_out(
        &self,
        target: &Target,
        pending: &[Migration],
    ) -> Result<std::result::Result<Vec<Ran>, String>> {
        let files = self.read()?;
        let versions = pending.iter().filter_map(|m| m.id.parse::<i64>().ok());
        let files: Vec<&File> = versions.map(|version| &files.steps[&version].up).collect();
        if let Some(file) = files.iter().find(|file| file.migration.no_tx) {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(Err(format!("{name} does not run in a transaction")));
        }
        let mut connection = self.connect(target).await?;
        let tried = async {
            connection
                .execute("begin; set local lock_timeout = '5s'")
                .await?;
            let mut ran = Vec::new();
            for file in files {
                let started = Instant::now();
                // Postgres refuses a COMMIT in there: as it stands, it would end the transaction.
                let sql = format!(
                    "do {}",
                    quote_literal(&format!(
                        "begin execute {}; end",
                        quote_literal(file.migration.sql.as_str())
                    ))
                );
                match connection.execute(&sql).await {
                    Ok(()) => {}
                    // 0A000: transaction commands, and a few others that EXECUTE does not take.
                    Err(error) if error.sqlstate() == Some("0A000") => {
                        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                        return Ok(Err(format!("{name}: {}", error.message())));
                    }
                    Err(error) => return Err(failed_file(&file.path, &file.migration, error)),
                }
                ran.push(Ran {
                    id: file.migration.version.to_string(),
                    name: file.migration.description.to_string(),
                    took: started.elapsed(),
                });
            }
            Ok(Ok(ran))
        }
        .await;
        let _ = connection.execute("rollback").await;
        connection.close().await;
        tried
    }
}

/// A file in the transaction that it runs in.
fn framed(file: &File, mark: &str) -> String {
    let migration = &file.migration;
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let text = migration.sql.as_str().trim_end();
    let end = if text.ends_with(';') { "" } else { "\n;" };
    match migration.no_tx {
        true => format!("\n-- {name}\n{text}{end}\n{mark}"),
        false => format!("\n-- {name}\nBEGIN;\n{text}{end}\n{mark}COMMIT;\n"),
    }
}

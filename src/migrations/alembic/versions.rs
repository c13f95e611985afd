//! Alembic's version table, read without Python.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::postgres::{Connection, Row, error_from, quote_ident};

/// Where Alembic keeps the heads of a database: `alembic_version`, unless env.py says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionTable {
    /// `None`: the search path decides.
    pub schema: Option<String>,
    pub table: String,
}

impl VersionTable {
    pub(super) fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote_ident(schema), quote_ident(&self.table)),
            None => quote_ident(&self.table),
        }
    }

    /// The heads that the database has, sorted; none where there is no table.
    ///
    /// # Errors
    /// `Postgres`.
    pub async fn heads(&self, connection: &mut Connection) -> Result<Vec<String>> {
        let name = self.quoted();
        let there: Option<bool> = connection
            .fetch_value("select pg_catalog.to_regclass($1) is not null", &[&name])
            .await?;
        if there != Some(true) {
            return Ok(Vec::new());
        }
        let rows = connection
            .fetch(
                &format!("select version_num::text from {name} order by 1"),
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(error_from))
            .collect()
    }
}

/// Whether the database has any table that looks like a version table: one column `version_num`.
pub async fn any(connection: &mut Connection) -> Result<bool> {
    let found: Option<bool> = connection
        .fetch_value(
            "select exists (select from pg_catalog.pg_class c \
                 join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
                 where c.relkind in ('r', 'p') \
                 group by c.oid \
                 having pg_catalog.count(*) = 1 and pg_catalog.min(a.attname::text) = 'version_num')",
            &[],
        )
        .await?;
    Ok(found == Some(true))
}

/// What tells one database on one run of a server from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    oid: String,
    started: String,
}

/// The same two values that `runner.py` asks for through the application's connection.
pub async fn identity(connection: &mut Connection) -> Result<Identity> {
    let rows = connection
        .fetch(
            "select cast(d.oid as text), cast(cast(extract(epoch from \
                 pg_catalog.pg_postmaster_start_time()) * 1000000 as bigint) as text) \
             from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()",
            &[],
        )
        .await?;
    let value = |i: usize| rows[0].try_get::<String, _>(i).map_err(error_from);
    Ok(Identity {
        oid: value(0)?,
        started: value(1)?,
    })
}

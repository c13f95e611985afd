//! Postgres itself: where it is, connecting, quoting, and databases as whole things.
//!
//! The only owner of the `sqlx` crate besides `migrations::sqlx`. Everything runs through the
//! simple or the extended protocol as it is; no statement is rewritten.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgErrorPosition, PgSslMode};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection as _, Executor as _, PgConnection,
    TypeInfo as _,
};

use crate::error::{Error, ErrorKind, PostgresError, Result};
use crate::fault;

pub use crate::config::Target;
pub use sqlx::PgPool;
pub use sqlx::Row;
pub use sqlx::postgres::PgRow;

/// `deadlock_detected`.
const DEADLOCK: &str = "40P01";
/// In how many of them a transaction gives way before it gives up.
const DEADLOCKS: u32 = 5;

/// An open session. Dropping it without [`Connection::close`] just cuts the socket.
#[derive(Debug)]
pub struct Connection {
    inner: PgConnection,
    target: Target,
}

fn connect_options(target: &Target) -> Result<PgConnectOptions> {
    // Every value is set here: the PG* variables of the environment have no say.
    let ssl = match target.options.get("sslmode").map(String::as_str) {
        None if target.is_local() => PgSslMode::Disable,
        None => PgSslMode::Prefer,
        Some(mode) => mode.parse().map_err(|_| {
            Error::usage(format!("unknown sslmode {mode:?} in {target}"))
                .hint("use disable, prefer, require, verify-ca or verify-full")
        })?,
    };
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(target.port)
        .username(&target.user)
        .database(&target.database)
        .application_name("devdb")
        .ssl_mode(ssl)
        .disable_statement_logging();
    options = if target.is_socket() {
        options.socket(&target.host)
    } else {
        options.host(&target.host)
    };
    if let Some(password) = &target.password {
        options = options.password(password);
    }
    if let Some(certificate) = target.options.get("sslrootcert") {
        options = options.ssl_root_cert(Path::new(certificate));
    }
    Ok(options)
}

/// Opens a session, waiting at most ten seconds.
///
/// # Errors
/// `Server` where nobody listens or answers; `Postgres` with the SQLSTATE where the server refuses
/// (`3D000` no such database, `28P01` wrong password, `57P03` starting up).
pub async fn connect(target: &Target) -> Result<Connection> {
    connect_within(target, Duration::from_secs(10)).await
}

/// [`connect`] with another time limit.
pub async fn connect_within(target: &Target, limit: Duration) -> Result<Connection> {
    let options = connect_options(target)?;
    match tokio::time::timeout(limit, PgConnection::connect_with(&options)).await {
        Ok(Ok(inner)) => Ok(Connection {
            inner,
            target: target.clone(),
        }),
        Ok(Err(error @ sqlx::Error::Database(_))) => {
            Err(error_from(error).context(format_args!("cannot connect to {target}")))
        }
        Ok(Err(error)) => Err(Error::server(format!(
            "cannot connect to {target}: {error}"
        ))),
        Err(_) => Err(Error::server(format!(
            "no answer from {target} within {} s",
            limit.as_secs_f32()
        ))),
    }
}

/// A pool of at most ten connections, opened when they are used.
///
/// # Errors
/// `Usage` for an unknown `sslmode`.
pub fn pool(target: &Target) -> Result<PgPool> {
    Ok(PgPool::connect_lazy_with(connect_options(target)?))
}

impl Connection {
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The driver's own connection, for `migrations::sqlx`.
    pub fn driver(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Runs one or several statements through the simple protocol, exactly as they stand.
    ///
    /// # Errors
    /// `Postgres`, with SQLSTATE and position.
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        fault::step();
        self.inner
            .execute(AssertSqlSafe(sql))
            .await
            .map(|_| ())
            .map_err(error_from)
    }

    /// Runs statements that the simple protocol makes one transaction of: all of them or none.
    /// Where the server has this session give way in a deadlock they run again: whole sessions on
    /// other databases can be in the way, as both `DROP` and `CREATE SUBSCRIPTION` lock a catalog
    /// that the server has once.
    ///
    /// # Errors
    /// `Postgres`, with SQLSTATE and position; `40P01` after five deadlocks.
    pub async fn execute_transaction(&mut self, sql: &str) -> Result<()> {
        for _ in 1..DEADLOCKS {
            match self.execute(sql).await {
                Err(error) if error.sqlstate() == Some(DEADLOCK) => {}
                done => return done,
            }
        }
        self.execute(sql).await
    }

    /// Runs one query and gives all rows; parameters are text (`$1` … cast in the SQL).
    pub async fn fetch(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<PgRow>> {
        fault::step();
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for parameter in parameters {
            query = query.bind(parameter.to_string());
        }
        query.fetch_all(&mut self.inner).await.map_err(error_from)
    }

    /// Runs one query and gives its rows to `each` as they come, so that they need not all be in
    /// memory, and are worked on while the server looks for the next ones.
    pub async fn for_each(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&Columns, &PgRow) -> Result<()>,
    ) -> Result<()> {
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.inner);
        let mut columns = None;
        while let Some(row) = rows.try_next().await.map_err(error_from)? {
            let columns = match &columns {
                Some(columns) => columns,
                None => columns.insert(Columns::of(&row)?),
            };
            each(columns, &row)?;
        }
        Ok(())
    }

    /// The first column of the first row, where there is a row.
    pub async fn fetch_value<T>(&mut self, sql: &str, parameters: &[&str]) -> Result<Option<T>>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let rows = match parameters {
            // Preparing a statement is one more round trip.
            [] => {
                fault::step();
                let all = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.inner);
                all.await.map_err(error_from)?
            }
            _ => self.fetch(sql, parameters).await?,
        };
        rows.first()
            .map(|row| row.try_get(0).map_err(error_from))
            .transpose()
    }

    /// Says goodbye to the server, so that the session is gone when this returns.
    pub async fn close(self) {
        // A server that is gone already has no session left to close.
        let _ = self.inner.close().await;
    }
}

/// One value of a row, for readers that take columns as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'r> {
    Null,
    Text(&'r str),
    Flag(bool),
    Number(i64),
    /// An array of text; null elements are left out.
    List(Vec<String>),
}

/// The columns of a result: their names, and how their values are read.
#[derive(Debug, Default)]
pub struct Columns {
    pub names: Vec<String>,
    types: Vec<CellType>,
}

#[derive(Debug, Clone, Copy)]
enum CellType {
    Text,
    Flag,
    Int2,
    Int4,
    Int8,
    List,
}

impl Columns {
    /// The columns that `row` and those after it have.
    ///
    /// # Errors
    /// `Postgres` where one is neither text, name, bool, int, nor an array of text.
    pub fn of(row: &PgRow) -> Result<Self> {
        let mut columns = Columns::default();
        for column in row.columns() {
            columns.names.push(column.name().to_owned());
            columns.types.push(match column.type_info().name() {
                "BOOL" => CellType::Flag,
                "INT8" => CellType::Int8,
                "INT4" => CellType::Int4,
                "INT2" => CellType::Int2,
                "TEXT[]" | "NAME[]" => CellType::List,
                "TEXT" | "NAME" | "VARCHAR" | "CHAR" | "\"CHAR\"" | "UNKNOWN" => CellType::Text,
                other => {
                    let message = format!("cannot read {}: it is {other}", column.name());
                    return Err(Error::new(ErrorKind::Postgres, message));
                }
            });
        }
        Ok(columns)
    }

    /// The value in column `index`.
    ///
    /// # Errors
    /// `Postgres` where the server sent something else than its column's type.
    pub fn cell<'r>(&self, row: &'r PgRow, index: usize) -> Result<Cell<'r>> {
        // The types were looked at once for all rows.
        fn read<'r, T: sqlx::Decode<'r, sqlx::Postgres>>(
            row: &'r PgRow,
            index: usize,
        ) -> Result<Option<T>> {
            row.try_get_unchecked(index).map_err(error_from)
        }
        let cell = match self.types[index] {
            CellType::Text => read(row, index)?.map(Cell::Text),
            CellType::Flag => read(row, index)?.map(Cell::Flag),
            CellType::Int8 => read(row, index)?.map(Cell::Number),
            CellType::Int4 => read::<i32>(row, index)?.map(|n| Cell::Number(n.into())),
            CellType::Int2 => read::<i16>(row, index)?.map(|n| Cell::Number(n.into())),
            CellType::List => read::<Vec<Option<String>>>(row, index)?
                .map(|list| Cell::List(list.into_iter().flatten().collect())),
        };
        Ok(cell.unwrap_or(Cell::Null))
    }

    /// A number in column `index`, 0 for none.
    pub fn number(&self, row: &PgRow, index: usize) -> Result<i64> {
        Ok(match self.cell(row, index)? {
            Cell::Number(number) => number,
            _ => 0,
        })
    }

    /// A text in column `index`, empty for none.
    pub fn text<'r>(&self, row: &'r PgRow, index: usize) -> Result<&'r str> {
        Ok(match self.cell(row, index)? {
            Cell::Text(text) => text,
            _ => "",
        })
    }
}

/// Translates the driver's error; also used by `migrations::sqlx`.
pub fn error_from(error: sqlx::Error) -> Error {
    let sqlx::Error::Database(database) = &error else {
        return Error::new(ErrorKind::Postgres, error.to_string());
    };
    let Some(pg) = database.try_downcast_ref::<PgDatabaseError>() else {
        return Error::new(ErrorKind::Postgres, error.to_string());
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let detail: Vec<String> = [
        pg.detail().map(str::to_owned),
        pg.r#where().map(|w| format!("in {w}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut result = Error::new(
        ErrorKind::Postgres,
        format!("{} ({})", pg.message(), pg.code()),
    )
    .with_postgres(PostgresError {
        code: pg.code().to_owned(),
        message: pg.message().to_owned(),
        detail: owned(pg.detail()),
        hint: owned(pg.hint()),
        position: match pg.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            _ => None,
        },
        context: owned(pg.r#where()),
    });
    if !detail.is_empty() {
        result = result.detail(detail.join("\n"));
    }
    if let Some(hint) = pg.hint() {
        result = result.hint(hint);
    }
    result
}

/// An identifier, always quoted.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal that reads the same under every `standard_conforming_strings`.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Whole databases. Each function takes a session on another database of the same server.
pub mod database {
    use super::{Connection, Result, quote_ident, quote_literal};

    pub async fn exists(on: &mut Connection, name: &str) -> Result<bool> {
        Ok(on
            .fetch_value::<i32>(
                "select 1 from pg_catalog.pg_database where datname = $1",
                &[name],
            )
            .await?
            .is_some())
    }

    /// The names that begin so, in order.
    pub async fn beginning_with(on: &mut Connection, prefix: &str) -> Result<Vec<String>> {
        use sqlx::Row;
        let rows = on
            .fetch(
                "select datname::text from pg_catalog.pg_database \
                 where pg_catalog.starts_with(datname::text, $1) order by 1",
                &[prefix],
            )
            .await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(super::error_from))
            .collect()
    }

    /// Makes a database from `template0`, with the server's own encoding and locale.
    pub async fn create(on: &mut Connection, name: &str) -> Result<()> {
        on.execute(&format!(
            "create database {} template template0",
            quote_ident(name)
        ))
        .await
    }

    /// Makes a clone of `template`, which nobody may be connected to.
    pub async fn clone(on: &mut Connection, name: &str, template: &str) -> Result<()> {
        let strategy = strategy(on).await?;
        on.execute(&clone_sql(name, template, strategy)).await
    }

    /// How this server copies a small database fastest. `file_copy` wants a checkpoint before and
    /// after, which costs next to nothing where nothing is flushed to the disk (measured with 300
    /// tables: 34 ms, `wal_log` 78 ms); elsewhere `wal_log` spares it.
    pub async fn strategy(on: &mut Connection) -> Result<&'static str> {
        let fsync: Option<String> = on
            .fetch_value("select pg_catalog.current_setting('fsync')", &[])
            .await?;
        Ok(match fsync.as_deref() {
            Some("off") => "file_copy",
            _ => "wal_log",
        })
    }

    /// The statement that makes a clone by a [strategy].
    pub fn clone_sql(name: &str, template: &str, strategy: &str) -> String {
        format!(
            "create database {} template {} strategy {strategy}",
            quote_ident(name),
            quote_ident(template)
        )
    }

    /// Drops it if it is there, disconnecting whoever uses it. Its subscriptions, which keep
    /// Postgres from that, go before; their slots on other servers are not touched.
    pub async fn drop(on: &mut Connection, name: &str) -> Result<()> {
        let sql = format!("drop database if exists {} with (force)", quote_ident(name));
        match on.execute(&sql).await {
            Err(error) if error.sqlstate() == Some("55006") => {
                drop_subscriptions(on, name).await?;
                on.execute(&sql).await
            }
            result => result,
        }
    }

    async fn drop_subscriptions(on: &Connection, name: &str) -> Result<()> {
        let mut inside = super::connect(&on.target().with_database(name)).await?;
        let statements: Option<String> = inside
            .fetch_value(
                "select pg_catalog.string_agg(pg_catalog.format('alter subscription %1$I disable; \
                   alter subscription %1$I set (slot_name = none); drop subscription %1$I;', subname), ' ') \
                 from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid \
                 where d.datname = $1",
                &[name],
            )
            .await?;
        let result = inside.execute(&statements.unwrap_or_default()).await;
        inside.close().await;
        result
    }

    pub async fn rename(on: &mut Connection, from: &str, to: &str) -> Result<()> {
        on.execute(&rename_sql(from, to)).await
    }

    /// The statement that renames one.
    pub fn rename_sql(from: &str, to: &str) -> String {
        format!(
            "alter database {} rename to {}",
            quote_ident(from),
            quote_ident(to)
        )
    }

    /// The statement that lets sessions in, or keeps everybody out.
    pub fn allow_sql(name: &str, allow: bool) -> String {
        format!(
            "alter database {} allow_connections {allow}",
            quote_ident(name)
        )
    }

    /// Bytes on disk.
    pub async fn size(on: &mut Connection, name: &str) -> Result<u64> {
        let sql = "select pg_catalog.pg_database_size($1::name)";
        let bytes: Option<i64> = on.fetch_value(sql, &[name]).await?;
        Ok(bytes.unwrap_or_default().try_into().unwrap_or_default())
    }

    /// How long the server is given to see that the disconnected are gone, before a second session
    /// goes on disconnecting.
    const GRACE: std::time::Duration = std::time::Duration::from_millis(50);

    /// Runs what needs these databases for itself: a rename, a clone. A client that connects again
    /// at once does not keep it from succeeding: Postgres holds new ones up as soon as such a
    /// statement waits for the old ones to go, and those are ended for as long as it waits.
    pub async fn undisturbed(on: &mut Connection, names: &[&str], sql: &str) -> Result<()> {
        let target = on.target().clone();
        for _ in 0..5 {
            disconnect(on, names).await?;
            let ending = async {
                tokio::time::sleep(GRACE).await;
                let mut second = super::connect(&target).await?;
                loop {
                    disconnect(&mut second, names).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            };
            let result: Result<()> = tokio::select! {
                result = on.execute(sql) => result,
                failed = ending => failed,
            };
            match result {
                // 55006 object_in_use: they could not be ended within five seconds.
                Err(e) if e.sqlstate() == Some("55006") => on.execute("rollback").await?,
                result => return result,
            }
        }
        on.execute(sql).await
    }

    /// Its comment; `None` also where there is no such database.
    pub async fn comment_of(on: &mut Connection, name: &str) -> Result<Option<String>> {
        let sql = "select pg_catalog.shobj_description(oid, 'pg_database') \
                   from pg_catalog.pg_database where datname = $1";
        let comment = on.fetch_value::<Option<String>>(sql, &[name]).await?;
        Ok(comment.flatten())
    }

    /// Who is connected to it, as `application (user, client address)`, most recent first.
    pub async fn clients(on: &mut Connection, name: &str) -> Result<Vec<String>> {
        use sqlx::Row;
        let rows = on
            .fetch(
                "select coalesce(nullif(application_name, ''), 'unnamed client'), \
                        coalesce(usename::text, '?'), \
                        coalesce(pg_catalog.host(client_addr), 'local') \
                 from pg_catalog.pg_stat_activity \
                 where datname = $1 and pid <> pg_catalog.pg_backend_pid() \
                   and backend_type = 'client backend' \
                 order by backend_start desc",
                &[name],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let part = |i: usize| row.try_get::<String, _>(i).map_err(super::error_from);
                Ok(format!("{} ({}, {})", part(0)?, part(1)?, part(2)?))
            })
            .collect()
    }

    /// Ends every other session in these.
    pub async fn disconnect(on: &mut Connection, names: &[&str]) -> Result<()> {
        let names: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
        on.execute(&format!(
            "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity \
             where datname in ({}) and pid <> pg_catalog.pg_backend_pid()",
            names.join(", ")
        ))
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_identifiers_are_quoted() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b'"), "E'a\\\\b'''");
    }
}

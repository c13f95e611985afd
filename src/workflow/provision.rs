//! A server that is up becomes one with a base and a dev database.

use std::path::{Path, PathBuf};

use crate::config::{Config, ServerKind, Target};
use crate::databases::{self, BaseKey, clone_from};
use crate::error::{Error, Named, Result};
use crate::excerpt;
use crate::postgres::{self, Connection, Row, database, error_from, quote_ident, quote_literal};

use super::{Context, roles};

/// Makes sure that the dev database is there; a new one is a clone of the base. Gives the name of
/// the dev database's target and whether it was made.
///
/// # Errors
/// `Refused` on a server that is not devdb's to change; what [`base`] gives.
pub(super) async fn dev_database(
    context: &Context,
    maintenance: &Target,
) -> Result<(Target, bool)> {
    let config = context.config();
    let dev = context.dev(maintenance);
    let mut connection = postgres::connect(maintenance).await?;
    roles::ensure(config, &mut connection).await?;
    if database::exists(&mut connection, &dev.database).await? {
        let mut session = postgres::connect(&dev).await?;
        if !extensions_stand(context, &mut session).await? {
            // Added to the settings after the database was made.
            create_extensions(config, &mut session).await?;
        }
        session.close().await;
        if has_init_scripts(config)
            && let Err(error) = base(context, &mut connection).await
        {
            // Too late for this data directory; `generate` will say what to do.
            context.events.detail(error.to_string());
        }
        return Ok((dev, false));
    }
    allow_databases(config, &format!("create the database {}", dev.database))?;
    let on = &mut connection;
    if needs_base(context, on).await? {
        let base = base(context, on).await?;
        // A clone that is cut short is no database at all, so the name itself can be used at once.
        clone_from(on, &dev.database, &base).await?;
    } else {
        let fresh = context.names().fresh();
        make_filled(context, on, &fresh).await?;
        database::rename(on, &fresh, &dev.database).await?;
    }
    connection.close().await;
    Ok((dev, true))
}

/// Whether a new dev database has to be a clone of the base: where there is one, or where it can be
/// filled only once (init scripts; files that may make roles). Else it is filled directly, which
/// spares one copy of a whole database; commonly a baseline stands in for the base from then on.
async fn needs_base(context: &Context, on: &mut Connection) -> Result<bool> {
    let config = context.config();
    if has_init_scripts(config) || !config.database.before.is_empty() {
        return Ok(true);
    }
    let known = databases::find_base(on, &context.names(), &key(config)?).await?;
    Ok(known.is_some())
}

/// Refuses to make or change databases on a server that somebody else runs, unless the
/// configuration says so.
pub(super) fn allow_databases(config: &Config, what: &str) -> Result<()> {
    if config.server.kind == ServerKind::Url && !config.server.allow_reset {
        return Err(
            Error::refused(format!("devdb may not {what}: the server is given by URL")).hint(
                "set allow_reset = true under [server] if this server is only for development",
            ),
        );
    }
    Ok(())
}

/// The name of the base on this server; made where it is missing or not what the settings say.
///
/// # Errors
/// The SQL file that fails, with line and place; an extension that the server does not have.
pub(super) async fn base(context: &Context, on: &mut Connection) -> Result<String> {
    let config = context.config();
    let names = context.names();
    let key = key(config)?;
    if let Some(base) = databases::find_base(on, &names, &key).await? {
        return Ok(base);
    }
    // Also those come here who hold no lock of the project: one makes it, the others find it.
    let lock = quote_literal(&names.base());
    let lock = format!("pg_catalog.hashtextextended({lock}, 0)");
    on.execute(&format!("select pg_catalog.pg_advisory_lock({lock})"))
        .await?;
    let made = make_base(context, on, &key).await;
    on.execute(&format!("select pg_catalog.pg_advisory_unlock({lock})"))
        .await?;
    made
}

async fn make_base(context: &Context, on: &mut Connection, key: &BaseKey) -> Result<String> {
    let names = context.names();
    if let Some(base) = databases::find_base(on, &names, key).await? {
        return Ok(base);
    }
    let task = context.events.begin("preparing the base", None);
    roles::ensure(context.config(), on).await?;
    make_filled(context, on, &names.base_making()).await?;
    let base = databases::keep_as_base(on, &names, key).await?;
    task.end("");
    Ok(base)
}

/// Makes the database `name`, in the place of one that was never finished, with what the settings say.
async fn make_filled(context: &Context, on: &mut Connection, name: &str) -> Result<()> {
    let config = context.config();
    database::drop(on, name).await?;
    if !has_init_scripts(config) {
        database::create(on, name).await?;
    } else {
        // The image ran the init scripts into the dev database when it made the data directory;
        // as long as no migration followed, that database is what a base is made from.
        from_init_scripts(context, on, name).await?;
    }
    if stays_empty(config) {
        return Ok(());
    }
    let mut connection = postgres::connect(&on.target().with_database(name)).await?;
    let result = fill(config, &mut connection).await;
    connection.close().await;
    if result.is_err() {
        database::drop(on, name).await?;
    }
    result
}

/// Whether there is nothing that [`fill`] would do.
fn stays_empty(config: &Config) -> bool {
    let database = &config.database;
    database.extensions.is_empty() && database.before.is_empty() && config.roles.is_empty()
}

/// Whether the image runs scripts of the project when it makes a data directory. Then it makes the
/// dev database too, and what a base holds is only known before the first migration.
fn has_init_scripts(config: &Config) -> bool {
    let mounts = &config.server.mounts;
    mounts
        .iter()
        .any(|(_, place)| place.starts_with("/docker-entrypoint-initdb.d"))
}

async fn from_init_scripts(context: &Context, on: &mut Connection, name: &str) -> Result<()> {
    let dev = on.target().with_database(&context.config().database.name);
    let missing = |why: &str| {
        Error::failed(format!(
            "what the init scripts make is only known from a fresh server: {why}"
        ))
        .hint("run `devdb reset`: it starts the server afresh and keeps your data aside")
    };
    if !database::exists(on, &dev.database).await? {
        return Err(missing(&format!("there is no database {}", dev.database)));
    }
    if let Some(migrations) = &context.config().migrations {
        let mut connection = postgres::connect(&dev).await?;
        let mut tool = context.tool()?;
        let applied = tool
            .standing(&mut connection, &context.variables(&dev), &context.events)
            .await?
            .applied
            .len();
        connection.close().await;
        if applied > 0 {
            return Err(missing(&format!(
                "{} already holds {applied} migrations of {}",
                dev.database,
                migrations.dir.display()
            )));
        }
    }
    clone_from(on, name, &dev.database).await
}

/// Whether all extensions of the settings stand in the database of `connection`.
pub(super) async fn extensions_stand(
    context: &Context,
    connection: &mut Connection,
) -> Result<bool> {
    let wanted = &context.config().database.extensions;
    if wanted.is_empty() {
        return Ok(true);
    }
    let rows = connection
        .fetch("select extname::text from pg_catalog.pg_extension", &[])
        .await?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(error_from))
        .collect::<Result<_>>()?;
    Ok(wanted.iter().all(|name| names.contains(name)))
}

/// Extensions, then the files that run before.
async fn fill(config: &Config, connection: &mut Connection) -> Result<()> {
    create_extensions(config, connection).await?;
    for file in &config.database.before {
        run_file(connection, file).await?;
    }
    roles::grant(config, connection).await
}

async fn create_extensions(config: &Config, connection: &mut Connection) -> Result<()> {
    for extension in &config.database.extensions {
        let statement = format!(
            "create extension if not exists {} cascade",
            quote_ident(extension)
        );
        connection.execute(&statement).await.map_err(|e| {
            let hint = match e.sqlstate() {
                // 0A000 and 58P01: no control file for it on this server.
                Some("0A000" | "58P01") => {
                    "this server does not have it: choose an image that does, such as pgvector/pgvector:pg17"
                }
                _ => "see database.extensions in devdb.toml",
            };
            e.context(format!("cannot create the extension {extension}")).hint(hint)
        })?;
    }
    Ok(())
}

/// Runs an SQL file as one batch.
///
/// # Errors
/// `Migration` with file, line, the place in it, and what Postgres said.
pub(super) async fn run_file(connection: &mut Connection, file: &Path) -> Result<()> {
    let text =
        std::fs::read_to_string(file).named(format_args!("cannot read {}", file.display()))?;
    let text = without_frame(&text);
    connection.execute(&text).await.map_err(|e| {
        let at_backslash = e
            .postgres()
            .is_some_and(|p| p.code == "42601" && p.message.contains("\"\\\""));
        let error = excerpt::failed_file(file, &text, e);
        match at_backslash {
            true => error
                .hint("commands of psql, which begin with a backslash, are not SQL: take them out"),
            false => error,
        }
    })
}

/// `pg_dump` frames its output with `\restrict` and `\unrestrict`, which are psql's and not SQL.
/// The lines stay, empty, so that places in messages are right.
fn without_frame(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let is_frame = line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
            if is_frame { "\n" } else { line }
        })
        .collect()
}

pub(super) fn key(config: &Config) -> Result<BaseKey> {
    let mut parts: Vec<Vec<u8>> = vec![config.database.user.clone().into_bytes()];
    for extension in &config.database.extensions {
        parts.push(extension.clone().into_bytes());
    }
    for role in &config.roles {
        parts.push(format!("{role:?}").into_bytes());
    }
    let mounts = config.server.mounts.iter().map(|(path, _)| path);
    for file in config.database.before.iter().chain(mounts) {
        // The same in every checkout.
        let name = file.strip_prefix(&config.project.root).unwrap_or(file);
        parts.push(name.as_os_str().as_encoded_bytes().to_vec());
        for file in files_of(file)? {
            parts.push(
                file.file_name()
                    .unwrap_or_default()
                    .as_encoded_bytes()
                    .to_vec(),
            );
            parts.push(std::fs::read(&file).named(format_args!("cannot read {}", file.display()))?);
        }
    }
    Ok(BaseKey::new(parts.iter().map(Vec::as_slice)))
}

/// The file itself, or those right in a folder, sorted: deeper ones no image runs.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(path
            .is_file()
            .then(|| path.to_owned())
            .into_iter()
            .collect());
    }
    let what = format!("cannot look into {}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).named(&what)? {
        let file = entry.named(&what)?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_of_pg_dump_is_left_out() {
        let text = "\\restrict abc\nselect 1;\n\\unrestrict abc\n";
        assert_eq!(without_frame(text), "\nselect 1;\n\n");
    }
}

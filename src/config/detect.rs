//! What a project says about itself without a `devdb.toml`: an `alembic.ini`, a folder of sqlx
//! files, a compose file with a Postgres service, URLs in `.env`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::compose;
use super::driver;
use super::layers::{Layers, Origin, Value};
use super::model::DEFAULT_VARIABLE;
use super::target::Target;
use crate::error::Result;

/// The compose file and service to take where nothing about the server is written.
pub fn compose_service(
    root: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Option<(PathBuf, compose::Service)>> {
    for name in compose::FILE_NAMES {
        let file = root.join(name);
        if file.is_file() {
            let mut services = compose::postgres_services(&file, variables)?;
            // Of several, none is taken: a guess between a dev and a test database is no good.
            return Ok(match services.len() {
                1 => services.pop().map(|service| (file, service)),
                _ => None,
            });
        }
    }
    Ok(None)
}

fn found(what: impl Into<String>) -> Origin {
    Origin::Detected(what.into())
}

/// A `schema.sql` in the project's root is what is wanted of a sqlx chain.
pub fn wanted_schema(root: &Path, layers: &mut Layers) {
    if layers.text("migrations.tool") == Some("sqlx") && root.join("schema.sql").is_file() {
        let value = Value::Text("schema.sql".into());
        layers.put_missing("migrations.schema", value, found("schema.sql"));
    }
}

/// Finds the tool and its folder where they are not written.
pub fn migrations(root: &Path, layers: &mut Layers) {
    if layers.get("migrations.tool").is_some() {
        return;
    }
    let dir = layers.text("migrations.dir").map(|dir| root.join(dir));
    let folders = match dir {
        Some(dir) => vec![dir],
        None => nearby(root),
    };
    let alembic: Vec<&PathBuf> = folders
        .iter()
        .filter(|folder| folder.join("alembic.ini").is_file())
        .collect();
    // The outermost decides; two at one depth are a question for the user.
    if let Some(folder) = alembic.first() {
        let place = relative(root, folder);
        let origin = found(relative(root, &folder.join("alembic.ini")));
        layers.put_missing(
            "migrations.tool",
            Value::Text("alembic".into()),
            origin.clone(),
        );
        layers.put_missing("migrations.dir", Value::Text(place), origin);
        return;
    }
    for folder in &folders {
        let candidates = [folder.clone(), folder.join("migrations")];
        if let Some(dir) = candidates.iter().find(|dir| holds_sqlx_files(dir)) {
            let place = relative(root, dir);
            let origin = found(format!("sqlx files in {place}"));
            layers.put_missing(
                "migrations.tool",
                Value::Text("sqlx".into()),
                origin.clone(),
            );
            layers.put_missing("migrations.dir", Value::Text(place), origin);
            return;
        }
    }
}

/// The folder and what lies up to two levels below it, nearest first, by name.
fn nearby(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_owned()];
    let mut level = vec![root.to_owned()];
    for _ in 0..2 {
        let mut next: Vec<PathBuf> = level
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten())
            .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                !name.starts_with('.')
                    && !["node_modules", "target", "venv", "tests", "examples"]
                        .contains(&name.as_ref())
            })
            .map(|entry| entry.path())
            .collect();
        next.sort();
        all.extend(next.iter().cloned());
        level = next;
    }
    all
}

/// Whether a file there is called `<number>_<name>.sql`.
fn holds_sqlx_files(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".sql")
                && name
                    .split_once('_')
                    .is_some_and(|(version, _)| version.parse::<i64>().is_ok())
        })
    })
}

fn relative(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(inner) if inner.as_os_str().is_empty() => ".".into(),
        Ok(inner) => inner.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// Variables whose value is a Postgres URL are those through which the project reads it. The first
/// that points at this machine, `DATABASE_URL` before others, also says name, user and port.
pub fn urls(env_file: &BTreeMap<String, String>, layers: &mut Layers) {
    let urls: Vec<(&String, Target)> = env_file
        .iter()
        .filter(|(name, _)| !name.starts_with("DEVDB_"))
        .filter_map(|(name, value)| Some((name, Target::parse(value).ok()?)))
        .collect();
    if urls.is_empty() {
        return;
    }
    let map = urls
        .iter()
        .map(|(name, _)| ((*name).clone(), scheme(&env_file[*name])))
        .collect();
    let names: Vec<&str> = urls.iter().map(|(name, _)| name.as_str()).collect();
    layers.put_missing(
        "env",
        Value::Map(map),
        found(format!(".env: {}", names.join(", "))),
    );
    let mut local: Vec<_> = urls.iter().filter(|(_, url)| url.is_local()).collect();
    local.sort_by_key(|(name, _)| *name != "DATABASE_URL");
    let Some((name, url)) = local.first() else {
        return;
    };
    let origin = || found(format!(".env: {name}"));
    let text = |text: &str| Value::Text(text.to_owned());
    layers.put_missing("database.name", text(&url.database), origin());
    layers.put_missing("database.user", text(&url.user), origin());
    if let Some(password) = &url.password {
        layers.put_missing("database.password", text(password), origin());
    }
    layers.put_missing("server.port", Value::Number(url.port.into()), origin());
}

/// The driver that the project has locked, where a plain URL would ask for another. Only a variable
/// that nobody wrote down is given that: one that is written works for the project as it is.
pub fn driver(root: &Path, layers: &mut Layers) {
    if layers.text("migrations.tool") != Some("alembic") || layers.get("env").is_some() {
        return;
    }
    let dir = layers.text("migrations.dir").map(|dir| root.join(dir));
    let folders = dir.as_deref().into_iter().chain([root]);
    if let Some((scheme, file)) = driver::scheme(folders) {
        let map = vec![(DEFAULT_VARIABLE.to_owned(), scheme)];
        layers.put_missing("env", Value::Map(map), found(file));
    }
}

/// `postgresql+asyncpg` of `postgresql+asyncpg://…`.
fn scheme(url: &str) -> String {
    url.split("://").next().unwrap_or(url).trim().to_owned()
}

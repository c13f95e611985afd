//! From layers to plain settings: words become enums, paths become absolute.

use std::collections::BTreeMap;
use std::path::Path;

use super::compose::{self, clean};
use super::layers::{Layers, Origin, Value};
use super::model::*;
use super::resolve::DEFAULT_IMAGE;
use super::target::Target;
use super::{Surroundings, env as variables};
use crate::error::{Error, Result};

pub fn server(
    root: &Path,
    layers: &Layers,
    service: Option<&compose::Service>,
    surroundings: &Surroundings,
) -> Result<Server> {
    let kind = match layers.text("server.kind") {
        Some("docker") => ServerKind::Docker,
        Some("local") => ServerKind::Local,
        Some("url") => ServerKind::Url,
        _ => ServerKind::Auto,
    };
    let port = match layers.get("server.port").map(|e| &e.value) {
        // The list of settings keeps it between 1 and 65535.
        Some(Value::Number(port)) => Port::Fixed(u16::try_from(*port).unwrap_or(5432)),
        _ => Port::Auto,
    };
    let data = match layers.text("server.data") {
        Some("tmpfs") => Data::Tmpfs,
        None | Some("volume") => Data::Volume,
        Some(folder) if folder.contains('/') || folder.starts_with('.') => {
            Data::Folder(clean(&root.join(folder)))
        }
        Some(word) => {
            return Err(Error::usage(format!(
                "{}: server.data = {word:?} is neither \"volume\" nor \"tmpfs\" nor a folder",
                layers.origin("server.data").unwrap_or(&Origin::Default)
            ))
            .hint(format!("write a folder as \"./{word}\"")));
        }
    };
    let url = layers.text("server.url").map(str::to_owned);
    if let Some(url) = &url {
        Target::parse(url)
            .map_err(|e| e.context(layers.origin("server.url").unwrap_or(&Origin::Default)))?;
    }
    let flag = |key: &str| matches!(layers.get(key).map(|e| &e.value), Some(Value::Flag(true)));
    let number = |key: &str| match layers.get(key).map(|e| &e.value) {
        Some(Value::Number(n)) => u64::try_from(*n).unwrap_or(60),
        _ => 60,
    };
    let path = surroundings.variable("PATH").unwrap_or_default();
    let engine = surroundings.variable("DOCKER_HOST");
    let host = layers.text("server.host").map(str::to_owned);
    Ok(Server {
        kind,
        image: layers.text("server.image").unwrap_or(DEFAULT_IMAGE).into(),
        port,
        data,
        settings: layers.map("server.settings").into_iter().collect(),
        engine_host: host.or_else(|| elsewhere(engine?)),
        engine: engine.map(str::to_owned),
        publish: layers.text("server.publish").map(str::to_owned),
        mounts: service.map(|s| s.mounts.clone()).unwrap_or_default(),
        environment: service.map(|s| s.environment.clone()).unwrap_or_default(),
        command: service.map(|s| s.command.clone()).unwrap_or_default(),
        url,
        allow_reset: flag("server.allow_reset"),
        bin: layers.text("server.bin").map(|bin| root.join(bin)),
        path: std::env::split_paths(path).collect(),
        owner: None,
        wait: number("server.wait"),
    })
}

/// The machine that `DOCKER_HOST` names, where it is not this one.
fn elsewhere(engine: &str) -> Option<String> {
    let url = url::Url::parse(engine).ok()?;
    let is_remote = ["tcp", "ssh", "http", "https"].contains(&url.scheme());
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let is_here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
    (is_remote && !is_here).then_some(host)
}

/// The tag is devdb's to say: the content decides it.
pub fn baked(layers: &Layers) -> Result<String> {
    let image = layers.text("bake.image").unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.is_empty() || last.contains([':', '@']) || image.contains(char::is_uppercase) {
        return Err(Error::usage(format!(
            "{}: bake.image = {image:?} is no repository of images",
            layers.origin("bake.image").unwrap_or(&Origin::Default)
        ))
        .hint("write it in lower case and without a tag: \"ghcr.io/team/shop-db\""));
    }
    Ok(image.to_owned())
}

pub fn database(root: &Path, layers: &Layers) -> Result<Database> {
    let text = |key: &str| layers.text(key).unwrap_or_default().to_owned();
    let before = layers
        .list("database.before")
        .iter()
        .map(|file| {
            let path = clean(&root.join(file));
            match path.is_file() {
                true => Ok(path),
                false => Err(Error::usage(format!(
                    "{}: database.before names {file}, which is no file",
                    layers.origin("database.before").unwrap_or(&Origin::Default)
                ))
                .hint(format!("paths are relative to {}", root.display()))),
            }
        })
        .collect::<Result<_>>()?;
    let name = text("database.name");
    if name.is_empty()
        || name.len() > 63
        || ["postgres", "template0", "template1"].contains(&name.as_str())
    {
        return Err(Error::usage(format!(
            "{}: database.name = {name:?} cannot be a dev database",
            layers.origin("database.name").unwrap_or(&Origin::Default)
        ))
        .hint("take a name of 1 to 63 bytes that Postgres does not use itself, such as \"app\""));
    }
    Ok(Database {
        name,
        user: text("database.user"),
        password: text("database.password"),
        extensions: layers.list("database.extensions"),
        before,
        spare: !matches!(
            layers.get("database.spare").map(|e| &e.value),
            Some(Value::Flag(false))
        ),
    })
}

pub fn migrations(
    root: &Path,
    layers: &Layers,
    environment: &BTreeMap<String, String>,
) -> Result<Option<Migrations>> {
    let Some(tool) = layers.text("migrations.tool") else {
        return Ok(None);
    };
    let tool = match tool {
        "sqlx" => Tool::Sqlx,
        "alembic" => Tool::Alembic,
        _ => Tool::Command,
    };
    let path = |key: &str| layers.text(key).map(|p| clean(&root.join(p)));
    let dir = path("migrations.dir").unwrap_or_else(|| root.to_owned());
    let origin = layers.origin("migrations.dir").unwrap_or(&Origin::Default);
    if !dir.is_dir() {
        return Err(Error::usage(format!(
            "{origin}: migrations.dir is {}, which is no folder",
            dir.display()
        ))
        .hint(format!("paths are relative to {}", root.display())));
    }
    // `run` may name another file, and newer versions can do with pyproject.toml.
    let configured = ["alembic.ini", "pyproject.toml"].map(|name| dir.join(name).is_file());
    let named = !layers.list("migrations.run").is_empty();
    if tool == Tool::Alembic && !named && !configured.contains(&true) {
        return Err(Error::usage(format!(
            "{origin}: there is no alembic.ini in {}",
            dir.display()
        ))
        .hint("migrations.dir is the folder of alembic.ini, not of the version files"));
    }
    let written_schema = path("migrations.schema");
    if let Some(schema) = written_schema.as_ref().filter(|schema| !schema.exists()) {
        return Err(Error::usage(format!(
            "{}: migrations.schema is {}, which does not exist",
            layers
                .origin("migrations.schema")
                .unwrap_or(&Origin::Default),
            schema.display()
        ))
        .hint("create it, for example from a database: `pg_dump --schema-only`"));
    }
    Ok(Some(Migrations {
        tool,
        dir,
        run: layers.list("migrations.run"),
        schema: written_schema,
        table: layers
            .text("migrations.table")
            .unwrap_or("_sqlx_migrations")
            .into(),
        variables: layers
            .list("migrations.variables")
            .into_iter()
            .map(|name| {
                let value = environment.get(&name).cloned();
                (name, value)
            })
            .collect(),
        complete: matches!(
            layers.get("migrations.complete").map(|e| &e.value),
            Some(Value::Flag(true))
        ),
        role: match tool {
            Tool::Sqlx => roles(layers)?
                .into_iter()
                .find(|role| role.kind == RoleKind::Ddl)
                .map(|role| role.name),
            _ => None,
        },
        up: layers.text("migrations.up").map(str::to_owned),
        generate: layers.text("migrations.generate").map(str::to_owned),
    }))
}

/// Each is `ddl` or `dml`.
pub fn roles(layers: &Layers) -> Result<Vec<Role>> {
    let origin = layers.origin("roles").unwrap_or(&Origin::Default);
    let mut roles = Vec::new();
    for (name, kind) in layers.map("roles") {
        let kind = match kind.as_str() {
            "ddl" => RoleKind::Ddl,
            "dml" => RoleKind::Dml,
            other => {
                return Err(Error::usage(format!(
                    "{origin}: roles.{name} = {other:?}, but it must be \"ddl\" or \"dml\""
                ))
                .hint(
                    "ddl: runs the migrations and owns what they make; dml: reads and writes it",
                ));
            }
        };
        roles.push(Role { name, kind });
    }
    if roles
        .iter()
        .filter(|role| role.kind == RoleKind::Ddl)
        .count()
        > 1
    {
        return Err(
            Error::usage(format!("{origin}: more than one role is \"ddl\""))
                .hint("the migrations run as one role"),
        );
    }
    Ok(roles)
}

/// A scheme that begins with `postgres` is a URL; everything else is text with parts in braces.
pub fn env(layers: &Layers, roles: &[Role]) -> Result<Vec<(String, EnvValue)>> {
    layers
        .map("env")
        .into_iter()
        .map(|(name, value)| {
            let origin = layers.origin("env").unwrap_or(&Origin::Default);
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.starts_with(|c: char| c.is_ascii_digit())
                || !name.chars().all(fits)
                || name.is_empty()
            {
                return Err(Error::usage(format!(
                    "{origin}: {name:?} cannot be the name of a variable"
                ))
                .hint("letters, digits and _ make a name"));
            }
            let (text, role) = match value.split_once(" as ") {
                Some((scheme, role)) => (scheme.trim(), Some(role.trim())),
                None => (value.as_str(), None),
            };
            let is_scheme = text.starts_with("postgres")
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
            match role {
                Some(role) if is_scheme => {
                    if !roles.iter().any(|known| known.name == role) {
                        return Err(Error::usage(format!(
                            "{origin}: env.{name} = {value:?}, but there is no role {role} under [roles]"
                        ))
                        .hint(format!("add {role} = \"dml\" (or \"ddl\") there")));
                    }
                    return Ok((name, EnvValue::UrlAs(text.to_owned(), role.to_owned())));
                }
                None if is_scheme => return Ok((name, EnvValue::Url(value))),
                _ => {}
            }
            if let Some(part) = variables::unknown_part(&value) {
                return Err(Error::usage(format!(
                    "{origin}: env.{name} = {value:?} has the unknown part {{{part}}}"
                ))
                .hint(format!("the parts are {}", variables::PARTS.join(", "))));
            }
            Ok((name, EnvValue::Text(value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_elsewhere_is_told_from_one_here() {
        for (engine, host) in [
            ("tcp://build.example.com:2376", Some("build.example.com")),
            ("ssh://me@10.0.0.5", Some("10.0.0.5")),
            ("tcp://[fd00::1]:2376", Some("fd00::1")),
            ("tcp://127.0.0.2:2376", Some("127.0.0.2")),
            ("tcp://localhost:2375", None),
            ("unix:///var/run/docker.sock", None),
            ("", None),
        ] {
            assert_eq!(elsewhere(engine).as_deref(), host, "{engine}");
        }
    }
}

//! A Postgres service of a compose file, read as settings: what a team has already written down
//! does not have to be written a second time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Named, Result};

/// The names that compose itself looks for, in its order.
pub const FILE_NAMES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// What devdb takes from a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    pub name: String,
    pub image: Option<String>,
    /// The published port of the host; `None` where it is not published or not fixed.
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: Option<String>,
    /// `Some(Some(folder))` a bind mount, `Some(None)` tmpfs, `None` a volume.
    pub data: Option<Option<PathBuf>>,
    pub mounts: Vec<(PathBuf, String)>,
    pub environment: BTreeMap<String, String>,
    pub command: Vec<String>,
    /// Keys of the service that mean something for a server but that devdb leaves out.
    pub skipped: Vec<String>,
}

/// Reads all services whose image looks like Postgres.
///
/// # Errors
/// `Usage` with the file's name where it is not YAML or asks for a variable that is not set.
pub fn postgres_services(
    file: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Service>> {
    let services = read(file)?;
    services
        .iter()
        .filter(|(_, service)| {
            let image = service["image"].as_str().unwrap_or_default();
            ["postgres", "pgvector", "postgis", "timescale"]
                .iter()
                .any(|word| image.contains(word))
        })
        .map(|(name, service)| parse(file, name, service, variables))
        .collect()
}

/// Reads one service by name.
///
/// # Errors
/// `Usage` where there is no such service; the message names those that exist.
pub fn service(file: &Path, name: &str, variables: &BTreeMap<String, String>) -> Result<Service> {
    let services = read(file)?;
    match services.get(name) {
        Some(service) => parse(file, name, service, variables),
        None => {
            let names: Vec<&str> = services.keys().map(String::as_str).collect();
            Err(
                Error::usage(format!("{} has no service `{name}`", file.display()))
                    .hint(format!("its services are: {}", names.join(", "))),
            )
        }
    }
}

fn read(file: &Path) -> Result<serde_json::Map<String, Value>> {
    let text =
        std::fs::read_to_string(file).named(format_args!("cannot read {}", file.display()))?;
    let document: Value = serde_saphyr::from_str(&text)
        .map_err(|e| Error::usage(format!("{} is not valid YAML: {e}", file.display())))?;
    match &document["services"] {
        Value::Object(services) => Ok(services.clone()),
        _ => Err(
            Error::usage(format!("{} has no `services`", file.display()))
                .hint("name a compose file in server.compose, as \"compose.yaml:service\""),
        ),
    }
}

fn parse(
    file: &Path,
    name: &str,
    value: &Value,
    variables: &BTreeMap<String, String>,
) -> Result<Service> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = |value: &Value| -> Result<String> {
        let raw = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        interpolate(&raw, variables).map_err(|missing| {
            Error::usage(format!(
                "{}: service {name} needs the variable {missing}",
                file.display()
            ))
            .hint(format!("set {missing} in .env or in the environment"))
        })
    };
    let mut service = Service {
        name: name.into(),
        ..Service::default()
    };
    if !value["image"].is_null() {
        service.image = Some(text(&value["image"])?);
    } else if !value["build"].is_null() {
        return Err(Error::usage(format!(
            "{}: service {name} is built from a Dockerfile and names no image",
            file.display()
        ))
        .hint("add an `image:` beside its `build:`, then run `docker compose build`"));
    }
    let mut environment = pairs(&value["environment"], &text)?;
    service.user = environment.remove("POSTGRES_USER");
    service.password = environment.remove("POSTGRES_PASSWORD");
    service.database = environment.remove("POSTGRES_DB");
    service.environment = environment;
    for port in items(&value["ports"]) {
        let (container, host) = match port {
            Value::Object(long) => (text(&long["target"])?, text(&port["published"])?),
            short => {
                let short = text(short)?;
                let mut parts = short.split('/').next().unwrap_or_default().rsplit(':');
                let container = parts.next().unwrap_or_default().to_owned();
                (container, parts.next().unwrap_or_default().to_owned())
            }
        };
        if container == "5432" {
            service.port = host.parse().ok();
        }
    }
    for volume in items(&value["volumes"]) {
        let (source, target) = match volume {
            Value::Object(_) if volume["type"] == "tmpfs" => (None, text(&volume["target"])?),
            Value::Object(_) => (Some(text(&volume["source"])?), text(&volume["target"])?),
            short => {
                let short = text(short)?;
                let mut parts = short.split(':');
                let source = parts.next().unwrap_or_default().to_owned();
                match parts.next() {
                    Some(target) => (Some(source), target.to_owned()),
                    None => (None, source),
                }
            }
        };
        let is_data = target.starts_with("/var/lib/postgresql");
        match source {
            // Only a source with a slash or a dot is a path; a bare name is a volume of compose's.
            Some(source) if source.starts_with(['.', '/', '~']) => {
                let path = clean(&folder.join(source));
                if is_data {
                    service.data = Some(Some(path));
                } else {
                    service.mounts.push((path, target));
                }
            }
            None if is_data => service.data = Some(None),
            _ if is_data => {}
            source => service
                .skipped
                .push(format!("volume {} at {target}", source.unwrap_or_default())),
        }
    }
    for target in items(&value["tmpfs"]) {
        if text(target)?.starts_with("/var/lib/postgresql") {
            service.data = Some(None);
        }
    }
    service.command = match &value["command"] {
        Value::String(line) => interpolate_words(&text(&Value::String(line.clone()))?),
        other => items(other).into_iter().map(&text).collect::<Result<_>>()?,
    };
    for key in [
        "entrypoint",
        "env_file",
        "secrets",
        "configs",
        "user",
        "shm_size",
    ] {
        if !value[key].is_null() {
            service.skipped.push(key.into());
        }
    }
    Ok(service)
}

/// A scalar or a list, as a list.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// `environment` is a table or a list of `NAME=value`.
fn pairs(
    value: &Value,
    text: &impl Fn(&Value) -> Result<String>,
) -> Result<BTreeMap<String, String>> {
    match value {
        Value::Object(table) => table
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value)?)))
            .collect(),
        other => items(other)
            .into_iter()
            .map(|item| {
                let item = text(item)?;
                let (name, value) = item.split_once('=').unwrap_or((&item, ""));
                Ok((name.to_owned(), value.to_owned()))
            })
            .collect(),
    }
}

/// Words of a command line; quotes keep spaces together.
fn interpolate_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Removes `.` and `a/..` without asking the file system, which may not have the folder yet.
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?why}` and `$$`, as compose
/// reads them; defaults may hold further variables. The error is the name that is missing.
fn interpolate(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after);
            result.push_str(&expand(&after[..end], variables)?);
            rest = after.get(end + 1..).unwrap_or_default();
        } else {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            result.push_str(variables.get(&rest[..end]).map_or("", String::as_str));
            rest = &rest[end..];
        }
    }
    result.push_str(rest);
    Ok(result)
}

/// Where the brace closes that was opened just before `text`.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn expand(inside: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let end = inside
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inside.len());
    let (name, operator) = inside.split_at(end);
    let value = variables.get(name);
    let filled = value.filter(|v| !v.is_empty());
    let present = if operator.starts_with(':') {
        filled
    } else {
        value
    };
    let argument = operator.trim_start_matches(':');
    match (present, argument.chars().next()) {
        (Some(value), Some('+')) => {
            let _ = value;
            interpolate(&argument[1..], variables)
        }
        (Some(value), _) => Ok(value.clone()),
        (None, Some('-')) => interpolate(&argument[1..], variables),
        (None, Some('?')) => Err(name.to_owned()),
        (None, _) => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("A", "x"), ("EMPTY", "")]
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .into()
    }

    #[test]
    fn variables_are_filled_in_as_compose_does() {
        for (text, wanted) in [
            ("$A-${A}", "x-x"),
            ("${B:-d}", "d"),
            ("${EMPTY:-d}${EMPTY-d}", "d"),
            ("${B:-p://${A:-y}:${C:-z}@h}", "p://x:z@h"),
            ("a$$b", "a$b"),
            ("${A:+set}${B:+set}", "set"),
        ] {
            assert_eq!(
                interpolate(text, &variables()).as_deref(),
                Ok(wanted),
                "{text}"
            );
        }
        assert_eq!(interpolate("${B:?no}", &variables()), Err("B".into()));
    }

    #[test]
    fn a_service_gives_image_port_credentials_data_scripts_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        std::fs::write(
            &file,
            "services:\n  web: {image: nginx}\n  db:\n    image: pgvector/pgvector:${A:-pg16}\n    environment:\n      - POSTGRES_USER=me\n      - POSTGRES_PASSWORD=${PW:-se:cret}\n      - POSTGRES_DB=app\n      - POSTGRES_INITDB_ARGS=--data-checksums\n    ports: ['127.0.0.1:5433:5432']\n    volumes:\n      - ./data/postgres:/var/lib/postgresql/data\n      - ./init.sql:/docker-entrypoint-initdb.d/init.sql:ro\n      - cache:/cache\n    command: postgres -c max_connections=50 -c 'log_line_prefix=%m '\n    shm_size: 1g\n",
        )
        .unwrap();
        let services = postgres_services(&file, &BTreeMap::new()).unwrap();
        assert_eq!(services.len(), 1);
        let db = &services[0];
        assert_eq!(db.image.as_deref(), Some("pgvector/pgvector:pg16"));
        assert_eq!(db.port, Some(5433));
        assert_eq!(db.password.as_deref(), Some("se:cret"));
        assert_eq!(db.data, Some(Some(folder.path().join("data/postgres"))));
        assert_eq!(
            db.mounts,
            [(
                folder.path().join("init.sql"),
                "/docker-entrypoint-initdb.d/init.sql".to_string()
            )]
        );
        assert_eq!(db.environment.len(), 1);
        assert_eq!(
            db.command,
            [
                "postgres",
                "-c",
                "max_connections=50",
                "-c",
                "log_line_prefix=%m "
            ]
        );
        assert_eq!(db.skipped, ["volume cache at /cache", "shm_size"]);
        let error = service(&file, "pg", &BTreeMap::new()).unwrap_err();
        assert_eq!(error.hint_text(), Some("its services are: web, db"));
    }
}

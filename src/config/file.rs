//! `devdb.toml`: read with the place of every key, so that a message can name the line.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{Layers, Origin, Value, check};
use super::settings::{self, SETTINGS, Type};
use crate::error::{Error, Result};

/// Adds the values of the file to `layers`.
///
/// # Errors
/// `Usage`, with file and line: not TOML, an unknown key (with the likely one), a wrong type.
pub fn read(path: &Path, text: &str, layers: &mut Layers) -> Result<()> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy();
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        Error::usage(format!("{name}:{}: {}", line(at), e.message()))
            .hint("devdb.toml is TOML: see docs/configuration.md for every key")
    })?;
    let mut leaves = Vec::new();
    flatten("", table.get_ref(), &mut leaves);
    for (key, at, value) in leaves {
        let line = line(at);
        let Some(setting) = settings::find(&key) else {
            return Err(unknown(&name, line, &key));
        };
        let origin = Origin::File(path.to_owned(), line);
        let value = convert(value).ok_or_else(|| {
            Error::usage(format!(
                "{name}:{line}: {key} must be {}",
                setting.ty.describe()
            ))
        })?;
        check(setting, &value, &origin)?;
        layers.put(&key, value, origin);
    }
    Ok(())
}

fn unknown(name: &str, line: usize, key: &str) -> Error {
    let error = Error::usage(format!("{name}:{line}: unknown key `{key}`"));
    let tables = ["server", "database", "migrations", "drift", "bake", "env"];
    let known = SETTINGS.iter().map(|s| s.key).chain(tables);
    match settings::nearest(key, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`devdb config` lists the keys, docs/configuration.md explains them"),
    }
}

type Leaf<'a> = (String, usize, &'a DeValue<'a>);

/// Tables that are settings by themselves stay whole; all others are walked into.
fn flatten<'a>(prefix: &str, table: &'a DeTable<'a>, leaves: &mut Vec<Leaf<'a>>) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let name = match prefix {
            "" => key.get_ref().to_string(),
            prefix => format!("{prefix}.{}", key.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(inner)
                if !settings::find(&name).is_some_and(|s| s.ty == Type::Map)
                    && SETTINGS
                        .iter()
                        .any(|s| s.key.starts_with(&format!("{name}."))) =>
            {
                flatten(&name, inner, leaves)
            }
            other => leaves.push((name, key.span().start, other)),
        }
    }
}

fn convert(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(_) => Value::Number(scalar(value)?.parse().ok()?),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect::<Option<_>>()?,
        ),
        DeValue::Table(table) => {
            let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Some((key.get_ref().to_string(), scalar(value.get_ref())?)))
                    .collect::<Option<_>>()?,
            )
        }
        _ => return None,
    })
}

/// Numbers and flags are taken as text inside a table: `settings = { max_connections = 50 }`.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .ok()?
                .to_string()
        }
        DeValue::Float(number) => number.as_str().to_string(),
        DeValue::Boolean(true) => "on".into(),
        DeValue::Boolean(false) => "off".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Layers> {
        let mut layers = Layers::default();
        read(Path::new("/p/devdb.toml"), text, &mut layers)?;
        Ok(layers)
    }

    fn message(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{} | {}", error, error.hint_text().unwrap_or("-"))
    }

    #[test]
    fn every_value_knows_its_line() {
        let layers = parse(
            "name = \"x\"\n[server]\nport = 5_433\nsettings = { shared_buffers = \"1GB\", fsync = true }\n\n[env]\nB = \"postgresql\"\nA = \"{host}\"\n",
        )
        .unwrap();
        assert_eq!(
            layers.get("server.port").unwrap().value,
            Value::Number(5433)
        );
        assert_eq!(
            layers.origin("server.port"),
            Some(&Origin::File("/p/devdb.toml".into(), 3))
        );
        assert_eq!(
            layers.map("server.settings"),
            [
                ("shared_buffers".into(), "1GB".into()),
                ("fsync".into(), "on".into())
            ]
        );
        assert_eq!(layers.map("env")[0].0, "B", "the order of the file is kept");
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        assert_eq!(
            message("[server]\nprot = 1\n"),
            "devdb.toml:2: unknown key `server.prot` | did you mean `server.port`?"
        );
        assert_eq!(
            message("[migratons]\ntool = \"sqlx\"\n"),
            "devdb.toml:1: unknown key `migratons` | did you mean `migrations`?"
        );
        assert_eq!(
            message("[server]\nport = \"many\"\n"),
            "devdb.toml:2: server.port = \"many\", but it must be \"auto\" or a number from 1 to 65535 | -"
        );
        assert!(message("[server\n").starts_with("devdb.toml:1: "));
        assert_eq!(
            message("[database]\nbefore = [1]\n"),
            "devdb.toml:2: database.before must be a list of texts | -"
        );
    }
}

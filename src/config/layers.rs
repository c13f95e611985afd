//! Values with their origins, from several sources, the strongest winning.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::settings::{self, SETTINGS, Setting, Type};
use crate::error::{Error, Result};

/// Where a value comes from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// Found by looking at the project; says at what.
    Detected(String),
    /// A file and a line in it, counted from 1.
    File(PathBuf, usize),
    /// A variable of the `.env` file.
    EnvFile(String),
    /// A variable of the environment.
    Environment(String),
    /// An option on the command line.
    Flag(String),
}

impl Origin {
    fn strength(&self) -> u8 {
        match self {
            Origin::Default => 0,
            Origin::Detected(_) => 1,
            Origin::File(..) => 2,
            Origin::EnvFile(_) => 3,
            Origin::Environment(_) => 4,
            Origin::Flag(_) => 5,
        }
    }

    /// Whether a person wrote the value.
    pub fn is_written(&self) -> bool {
        self.strength() >= 2
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Detected(what) => write!(f, "found: {what}"),
            Origin::File(path, line) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                write!(f, "{}:{line}", name.to_string_lossy())
            }
            Origin::EnvFile(name) => write!(f, ".env: {name}"),
            Origin::Environment(name) => write!(f, "environment: {name}"),
            Origin::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// In the order of the file.
    Map(Vec<(String, String)>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::List(items) => write!(f, "{items:?}"),
            Value::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(k, v)| format!("{k} = {v:?}"))
                    .collect();
                write!(f, "{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// One value of the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub value: Value,
    pub origin: Origin,
}

/// All values that were given, by key; a stronger origin replaces a weaker one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers(BTreeMap<&'static str, Entry>);

impl Layers {
    /// Puts a value unless a stronger one stands there already.
    pub fn put(&mut self, key: &str, value: Value, origin: Origin) {
        let setting = settings::find(key).expect("only keys of the list are put");
        match self.0.get(setting.key) {
            Some(present) if present.origin.strength() > origin.strength() => {}
            _ => {
                self.0.insert(setting.key, Entry { value, origin });
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// Puts a value where none is.
    pub fn put_missing(&mut self, key: &str, value: Value, origin: Origin) {
        if self.get(key).is_none() {
            self.put(key, value, origin);
        }
    }

    /// Whether somebody wrote it: not a default, not detected.
    pub fn is_written(&self, key: &str) -> bool {
        self.origin(key).is_some_and(Origin::is_written)
    }

    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.get(key).map(|e| &e.origin)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key).map(|e| &e.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        match self.get(key).map(|e| &e.value) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    pub fn map(&self, key: &str) -> Vec<(String, String)> {
        match self.get(key).map(|e| &e.value) {
            Some(Value::Map(entries)) => entries.clone(),
            _ => Vec::new(),
        }
    }

    /// In the order of the list of settings.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        SETTINGS
            .iter()
            .filter_map(|s| self.0.get(s.key).map(|entry| (s.key, entry)))
    }
}

/// Whether `value` has the setting's type; the message names the origin and what is wanted.
pub fn check(setting: &Setting, value: &Value, origin: &Origin) -> Result<()> {
    let fits = match (setting.ty, value) {
        (Type::Text, Value::Text(_)) => true,
        (Type::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
        (Type::Seconds, Value::Number(n)) => *n >= 1,
        (Type::Flag, Value::Flag(_)) => true,
        (Type::Port, Value::Text(text)) => text == "auto",
        (Type::Port, Value::Number(n)) => (1..=65535).contains(n),
        (Type::List, Value::List(_)) => true,
        (Type::Map, Value::Map(_)) => true,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let mut error = Error::usage(format!(
        "{origin}: {} = {value}, but it must be {}",
        setting.key,
        setting.ty.describe()
    ));
    if let (Type::Choice(words), Value::Text(text)) = (setting.ty, value)
        && let Some(word) = settings::nearest(text, words.iter().copied())
    {
        error = error.hint(format!("did you mean \"{word}\"?"));
    }
    Err(error)
}

/// Reads the text of a variable as the setting's type wants it.
pub fn from_text(setting: &Setting, text: &str, origin: &Origin) -> Result<Value> {
    let value = match setting.ty {
        Type::Seconds | Type::Port => match text.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(text.into()),
        },
        Type::Flag => match text {
            "1" | "true" | "yes" => Value::Flag(true),
            "0" | "false" | "no" => Value::Flag(false),
            _ => Value::Text(text.into()),
        },
        Type::List => Value::List(
            text.split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        ),
        Type::Text | Type::Choice(_) | Type::Map => Value::Text(text.into()),
    };
    check(setting, &value, origin)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_origin_wins_whatever_the_order() {
        let mut layers = Layers::default();
        let text = |t: &str| Value::Text(t.into());
        layers.put("name", text("flag"), Origin::Flag("--name".into()));
        layers.put("name", text("file"), Origin::File("devdb.toml".into(), 1));
        assert_eq!(layers.text("name"), Some("flag"));
        assert!(layers.is_written("name"));
        layers.put(
            "server.image",
            text("x"),
            Origin::Detected("compose".into()),
        );
        assert!(!layers.is_written("server.image"));
    }

    #[test]
    fn a_wrong_word_names_its_place_and_the_likely_one() {
        let setting = settings::find("server.kind").unwrap();
        let origin = Origin::File("/p/devdb.toml".into(), 3);
        let error = check(setting, &Value::Text("dokcer".into()), &origin).unwrap_err();
        assert_eq!(
            error.message(),
            "devdb.toml:3: server.kind = \"dokcer\", but it must be one of \"auto\", \"docker\", \"local\", \"url\""
        );
        assert_eq!(error.hint_text(), Some("did you mean \"docker\"?"));
    }
}

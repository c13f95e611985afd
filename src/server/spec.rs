//! What a server was made from, by name, so that a change is noticed and explained.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::settings;
use crate::config::Config;

/// Everything about a server that the configuration decides. Secrets are hashed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Spec(BTreeMap<String, String>);

impl Spec {
    /// What every kind of server has. `place` is where its data is.
    pub fn of_server(config: &Config, port: u16, place: &str) -> Self {
        let mut spec = Spec::default();
        spec.set("port", port);
        spec.set("data", place);
        spec.set("user", &config.database.user);
        spec.set_hidden("password", &config.database.password);
        for (name, value) in settings::merged(&config.server.settings) {
            spec.set(format!("setting {name}"), value);
        }
        spec
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.0.insert(name.into(), value.to_string());
    }

    pub fn set_hidden(&mut self, name: impl Into<String>, secret: &str) {
        self.set(name, hex(&Sha256::digest(secret)));
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.json()))
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a map of strings")
    }

    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What differs between `self`, the server that is there, and `wanted`.
    pub fn drift(&self, wanted: &Spec) -> Vec<Drift> {
        let names: BTreeSet<&String> = self.0.keys().chain(wanted.0.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != wanted.0.get(*name))
            .map(|name| {
                let secret = name == "password" || name.starts_with("environment ");
                let show = |spec: &Spec| spec.0.get(name).filter(|_| !secret).cloned();
                Drift {
                    what: name.clone(),
                    was: show(self),
                    now: show(wanted),
                }
            })
            .collect()
    }
}

fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// One thing that differs between a server and its configuration. Secrets have no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// `port`, `image`, `data`, `setting shared_buffers`, `environment TZ`, `mount /x` …
    pub what: String,
    pub was: Option<String>,
    pub now: Option<String>,
}

impl Drift {
    /// Whether Postgres reads it only when a data directory is made.
    pub(crate) fn is_initial(&self) -> bool {
        self.what == "user"
            || self.what == "password"
            || self.what.starts_with("environment POSTGRES_")
            || self.what.starts_with("mount /docker-entrypoint-initdb.d")
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.was, &self.now) {
            (Some(was), Some(now)) => write!(f, " {was} → {now}"),
            (None, Some(now)) => write!(f, " {now} (new)"),
            (Some(was), None) => write!(f, " {was} (removed)"),
            (None, None) => Ok(()),
        }
    }
}

/// Several, in one clause.
pub(crate) fn names<'d>(drift: impl IntoIterator<Item = &'d Drift>) -> String {
    let all: Vec<String> = drift.into_iter().map(ToString::to_string).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_named_and_a_secret_is_not_shown() {
        let (mut was, mut now) = (Spec::default(), Spec::default());
        was.set("port", 1);
        now.set("port", 2);
        was.set_hidden("password", "old");
        now.set_hidden("password", "new");
        now.set("setting work_mem", "64MB");
        assert_eq!(
            names(&was.drift(&now)),
            "password, port 1 → 2, setting work_mem 64MB (new)"
        );
        assert_eq!(Spec::from_json(&was.json()), Some(was.clone()));
        assert!(!was.json().contains("old"));
    }
}

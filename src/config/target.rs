//! A database's address, and URLs: reading them, writing them, never showing a password.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};

/// A database on a server, with the way to get there.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// A host name or address, or the absolute folder of a unix socket.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    /// Further URL parameters, such as `sslmode`.
    pub options: BTreeMap<String, String>,
}

// RFC 3986 unreserved characters stay; everything else is encoded, so that any client reads it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?option=value`. A `+driver` in the scheme
    /// is accepted and ignored.
    ///
    /// # Errors
    /// `Usage` where the text is no such URL; the message never holds the password.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: String| {
            Error::usage(format!("not a Postgres URL: {why}"))
                .hint("write it as postgresql://user:password@host:5432/database")
        };
        let url = url::Url::parse(text.trim()).map_err(|e| bad(e.to_string()))?;
        let scheme = url.scheme().split('+').next().unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(bad(format!("its scheme is {:?}", url.scheme())));
        }
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut options: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let host = match (options.remove("host"), url.host_str()) {
            (Some(socket), _) => socket,
            (None, Some(host)) => decode(host.trim_matches(['[', ']'])),
            (None, None) => "localhost".to_string(),
        };
        let user = match url.username() {
            "" => options.remove("user").unwrap_or_else(|| "postgres".into()),
            user => decode(user),
        };
        let database = match decode(url.path().trim_start_matches('/')) {
            name if name.is_empty() => user.clone(),
            name => name,
        };
        let port = options
            .remove("port")
            .and_then(|p| p.parse().ok())
            .or(url.port());
        Ok(Target {
            host,
            port: port.unwrap_or(5432),
            user,
            password: url.password().map(decode).or(options.remove("password")),
            database,
            options,
        })
    }

    /// The same server and user, another database.
    pub fn with_database(&self, database: impl Into<String>) -> Self {
        Target {
            database: database.into(),
            ..self.clone()
        }
    }

    /// The same database, for another role with the same password.
    pub fn as_role(&self, role: &str) -> Self {
        Target {
            user: role.to_owned(),
            ..self.clone()
        }
    }

    /// The URL with the given scheme (`postgresql`, `postgresql+pg8000` …), password included.
    pub fn url(&self, scheme: &str) -> String {
        self.render(scheme, self.password.as_deref().map(encode))
    }

    fn render(&self, scheme: &str, password: Option<String>) -> String {
        let mut options: Vec<(String, String)> = self
            .options
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let place = if self.is_socket() {
            options.insert(0, ("host".into(), self.host.clone()));
            format!("localhost:{}", self.port)
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        };
        let password = password.map(|p| format!(":{p}")).unwrap_or_default();
        let query: Vec<String> = options
            .iter()
            .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
            .collect();
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        format!(
            "{scheme}://{}{password}@{place}/{}{query}",
            encode(&self.user),
            encode(&self.database)
        )
    }

    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Whether the server can only be on this machine.
    pub fn is_local(&self) -> bool {
        self.is_socket() || matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }
}

/// Shows the URL without its password: the form for messages.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render("postgresql", None))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_the_round_trip() {
        for text in [
            "postgresql://postgres:postgres@127.0.0.1:5432/app",
            "postgresql://u%40x:p%25%2F%3A@127.0.0.1:5432/my%20db?sslmode=require",
            "postgresql://postgres@[::1]:5433/app",
            "postgresql://postgres@localhost:5432/app?host=%2Fvar%2Frun%2Fpostgresql",
        ] {
            assert_eq!(Target::parse(text).unwrap().url("postgresql"), text);
        }
    }

    #[test]
    fn messages_never_show_the_password() {
        let target = Target::parse("postgresql+asyncpg://me:secret@db:1/x").unwrap();
        assert_eq!(target.to_string(), "postgresql://me@db:1/x");
        assert!(!format!("{target:?}").contains("secret"));
    }
}

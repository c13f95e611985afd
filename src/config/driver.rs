//! The Postgres driver that a Python project has, from the file that locks its packages: a plain
//! `postgresql://` means psycopg2 to SQLAlchemy before 2.1 and psycopg since.

use std::path::Path;

/// Files with a table for each package, and its name and version on lines of their own.
const LOCKS: [&str; 4] = ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"];

/// As packages are called, and what asks for them in a URL; those that serve most projects first.
const DRIVERS: [(&str, &str); 5] = [
    ("psycopg", "postgresql+psycopg"),
    ("psycopg2", "postgresql+psycopg2"),
    ("psycopg2-binary", "postgresql+psycopg2"),
    ("pg8000", "postgresql+pg8000"),
    ("asyncpg", "postgresql+asyncpg"),
];

/// The scheme for the project's URLs, and the file that tells; `None` where a plain one will do or
/// nothing is known. The first of `folders` that has such a file decides.
pub fn scheme<'f>(folders: impl IntoIterator<Item = &'f Path>) -> Option<(String, String)> {
    for folder in folders {
        for name in LOCKS {
            if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                return Some((scheme_for(&locked(&text))?.to_owned(), name.to_owned()));
            }
        }
        let name = "requirements.txt";
        if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
            return Some((scheme_for(&required(&text))?.to_owned(), name.to_owned()));
        }
    }
    None
}

/// Names and versions. These files are written by programs and may be megabytes; they are read with
/// each command, so only the lines that matter are looked at.
fn locked(text: &str) -> Vec<(String, String)> {
    let mut packages = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("[[package") {
            continue;
        }
        let mut value = |key: &str| {
            let quoted = lines.next()?.strip_prefix(key)?.strip_prefix(" = \"")?;
            Some(quoted.strip_suffix('"')?.to_owned())
        };
        if let Some(name) = value("name") {
            packages.push((name, value("version").unwrap_or_default()));
        }
    }
    packages
}

/// The same of `name[extra]==version ; marker` lines.
fn required(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(|line| {
            let end = line.find(|c: char| !c.is_alphanumeric() && !"-_.".contains(c));
            let (name, rest) = line.split_at(end.unwrap_or(line.len()));
            let version = rest.split_once("==").map_or("", |(_, version)| version);
            (name.to_lowercase().replace('_', "-"), version.to_owned())
        })
        .collect()
}

fn scheme_for(packages: &[(String, String)]) -> Option<&'static str> {
    let version = |name: &str| {
        let found = packages.iter().find(|(package, _)| package == name);
        found.map(|(_, version)| version.as_str())
    };
    let mut numbers = version("sqlalchemy")?.split('.').map(str::parse::<u32>);
    let by_default = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (2, 1) => "postgresql+psycopg",
        (Some(Ok(_)), Some(Ok(_))) => "postgresql+psycopg2",
        // Any version takes a scheme that names its driver.
        _ => "",
    };
    let mut there = DRIVERS
        .iter()
        .filter(|(package, _)| version(package).is_some());
    match there.clone().any(|(_, scheme)| *scheme == by_default) {
        true => None,
        false => there.next().map(|(_, scheme)| *scheme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uv(packages: &[(&str, &str)]) -> Option<&'static str> {
        let tables = packages.iter().map(|(name, version)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [\n    {{ name = \"pg8000\" }},\n]\n")
        });
        scheme_for(&locked(&tables.collect::<String>()))
    }

    #[test]
    fn a_scheme_names_the_driver_only_where_a_plain_one_asks_for_another() {
        let old = ("sqlalchemy", "2.0.41");
        let new = ("sqlalchemy", "2.1.0");
        assert_eq!(uv(&[old, ("psycopg2-binary", "2.9")]), None);
        assert_eq!(uv(&[new, ("psycopg", "3.2")]), None);
        assert_eq!(uv(&[("psycopg", "3.2"), old]), Some("postgresql+psycopg"));
        assert_eq!(uv(&[new, ("psycopg2", "2.9")]), Some("postgresql+psycopg2"));
        assert_eq!(
            uv(&[old, ("asyncpg", "0.30"), ("pg8000", "1.31")]),
            Some("postgresql+pg8000")
        );
        assert_eq!(uv(&[old, ("asyncpg", "0.30")]), Some("postgresql+asyncpg"));
        assert_eq!(uv(&[old]), None);
        assert_eq!(uv(&[("psycopg", "3.2")]), None, "no SQLAlchemy");
    }

    #[test]
    fn requirements_are_read_by_name() {
        let scheme = |text: &str| scheme_for(&required(text));
        let pinned =
            "# tools\nSQLAlchemy[asyncio]==2.0.41 ; python_version > '3.9'\npsycopg[binary]==3.2\n";
        assert_eq!(scheme(pinned), Some("postgresql+psycopg"));
        assert_eq!(
            scheme("sqlalchemy>=2\npsycopg2_binary\n"),
            Some("postgresql+psycopg2")
        );
        assert_eq!(scheme("sqlalchemy==2.0.41\npsycopg2-binary\n"), None);
        assert_eq!(scheme("alembic\npsycopg\n"), None);
    }
}

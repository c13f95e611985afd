//! Postgres drivers for SQLAlchemy: one that is missing is the commonest error of all.

use super::errors::{Failure, Place};
use super::runner::Hello;
use crate::error::Error;

/// What to install for each driver, and the scheme that asks for it.
const DRIVERS: [(&str, &str, &str); 4] = [
    ("psycopg", "psycopg[binary]", "postgresql+psycopg"),
    ("psycopg2", "psycopg2-binary", "postgresql+psycopg2"),
    ("pg8000", "pg8000", "postgresql+pg8000"),
    ("asyncpg", "asyncpg", "postgresql+asyncpg"),
];

/// A module that could not be imported, be it a driver or another.
pub fn missing_module(failure: &Failure, module: &str, hello: &Hello) -> Error {
    let top = module.split('.').next().unwrap_or(module);
    let Some((_, package, _)) = DRIVERS.iter().find(|(name, ..)| *name == top) else {
        let at = match &failure.place {
            Some(Place {
                file,
                line: Some(line),
            }) => format!("{file}:{line} imports "),
            _ => "cannot import ".to_string(),
        };
        return Error::migration(format!(
            "{at}{module}, which {} does not have",
            failure.python
        ))
        .hint("install the project's requirements there, or set `run` under [migrations]");
    };
    let installed: Vec<String> = DRIVERS
        .iter()
        .filter(|(name, ..)| hello.drivers.iter().any(|d| d == name))
        .map(|(.., scheme)| format!("\"{scheme}\""))
        .collect();
    let hint = match installed.as_slice() {
        [] => format!("install it there: {package}"),
        schemes => format!(
            "install {package} there, or give the URL a scheme under [env] whose driver is installed: {}",
            schemes.join(", ")
        ),
    };
    Error::migration(format!(
        "the Postgres driver {top}, which the URL asks for, is not installed in {}",
        failure.python
    ))
    .hint(hint)
}

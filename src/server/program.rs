//! Programs to run on a server's databases, and where they are.

use std::path::{Path, PathBuf};

use super::{Kind, Server};
use crate::error::{Error, Result};
use crate::postgres::Target;

/// A program to run, for the caller to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub program: String,
    pub args: Vec<String>,
    /// To be set over the inherited environment.
    pub env: Vec<(String, String)>,
}

impl Server {
    /// How to run `psql` on a database of this server: the one on this machine, else the one in
    /// the container. `terminal`: whether stdin and stdout are one. Further arguments go last.
    ///
    /// # Errors
    /// `Failed` where there is none.
    pub fn psql(&self, target: &Target, terminal: bool) -> Result<Command> {
        let found = match &self.kind {
            Kind::Local(local) => local.program("psql"),
            _ => None,
        };
        if let Some(psql) = found.or_else(|| which("psql", &self.path)) {
            return Ok(Command {
                program: psql.to_string_lossy().into_owned(),
                args: vec![target.to_string()],
                env: password(target),
            });
        }
        match &self.kind {
            Kind::Docker(docker) => Ok(docker.psql(target, terminal)),
            _ => Err(Error::failed("psql is not on PATH")
                .hint("install it: `apt-get install postgresql-client`, `brew install libpq`")),
        }
    }

    /// How to run a program of Postgres' own, such as `pg_dump`, on a database of this server: the
    /// server's own where that can be, since one of another version may refuse. It reads stdin and
    /// writes stdout.
    ///
    /// # Errors
    /// `Failed` where there is none.
    pub fn program(&self, name: &str, target: &Target, arguments: &[&str]) -> Result<Command> {
        let arguments = arguments.iter().map(|argument| argument.to_string());
        if let Kind::Docker(docker) = &self.kind {
            let mut command = docker.inside(name, target);
            command.args.extend(arguments);
            return Ok(command);
        }
        let found = match &self.kind {
            Kind::Local(local) => local.program(name),
            _ => None,
        };
        let Some(program) = found.or_else(|| which(name, &self.path)) else {
            return Err(Error::failed(format!("{name} is not on PATH"))
                .hint("install it: `apt-get install postgresql-client`, `brew install libpq`"));
        };
        let mut args = vec!["-d".to_string(), target.to_string()];
        args.extend(arguments);
        Ok(Command {
            program: program.to_string_lossy().into_owned(),
            args,
            env: password(target),
        })
    }
}

/// For programs that would ask for it. Arguments can be seen by every user.
fn password(target: &Target) -> Vec<(String, String)> {
    let password = target.password.iter();
    password
        .map(|password| ("PGPASSWORD".to_string(), password.clone()))
        .collect()
}

/// The first file of this name in `path` that can be run.
pub(super) fn which(program: &str, path: &[PathBuf]) -> Option<PathBuf> {
    path.iter()
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

pub(super) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

//! The Docker engine: reaching it, and saying why not.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Failure;

use super::ssh;
use crate::config::Server;
use crate::error::{Error, Result};

/// How long an engine may take to say its version. One that is starting answers late or never.
const LIMIT: Duration = Duration::from_secs(5);
/// The same by ssh, which may have to ask for a passphrase.
const SSH_LIMIT: Duration = Duration::from_secs(60);

/// Connects and agrees on a version of the API: the engine may be years older than the client.
///
/// # Errors
/// `Server`: not installed, not running, not permitted, not answering.
pub(crate) async fn connect(server: &Server) -> Result<Docker> {
    let path = &server.path;
    if let Some(url) = server
        .engine
        .as_deref()
        .filter(|url| url.starts_with("ssh://"))
    {
        return connect_by_ssh(url).await;
    }
    let docker = Docker::connect_with_defaults().map_err(|e| unreachable(&e, path))?;
    match tokio::time::timeout(LIMIT, docker.negotiate_version()).await {
        Ok(Ok(docker)) => Ok(docker),
        Ok(Err(error)) => Err(unreachable(&error, path)),
        Err(_) => Err(Error::server(format!(
            "the Docker engine does not answer within {} s",
            LIMIT.as_secs()
        ))
        .hint("restart the engine, or set `kind = \"local\"` under [server]")),
    }
}

async fn connect_by_ssh(url: &str) -> Result<Docker> {
    let (docker, said) = ssh::connect(url)?;
    let why = match tokio::time::timeout(SSH_LIMIT, docker.negotiate_version()).await {
        Ok(Ok(docker)) => return Ok(docker),
        Ok(Err(failure)) => chain(&failure),
        Err(_) => format!("no answer within {} s", SSH_LIMIT.as_secs()),
    };
    // What ssh says last comes after the end of the connection.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let said = said.text();
    let error = Error::server(format!("cannot reach the Docker engine at {url}"));
    let error = match said.is_empty() {
        true => error.detail(why),
        false => error.detail(said),
    };
    Err(error.hint("`ssh HOST docker version` has to work without questions; or unset DOCKER_HOST"))
}

fn unreachable(failure: &Failure, path: &[PathBuf]) -> Error {
    let installed = crate::server::program::which("dockerd", path).is_some()
        || crate::server::program::which("docker", path).is_some();
    let io = io_cause(failure).map(|e| e.kind());
    match (failure, io) {
        (_, Some(io::ErrorKind::PermissionDenied)) => {
            Error::server("the Docker socket may not be used by this user: permission denied").hint(
                "add yourself to the group `docker` and log in again, or set `kind = \"local\"` under [server]",
            )
        }
        (Failure::SocketNotFoundError(_), _)
        | (_, Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)) => {
            let place = match failure {
                Failure::SocketNotFoundError(socket) => format!(" (no socket at {socket})"),
                _ => String::new(),
            };
            if installed {
                Error::server(format!("the Docker engine is not running{place}")).hint(
                    "start it (`sudo systemctl start docker`, or Docker Desktop), or set `kind = \"local\"` under [server]",
                )
            } else {
                Error::server(format!("no Docker engine is installed{place}")).hint(
                    "install Docker, set DOCKER_HOST to an engine elsewhere, or set `kind = \"local\"` under [server]",
                )
            }
        }
        _ if chain(failure).contains("HTTPS server") => Error::server(
            "the Docker engine wants TLS, and DOCKER_TLS_VERIFY is not set",
        )
        .hint("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem"),
        _ => Error::server(format!("cannot reach the Docker engine: {}", chain(failure)))
            .hint("check DOCKER_HOST, or set `kind = \"local\"` under [server]"),
    }
}

/// The I/O error at the bottom, where there is one.
fn io_cause(failure: &Failure) -> Option<&io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(failure);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

fn chain(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// The status code and message, where the engine answered with a refusal.
pub(crate) fn answer(failure: &Failure) -> Option<(u16, &str)> {
    match failure {
        Failure::DockerResponseServerError {
            status_code,
            message,
        } => Some((*status_code, message)),
        _ => None,
    }
}

pub(crate) fn is_missing(failure: &Failure) -> bool {
    matches!(answer(failure), Some((404, _)))
}

/// `what` reads like "cannot remove the container devdb-x".
pub(crate) fn named<T>(result: Result<T, Failure>, what: impl std::fmt::Display) -> Result<T> {
    crate::fault::step();
    result.map_err(|failure| {
        let why = match answer(&failure) {
            Some((_, message)) => message.trim().to_string(),
            None => chain(&failure),
        };
        Error::server(format!("{what}: {why}"))
    })
}

/// A removal of something that may be gone already.
pub(crate) fn gone(result: Result<(), Failure>, what: impl std::fmt::Display) -> Result<()> {
    crate::fault::step();
    match result {
        Err(failure) if is_missing(&failure) => Ok(()),
        other => named(other, what),
    }
}

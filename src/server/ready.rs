//! When a server is ready: a TCP connection to it ran `select 1`. Nothing else counts.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::postgres::{self, Target};

/// What one attempt found.
pub(crate) enum Attempt {
    Ready,
    /// Nobody listens yet, or the connection was cut, or Postgres said that it is starting.
    NotYet(Error),
    /// Waiting longer would not help.
    Hopeless(Error),
}

/// Connects once, within `limit`.
pub(crate) async fn attempt(target: &Target, limit: Duration) -> Attempt {
    let answer = async {
        let mut session = postgres::connect_within(target, limit).await?;
        session.execute("select 1").await?;
        session.close().await;
        Ok(())
    };
    match answer.await {
        Ok(()) => Attempt::Ready,
        Err(error) => judge(error),
    }
}

fn judge(error: Error) -> Attempt {
    match error.sqlstate() {
        // Starting up or shutting down; cut off by an administrator; crash of another session.
        None | Some("57P03" | "57P01" | "57P02") => Attempt::NotYet(error),
        // Full, but alive: whoever comes next gets the same answer from the server itself.
        Some("53300") => Attempt::Ready,
        Some(_) => Attempt::Hopeless(error.with_kind(ErrorKind::Server)),
    }
}

/// Tries until a server that devdb made is ready; gives up only where that is hopeless. The
/// caller sets the limit and watches the process.
pub(crate) async fn poll(target: &Target) -> Result<()> {
    let mut pause = Duration::from_millis(5);
    loop {
        match attempt(target, Duration::from_secs(1)).await {
            Attempt::Ready => return Ok(()),
            Attempt::Hopeless(error) => return Err(explain(error, target)),
            Attempt::NotYet(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 5 / 4).min(Duration::from_millis(25));
    }
}

fn explain(error: Error, target: &Target) -> Error {
    match error.sqlstate() {
        Some("28P01" | "28000") => Error::server(format!(
            "the server at {}:{} does not accept the configured user {:?} with its password",
            target.host, target.port, target.user
        ))
        .detail(error.message().to_owned())
        .hint(
            "the data directory keeps the user and the password that it was made with: put those \
             back into the configuration, or `devdb reset` to make a new one",
        ),
        _ => error.hint("look at `devdb logs`; `devdb reset` makes a new data directory"),
    }
}

/// What a ready server says of itself.
pub(crate) struct Identity {
    pub system_identifier: String,
    pub major: u32,
}

pub(crate) async fn identity(target: &Target) -> Result<Identity> {
    let mut session = postgres::connect(target).await?;
    let system_identifier = session
        .fetch_value::<String>(
            "select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()",
            &[],
        )
        .await?
        .unwrap_or_default();
    let version = session
        .fetch_value::<String>(
            "select pg_catalog.current_setting('server_version_num')",
            &[],
        )
        .await?
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or_default();
    session.close().await;
    Ok(Identity {
        system_identifier,
        major: version / 10_000,
    })
}

/// The stage of a start, read off the server's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Creating,
    Starting,
    Initialising,
    InitScripts,
    Final,
}

impl Stage {
    pub fn text(self) -> &'static str {
        match self {
            Stage::Creating => "creating container",
            Stage::Starting | Stage::Final => "starting",
            Stage::Initialising => "initialising the data directory",
            Stage::InitScripts => "running init scripts",
        }
    }

    /// The stage that begins with this line, where one does.
    pub fn of_line(line: &str) -> Option<Stage> {
        if line.contains(INIT_COMPLETE) {
            Some(Stage::Final)
        } else if line.contains("/docker-entrypoint-initdb.d/") && !line.contains("ignoring") {
            Some(Stage::InitScripts)
        } else if line.starts_with("The files belonging to this database system") {
            Some(Stage::Initialising)
        } else {
            None
        }
    }
}

/// What the image's entry point prints between the init-phase server and the final one.
pub(crate) const INIT_COMPLETE: &str = "PostgreSQL init process complete";

/// The last lines, as an error's detail.
pub(crate) fn last_lines(lines: &[String], count: usize) -> String {
    let kept: Vec<&str> = lines
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| !line.is_empty())
        .collect();
    kept[kept.len().saturating_sub(count)..].join("\n")
}

/// What it prints where it finds a data directory, instead.
pub(crate) const INIT_SKIPPED: &str = "Skipping initialization";

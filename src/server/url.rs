//! A server that somebody else runs: connected to, never stopped, wiped or removed.

use std::time::Duration;

use super::ready::{self, Attempt};
use super::{Condition, DataReset, Status, Undone};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::postgres::Target;

pub(super) struct Url {
    target: Target,
    wait: Duration,
}

impl Url {
    pub(super) fn open(config: &Config) -> Result<Self> {
        let url = config.server.url.as_deref().ok_or_else(|| {
            Error::usage("`kind = \"url\"` needs the server's URL")
                .hint("set `url` under [server], or DEVDB_SERVER_URL")
        })?;
        Ok(Url {
            target: Target::parse(url)?,
            wait: Duration::from_secs(config.server.wait),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!("server at {}:{}", self.target.host, self.target.port)
    }

    pub(super) async fn status(&self) -> Result<Status> {
        let target = self.maintenance(Duration::from_secs(5)).await;
        let (condition, major) = match &target {
            Ok(target) => (
                Condition::Ready,
                ready::identity(target).await.ok().map(|i| i.major),
            ),
            Err(error) if error.sqlstate().is_some() => (Condition::Running, None),
            Err(_) => (Condition::Unreachable, None),
        };
        Ok(Status {
            condition,
            port: Some(self.target.port),
            image: None,
            data: self.target.to_string(),
            drift: Vec::new(),
            major,
            started: None,
            aside: None,
            pending_reset: false,
        })
    }

    pub(super) async fn ensure_up(&self, _: &Events) -> Result<Target> {
        self.maintenance(self.wait.min(Duration::from_secs(10)))
            .await
    }

    /// `postgres`, or the URL's own database where there is no such one.
    async fn maintenance(&self, limit: Duration) -> Result<Target> {
        let first = self.target.with_database("postgres");
        match self.answer(&first, limit).await {
            Err(error) if matches!(error.sqlstate(), Some("3D000" | "42501")) => {
                self.answer(&self.target, limit).await?;
                Ok(self.target.clone())
            }
            other => other.map(|()| first),
        }
    }

    /// A server that is starting gets its time; one that is not there is said at once.
    async fn answer(&self, target: &Target, limit: Duration) -> Result<()> {
        const HINT: &str = "start that server, or correct `url` under [server]";
        let until = tokio::time::Instant::now() + limit;
        loop {
            match ready::attempt(target, limit).await {
                Attempt::Ready => return Ok(()),
                Attempt::Hopeless(error) => return Err(error),
                Attempt::NotYet(error) => {
                    if error.sqlstate().is_none() || tokio::time::Instant::now() >= until {
                        return Err(error.with_kind(ErrorKind::Server).hint(HINT));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn not_ours(&self, what: &str) -> Error {
        Error::refused(format!(
            "will not {what} the {}: devdb did not make it",
            self.describe()
        ))
        .hint("do that where the server runs; devdb only works on databases there")
    }

    pub(super) async fn stop(&self, _: &Events) -> Result<()> {
        Err(self.not_ours("stop"))
    }

    pub(super) async fn remove(&self, _: &Events, wipe: bool) -> Result<()> {
        Err(self.not_ours(if wipe { "wipe" } else { "remove" }))
    }

    pub(super) fn reset_data(&self) -> Result<DataReset> {
        Ok(DataReset::Unsupported {
            why: format!("the {} is not devdb's own", self.describe()),
        })
    }

    pub(super) async fn undo_data(&self, _: &Events) -> Result<Undone> {
        Err(self.not_ours("exchange the data directory of"))
    }

    pub(super) async fn finish_reset(&self) -> Result<()> {
        Ok(())
    }

    pub(super) fn pending_reset(&self) -> bool {
        false
    }

    pub(super) async fn logs(&self, _: bool, _: Option<u32>, _: impl FnMut(&str)) -> Result<()> {
        Err(self.not_ours("read the log of"))
    }
}

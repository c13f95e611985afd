//! What every workflow starts from.

use crate::config::{Config, Loaded, Migrations, Target, env};
use crate::databases::Names;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::migrations::MigrationTool;
use crate::server::Server;

use super::lock::ProjectLock;

/// The resolved settings and somebody to tell.
#[derive(Clone)]
pub struct Context {
    pub loaded: Loaded,
    pub events: Events,
}

impl Context {
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    pub(super) fn names(&self) -> Names {
        Names::new(&self.config().project)
    }

    pub(super) async fn lock(&self, command: &str) -> Result<ProjectLock> {
        ProjectLock::acquire(&self.config().project, command, &self.events).await
    }

    pub(super) async fn server(&self) -> Result<Server> {
        Server::open(self.config(), &self.events).await
    }

    pub(super) fn migrations(&self) -> Result<&Migrations> {
        self.config().migrations.as_ref().ok_or_else(|| {
            Error::usage(format!(
                "no migrations found in {}",
                self.config().project.root.display()
            ))
            .hint("set tool and dir under [migrations] in devdb.toml; `devdb init` writes one")
        })
    }

    /// The tool of the project.
    ///
    /// # Errors
    /// `Usage` where the project has no migrations.
    pub(super) fn tool(&self) -> Result<MigrationTool> {
        MigrationTool::open(
            self.migrations()?,
            self.loaded.virtual_env.as_deref(),
            &self.config().project.state_dir,
        )
    }

    /// The variables that a child process gets to use `target`.
    pub(super) fn variables(&self, target: &Target) -> Vec<(String, String)> {
        env::render(&self.config().env, target)
    }

    /// The dev database on the server of `maintenance`.
    pub(super) fn dev(&self, maintenance: &Target) -> Target {
        maintenance.with_database(&self.config().database.name)
    }
}

//! What every workflow starts from.

use std::path::PathBuf;

use crate::config::{Config, Loaded, Migrations, RoleKind, Target, Tool, env};
use crate::databases::Names;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::migrations::alembic::AlembicCache;
use crate::migrations::{Chain, MigrationTool, Problem, ProblemKind, Standing};
use crate::postgres::Connection;
use crate::server::Server;

use super::lock::ProjectLock;
use super::{everyday, git};

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

    /// The same with other settings.
    pub(super) fn with_config(&self, config: Config) -> Context {
        let mut context = self.clone();
        context.loaded.config = config;
        context
    }

    pub(super) fn names(&self) -> Names {
        Names::new(&self.config().project, &self.config().database.name)
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

    /// The tool of the project, with what earlier runs learned. One for a whole workflow: an
    /// Alembic project is imported once.
    ///
    /// # Errors
    /// `Usage` where the project has no migrations.
    pub(super) fn tool(&self) -> Result<MigrationTool> {
        let migrations = self.migrations()?;
        let tool = MigrationTool::open(migrations, self.loaded.virtual_env.as_deref())?;
        Ok(match tool {
            MigrationTool::Alembic(alembic) => MigrationTool::Alembic(Box::new(
                alembic.with_cache(AlembicCache::load(&self.alembic_cache())),
            )),
            other => other,
        })
    }

    /// Keeps what the tool learned, so that the next `ready` starts no Python.
    pub(super) fn keep_learned(&self, tool: &MigrationTool) {
        if let MigrationTool::Alembic(alembic) = tool
            && let Some(cache) = alembic.cache()
            && let Err(error) = cache.save(&self.alembic_cache())
        {
            // Only speed is lost.
            self.events.detail(error.to_string());
        }
    }

    /// How the database of `connection` stands to the chain, without starting a program; `None`
    /// where only the tool's own program can tell.
    pub(super) async fn quick_standing(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<Standing>> {
        match self.migrations()?.tool {
            Tool::Sqlx => {
                let mut tool = self.tool()?;
                tool.standing(connection, &[], &self.events).await.map(Some)
            }
            Tool::Alembic => match AlembicCache::load(&self.alembic_cache()) {
                Some(cache) => cache.standing(connection).await,
                None => Ok(None),
            },
            Tool::Command => Ok(None),
        }
    }

    /// Lets `other`, which has a state folder of its own, know what is learned of the chain.
    pub(super) fn lend_learned(&self, other: &Context) {
        let (from, to) = (self.alembic_cache(), other.alembic_cache());
        // Only speed is lost without it.
        let _ = std::fs::copy(from, to);
    }

    /// Says of several heads who made them.
    pub(super) fn explain_heads(&self, chain: &Chain, standing: &mut Standing) {
        let several = |p: &&mut Problem| p.kind == ProblemKind::SeveralHeads;
        let Some(problem) = standing.problems.iter_mut().find(several) else {
            return;
        };
        let named = everyday::heads_of(&self.config().project.root, chain);
        let named: Vec<String> = named.iter().map(everyday::Head::to_string).collect();
        problem.message = format!(
            "the chain has {} heads: {}",
            chain.heads.len(),
            named.join("; ")
        );
        problem.hint =
            "join them with `devdb merge \"MESSAGE\"`: it proves that they go together".into();
    }

    /// Says of applied migrations without a file in which branch they still are.
    pub(super) fn explain(&self, standing: &mut Standing) {
        let Some(migrations) = &self.config().migrations else {
            return;
        };
        let kinds = [ProblemKind::Missing, ProblemKind::UnknownRevision];
        let gone = standing.problems.iter_mut();
        // Each one costs a look into every branch.
        for problem in gone.filter(|p| kinds.contains(&p.kind)).take(5) {
            let Some(id) = problem.id.as_deref() else {
                continue;
            };
            let root = &self.config().project.root;
            let branches = git::branches_with(root, &migrations.dir, id);
            if branches.is_empty() {
                continue;
            }
            let named = branches.join(", ");
            problem.message.push_str(&match branches.len() {
                1 => format!("; the branch {named} has it"),
                _ => format!("; the branches {named} have it"),
            });
            problem.hint = format!(
                "go on in {} (`devdb switch` gives each branch a database of its own), or run `devdb reset`: your data is kept aside",
                branches[0]
            );
        }
    }

    /// Alembic's version table as SQL names it: as env.py was heard to configure it, else as Alembic
    /// calls it by itself.
    pub(super) fn version_table(&self) -> String {
        let told = AlembicCache::last_version_table(&self.alembic_cache());
        told.unwrap_or_else(|| "alembic_version".to_owned())
    }

    fn alembic_cache(&self) -> PathBuf {
        self.config().project.state_dir.join("alembic.json")
    }

    /// The variables that a child process gets to use `target`.
    pub(super) fn variables(&self, target: &Target) -> Vec<(String, String)> {
        env::render(&self.config().env, target)
    }

    /// The same database for the role that owns what migrations make.
    pub(super) fn as_owner(&self, target: &Target) -> Target {
        let mut roles = self.config().roles.iter();
        match roles.find(|role| role.kind == RoleKind::Ddl) {
            Some(role) => target.as_role(&role.name),
            None => target.clone(),
        }
    }

    /// The dev database on the server of `maintenance`.
    pub(super) fn dev(&self, maintenance: &Target) -> Target {
        maintenance.with_database(&self.config().database.name)
    }
}

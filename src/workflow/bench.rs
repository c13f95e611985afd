//! Where a command makes its scratch databases: on the project's server, or, where that is not
//! clean enough for a replay, on a server of its own that goes with the command.

use crate::config::ServerKind;
use crate::databases::{Scratch, ServerWide, Workshop};
use crate::error::{Error, Result};
use crate::migrations::MigrationTool;
use crate::postgres::{self, Connection};
use crate::server::{Ephemeral, Server};

use super::baseline::{self, Ground};
use super::{Context, bake, provision};

/// An open one. What is done there is done with its own `context`.
pub(super) struct Bench {
    pub context: Context,
    pub workshop: Workshop,
    own: Option<Ephemeral>,
    /// What [`Bench::for_replay`] found for the first replay.
    ground: Option<Ground>,
}

impl Bench {
    /// On the project's server, which is started where it does not run.
    ///
    /// # Errors
    /// `Server` where none can be had; `Refused` on one that is not devdb's to change.
    pub async fn on_projects_server(context: &Context) -> Result<Self> {
        provision::allow_databases(context.config(), "create scratch databases")?;
        let session = match running(context).await {
            Some(session) => session,
            None => {
                let server = context.server().await?;
                postgres::connect(&bake::up(context, &server).await?).await?
            }
        };
        Ok(Bench {
            workshop: Workshop::open_on(session, &context.names()).await?,
            context: context.clone(),
            own: None,
            ground: None,
        })
    }

    /// On the project's server as it runs, without asking anybody else for it.
    ///
    /// # Errors
    /// As [`Bench::on_projects_server`]; also where it does not run.
    pub async fn on_running_server(context: &Context) -> Result<Self> {
        let config = context.config();
        let remembered = Server::remembered(config);
        let maintenance = remembered.ok_or_else(|| Error::server("no server is known to run"))?;
        provision::allow_databases(config, "create scratch databases")?;
        Ok(Bench {
            workshop: Workshop::open(&maintenance, &context.names()).await?,
            context: context.clone(),
            own: None,
            ground: None,
        })
    }

    /// Where the chain, up to `to`, can be replayed as on a clean server.
    ///
    /// # Errors
    /// As [`Bench::on_projects_server`].
    pub async fn for_replay(context: &Context, to: Option<&str>) -> Result<Self> {
        let mut bench = Self::on_projects_server(context).await?;
        let Some(why) = bench.why_not_here(to).await? else {
            return Ok(bench);
        };
        context
            .events
            .detail(format!("the replay gets a server of its own: {why}"));
        bench.close().await?;
        Self::on_own_server(context).await
    }

    /// On a server of its own.
    ///
    /// # Errors
    /// `Server` where the project's is given by URL.
    pub async fn on_own_server(context: &Context) -> Result<Self> {
        let server = context.server().await?;
        let own = Ephemeral::start(context.config(), &server, &context.events).await?;
        Self::on(context, own).await
    }

    /// On a server of its own that may begin with what an earlier replay gave.
    ///
    /// # Errors
    /// As [`Bench::on_own_server`].
    pub async fn on_own_server_at_head(context: &Context) -> Result<Self> {
        let server = context.server().await?;
        match bake::own_server(context, &server).await? {
            Some(own) => Self::on(context, own).await,
            None => Self::on_own_server(context).await,
        }
    }

    async fn on(home: &Context, own: Ephemeral) -> Result<Self> {
        let context = home.with_config(own.config.clone());
        home.lend_learned(&context);
        let workshop = Workshop::open(&own.target, &context.names()).await?;
        Ok(Bench {
            context,
            workshop,
            own: Some(own),
            ground: None,
        })
    }

    /// The first scratch database with the whole chain replayed in it.
    ///
    /// # Errors
    /// What the replay gives.
    pub async fn scratch(&mut self, tool: &mut MigrationTool, purpose: &str) -> Result<Scratch> {
        let (context, workshop) = (&self.context, &mut self.workshop);
        match self.ground.take() {
            None => baseline::scratch(context, workshop, tool, purpose, None).await,
            ground => baseline::scratch_on(context, workshop, tool, purpose, None, ground).await,
        }
    }

    /// Whether its server is its own.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Whether its server has nothing besides databases of devdb's; one that is somebody else's is
    /// as clean as can be had.
    pub async fn is_clean(&mut self) -> Result<bool> {
        if self.context.config().server.kind == ServerKind::Url {
            return Ok(true);
        }
        let there = baseline::server_wide(&self.context, self.workshop.connection()).await?;
        Ok(there == ServerWide::default())
    }

    /// Why a replay here would not be one on a clean server.
    pub async fn why_not_here(&mut self, to: Option<&str>) -> Result<Option<String>> {
        let context = &self.context;
        let on = self.workshop.connection();
        if context.config().server.kind == ServerKind::Url || context.config().migrations.is_none()
        {
            return Ok(None);
        }
        let mut tool = context.tool()?;
        let ground = Ground::of(context, on, &mut tool, to).await?;
        context.keep_learned(&tool);
        let Some(ground) = ground else {
            return Ok(None);
        };
        let why = ground.why_not_here()?;
        if to.is_none() {
            self.ground = Some(ground);
        }
        Ok(why)
    }

    /// Drops what was made; a server of its own goes with it.
    pub async fn close(self) -> Result<()> {
        let closed = self.workshop.close().await;
        if let Some(own) = self.own {
            return own.close().await;
        }
        closed
    }
}

/// A session on the server of `context`, as far as it runs.
pub(super) async fn session(context: &Context) -> Option<postgres::Connection> {
    let maintenance = Server::remembered(context.config())?;
    let limit = std::time::Duration::from_secs(1);
    postgres::connect_within(&maintenance, limit).await.ok()
}

/// A session on the project's server, where that runs as it is configured now: nobody else is asked.
async fn running(context: &Context) -> Option<Connection> {
    let mut on = session(context).await?;
    if context.config().server.kind == ServerKind::Url {
        return Some(on);
    }
    // Somebody else's may have come to listen at that port.
    let identifier = "select system_identifier::text from pg_catalog.pg_control_system()";
    let identifier: Option<String> = on.fetch_value(identifier, &[]).await.ok()?;
    Server::is_known(context.config(), &identifier?).then_some(on)
}

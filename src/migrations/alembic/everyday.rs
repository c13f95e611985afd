//! Alembic's other commands: joining heads, and SQL as text.

use std::path::PathBuf;

use serde_json::json;

use super::{Alembic, request};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::migrations::{Env, Ran, Rollback, Standing};
use crate::postgres::Target;

impl Alembic {
    /// `alembic merge`: a revision that builds on all heads. Gives its file.
    ///
    /// # Errors
    /// `Usage` where there is nothing to join.
    pub async fn merge(
        &mut self,
        target: &Target,
        env: &Env,
        message: &str,
        events: &Events,
    ) -> Result<PathBuf> {
        let chain = self.chain(env, events).await?;
        if chain.heads.len() < 2 {
            return Err(Error::usage(
                "the chain has one head: there is nothing to join",
            ));
        }
        let message = format!("--message={message}");
        let mut request = request(&["merge", &message, "heads"], None);
        request["writes"] = json!(true);
        let answer = self
            .run(&request, "joining heads", target, env, events)
            .await?;
        answer
            .files
            .into_iter()
            .next()
            .ok_or_else(|| Error::migration("Alembic wrote no file").hint("run again with -v"))
    }

    /// What `upgrade` would run on a database with this standing, in Alembic's offline mode.
    ///
    /// # Errors
    /// `Migration` where the database has several heads, or env.py or a revision needs a
    /// connection.
    pub async fn up_sql(
        &mut self,
        target: &Target,
        env: &Env,
        standing: &Standing,
        to: Option<&str>,
        events: &Events,
    ) -> Result<String> {
        let from = self.single_head(env, standing, events).await?;
        let to = to.unwrap_or("head");
        let range = match &from {
            Some(from) => format!("{from}:{to}"),
            None => to.to_owned(),
        };
        self.sql(target, env, &["upgrade", &range, "--sql"], events)
            .await
    }

    /// What `downgrade` would run.
    ///
    /// # Errors
    /// As [`Alembic::up_sql`].
    pub async fn down_sql(
        &mut self,
        target: &Target,
        env: &Env,
        standing: &Standing,
        how_far: &Rollback,
        events: &Events,
    ) -> Result<String> {
        let Some(from) = self.single_head(env, standing, events).await? else {
            return Ok(String::new());
        };
        let applied = &standing.applied;
        let to = match how_far {
            Rollback::To(to) => to.clone(),
            Rollback::Steps(0) => return Ok(String::new()),
            Rollback::Steps(n) if (*n as usize) < applied.len() => {
                applied[applied.len() - 1 - *n as usize].id.clone()
            }
            Rollback::Steps(_) | Rollback::Base => "base".to_owned(),
        };
        let range = format!("{from}:{to}");
        self.sql(target, env, &["downgrade", &range, "--sql"], events)
            .await
    }

    /// The one revision that a database is at.
    async fn single_head(
        &mut self,
        env: &Env,
        standing: &Standing,
        events: &Events,
    ) -> Result<Option<String>> {
        let chain = self.chain(env, events).await?;
        let applied: Vec<&str> = standing.applied.iter().map(|a| a.id.as_str()).collect();
        let builds_on = |id: &str| {
            let migrations = chain.migrations.iter();
            migrations
                .filter(|m| applied.contains(&m.id.as_str()))
                .any(|m| m.parents.iter().any(|parent| parent == id))
        };
        let heads: Vec<&&str> = applied.iter().filter(|id| !builds_on(id)).collect();
        match heads.as_slice() {
            [] => Ok(None),
            [head] => Ok(Some((**head).to_owned())),
            _ => Err(Error::migration(
                "the database is at several heads, of which Alembic's offline mode knows nothing",
            )
            .hint("`devdb migrate` without --sql does it")),
        }
    }

    /// `upgrade head` in one transaction, which is rolled back. The inner error says why that cannot
    /// be done: nothing was committed then, either.
    ///
    /// # Errors
    /// As [`Alembic::migrate`].
    pub async fn try_out(
        &mut self,
        target: &Target,
        env: &Env,
        events: &Events,
    ) -> Result<std::result::Result<Vec<Ran>, String>> {
        self.chain(env, events).await?.head()?;
        let expect = self.identity(target).await?;
        let mut request = request(&["upgrade", "head"], Some(&expect));
        request["roll_back"] = json!(true);
        let answer = self
            .run(&request, "trying migrations", target, env, events)
            .await?;
        match answer.not_one_transaction {
            Some(why) => Ok(Err(why)),
            None => Ok(Ok(super::ran(answer.ran))),
        }
    }

    async fn sql(
        &mut self,
        target: &Target,
        env: &Env,
        argv: &[&str],
        events: &Events,
    ) -> Result<String> {
        let mut request = request(argv, None);
        request["sql"] = json!(true);
        Ok(self
            .run(&request, "writing SQL", target, env, events)
            .await?
            .sql)
    }
}

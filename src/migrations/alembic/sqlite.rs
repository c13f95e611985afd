//! The chain on SQLite, for projects whose engine can be either.

use std::path::PathBuf;

use serde_json::json;

use super::{Alembic, errors, request};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::migrations::Env;
use crate::migrations::process::without_passwords;

/// A revision that SQLite does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub id: String,
    pub file: PathBuf,
    pub line: Option<u32>,
    /// What SQLite, or Alembic about SQLite, said.
    pub message: String,
    pub sql: Option<String>,
}

/// So many are named; what fails after others have failed may fail because of them.
const MOST: usize = 20;

impl Alembic {
    /// `upgrade head` with these variables, which must lead env.py to SQLite. A revision that fails
    /// is noted and passed over.
    ///
    /// # Errors
    /// `Migration` where env.py fails by itself, or goes elsewhere than to SQLite.
    pub async fn replay_on_sqlite(&mut self, env: &Env, events: &Events) -> Result<Vec<Unfit>> {
        self.chain(env, events).await?;
        let mut unfit: Vec<Unfit> = Vec::new();
        while unfit.len() < MOST {
            let mut upgrade = request(&["upgrade", "heads"], None);
            upgrade["dialect"] = json!("sqlite");
            let (answer, hello) = self
                .ask(&upgrade, "replaying on SQLite", env, events)
                .await?;
            let failure = match answer {
                Ok(_) => break,
                Err(failure) if failure.r#type.ends_with("Elsewhere") => {
                    return Err(elsewhere(&failure));
                }
                Err(failure) => failure,
            };
            let Some(step) = failure.step.clone() else {
                return Err(errors::explain(&failure, &hello, None));
            };
            unfit.push(Unfit {
                id: step.id.clone(),
                file: step.file.into(),
                line: failure.line.and_then(|line| line.try_into().ok()),
                message: failure
                    .message
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                sql: failure.sql.clone(),
            });
            let mut stamp = request(&["stamp", &step.id], None);
            stamp["dialect"] = json!("sqlite");
            let (answer, hello) = self.ask(&stamp, "passing it over", env, events).await?;
            answer.map_err(|failure| errors::explain(&failure, &hello, None))?;
        }
        Ok(unfit)
    }
}

fn elsewhere(failure: &errors::Failure) -> Error {
    let there = without_passwords(&failure.message);
    Error::migration(format!("env.py does not go to SQLite, but to {there}; nothing was run"))
        .hint("say under [sqlite] in devdb.toml what leads it there: VARIABLE = \"{url}\", or \"\" where it is not to be set")
}

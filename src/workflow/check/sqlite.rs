//! Whether the chain runs on SQLite, too.

use std::time::Instant;

use super::{Finding, Report, Rule, relative};
use crate::config::EnvValue;
use crate::error::{Error, ErrorKind, Named, Result};
use crate::migrations::MigrationTool;

impl Report<'_> {
    /// Replays it in a folder of its own.
    pub(super) async fn sqlite(&mut self) -> Result<()> {
        let started = Instant::now();
        let context = self.context;
        let MigrationTool::Alembic(mut alembic) = context.tool()? else {
            return Err(Error::usage("--sqlite is about Alembic projects").hint("leave it out"));
        };
        let folder = tempfile::tempdir().named("cannot make a folder for SQLite")?;
        let path = folder.path().display().to_string();
        let config = context.config();
        let url = |scheme: &str| {
            // Who connects asynchronously does so here, too.
            let asynchronous = ["asyncpg", "psycopg_async", "aiopg"];
            let driver = match asynchronous.iter().any(|name| scheme.contains(name)) {
                true => "sqlite+aiosqlite",
                false => "sqlite",
            };
            format!("{driver}:///{path}/check.db")
        };
        let variables: Vec<(String, String)> = match config.sqlite.as_slice() {
            [] => config
                .env
                .iter()
                .filter_map(|(name, value)| match value {
                    EnvValue::Url(scheme) | EnvValue::UrlAs(scheme, _) => {
                        Some((name.clone(), url(scheme)))
                    }
                    EnvValue::Text(_) => None,
                })
                .collect(),
            given => given
                .iter()
                .map(|(name, text)| {
                    let text = text.replace("{folder}", &path);
                    (name.clone(), text.replace("{url}", &url("")))
                })
                .collect(),
        };
        let events = context.events.inside_a_task();
        let unfit = alembic.replay_on_sqlite(&variables, &events).await?;
        let root = &config.project.root;
        let found = unfit.iter().map(|unfit| {
            let message = format!("SQLite cannot do {}: {}", unfit.id, unfit.message);
            let mut finding = Finding::new(Rule::Sqlite, ErrorKind::Migration, message);
            finding.file = Some(relative(root, &unfit.file));
            finding.line = unfit.line;
            finding.detail = unfit.sql.clone();
            finding.hint(match unfit.message.contains("batch mode") {
                true => {
                    "`with op.batch_alter_table(…)` makes the table anew where SQLite has no ALTER"
                }
                false => "leave it out there: `if op.get_bind().dialect.name == \"postgresql\":`",
            })
        });
        let outcome = match unfit.len() {
            0 => "the chain runs on SQLite".to_owned(),
            1 => "1 revision does not run on SQLite".to_owned(),
            n => format!("{n} revisions do not run on SQLite"),
        };
        let found: Vec<Finding> = found.collect();
        self.looked(Rule::Sqlite, outcome, started, found);
        Ok(())
    }
}

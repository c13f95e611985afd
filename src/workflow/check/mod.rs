//! `devdb check`: the one command for a pipeline. Does the chain hold together, does it replay from
//! nothing, does it give what is wanted, and can what is new be taken back?

mod files;
mod remote;
mod replay;
mod sqlite;
mod wanted;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{Chain, Migration};
use crate::schema::HazardKind;

use super::Context;
use super::bench::Bench;
use super::everyday;
use super::git::{self, Base};

pub use remote::{Tried, Way, try_remote};

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at, in order.
    pub rules: Vec<Looked>,
    pub findings: Vec<Finding>,
    /// Where the new migrations begin: branch and commit.
    pub base: Option<String>,
    /// Ids of the migrations that the base has not.
    pub new: Vec<String>,
    /// The path of the project in its repository: empty, or `apps/core/`. Files are relative to the
    /// project.
    pub prefix: String,
    /// Seconds.
    pub took: f64,
}

impl Check {
    /// The exit code: that of the first error.
    pub fn exit_code(&self) -> u8 {
        let first = self.findings.iter().find(|f| f.level == Level::Error);
        first.map_or(0, |finding| finding.kind.exit_code())
    }
}

/// One rule, and what came of it.
#[derive(Debug, Serialize)]
pub struct Looked {
    pub rule: Rule,
    /// In words, for people: "8 migrations replayed from nothing".
    pub outcome: String,
    pub passed: bool,
    /// Seconds.
    pub took: f64,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The files make one chain with one head.
    Chain,
    /// Against the base branch nothing is edited, missing or out of order.
    History,
    /// The chain replays from nothing.
    Replay,
    /// What is new goes up, down and up again.
    WayBack,
    /// What is new has no hazards that are denied.
    Hazards,
    /// The chain gives what the models or the wanted schema say.
    Wanted,
    /// The chain runs on SQLite, too.
    Sqlite,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Rule::Chain => "chain",
            Rule::History => "history",
            Rule::Replay => "replay",
            Rule::WayBack => "way-back",
            Rule::Hazards => "hazards",
            Rule::Wanted => "wanted",
            Rule::Sqlite => "sqlite",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
}

/// One thing that is wrong, or that somebody should know.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub level: Level,
    /// Decides the exit code.
    #[serde(skip)]
    pub kind: ErrorKind,
    /// Relative to the project's root.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Finding {
    fn new(rule: Rule, kind: ErrorKind, message: impl Into<String>) -> Self {
        Finding {
            rule,
            level: Level::Error,
            kind,
            file: None,
            line: None,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    fn warning(rule: Rule, message: impl Into<String>) -> Self {
        Finding {
            level: Level::Warning,
            ..Finding::new(rule, ErrorKind::Failed, message)
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How to check.
#[derive(Debug, Default)]
pub struct CheckOptions {
    /// The branch that the work shall go into; the main branch where none is given.
    pub base: Option<String>,
    /// Kinds of hazard that are an error.
    pub deny: Vec<HazardKind>,
    /// Alembic: whether the chain has to run on SQLite, too.
    pub sqlite: bool,
}

/// Looks at everything, on scratch databases; the dev database is not touched.
///
/// # Errors
/// What keeps the check from being made: no server, no migrations, an unknown base. What it finds
/// is no error.
pub async fn check(context: &Context, options: &CheckOptions) -> Result<Check> {
    let started = Instant::now();
    let _lock = context.lock("check").await?;
    let root = context.config().project.root.clone();
    let base = match &options.base {
        Some(name) => Some(git::base(&root, name)?),
        None => git::merge_base(&root),
    };
    let mut report = Report {
        context,
        check: Check {
            rules: Vec::new(),
            findings: Vec::new(),
            base: base.as_ref().map(Base::to_string),
            new: Vec::new(),
            prefix: git::prefix(&root).unwrap_or_default(),
            took: 0.0,
        },
    };
    if let Some((chain, new)) = report.files(base.as_ref()).await? {
        let mut bench = Bench::for_replay(context, None).await?;
        let mut there = bench.context.clone();
        let task = context.events.begin("checking on scratch databases", None);
        there.events = context.events.inside_a_task();
        let done = report
            .databases(&there, &mut bench, &chain, &new, options)
            .await;
        bench.close().await?;
        done?;
        if options.sqlite {
            report.sqlite().await?;
        }
        task.end("");
    }
    let mut check = report.check;
    check.took = started.elapsed().as_secs_f64();
    Ok(check)
}

/// What was found so far.
struct Report<'a> {
    /// Of the project's own server.
    context: &'a Context,
    check: Check,
}

impl Report<'_> {
    /// Notes the outcome of a rule, and what it found.
    fn looked(
        &mut self,
        rule: Rule,
        outcome: impl Into<String>,
        started: Instant,
        found: Vec<Finding>,
    ) {
        self.check.rules.push(Looked {
            rule,
            outcome: outcome.into(),
            passed: !found.iter().any(|f| f.level == Level::Error),
            took: started.elapsed().as_secs_f64(),
        });
        self.check.findings.extend(found);
    }

    /// The files alone. `None` where they are no chain that could be replayed. Second: the new
    /// migrations.
    async fn files(&mut self, base: Option<&Base>) -> Result<Option<(Chain, Vec<Migration>)>> {
        let started = Instant::now();
        let context = self.context;
        let (chain, tool) = match everyday::chain(context).await {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Migration => {
                let found = vec![self.of_error(Rule::Chain, &error, &[])];
                self.looked(Rule::Chain, "the files are no chain", started, found);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        context.keep_learned(&tool);
        let found = files::sound(context, &chain);
        let is_sound = !found.iter().any(|f| f.level == Level::Error);
        let outcome = match chain.migrations.len() {
            1 => "1 migration".to_owned(),
            n => format!("{n} migrations"),
        };
        self.looked(Rule::Chain, outcome, started, found);
        let Some(base) = base else {
            self.looked(
                Rule::History,
                "not looked at: no git repository",
                started,
                Vec::new(),
            );
            return Ok(is_sound.then_some((chain, Vec::new())));
        };
        let started = Instant::now();
        let history = files::against(context, &chain, base)?;
        let new = history.new;
        self.check.new = new.iter().map(|m| m.id.clone()).collect();
        let outcome = format!("{} new since {base}", new.len());
        self.looked(Rule::History, outcome, started, history.findings);
        Ok(is_sound.then_some((chain, new)))
    }

    /// A finding from an error, with the place in the file that it names.
    fn of_error(&self, rule: Rule, error: &Error, migrations: &[Migration]) -> Finding {
        let root = &self.context.config().project.root;
        let mut finding = Finding::new(rule, error.kind(), error.message());
        finding.detail = error.detail_text().map(str::to_owned);
        finding.hint = error.hint_text().map(str::to_owned);
        // `20260101_a.sql:3: …`, `migration 3f2a (env.py:12): …`
        for word in error.message().split([' ', '(', ')']) {
            let mut parts = word.split(':');
            let (Some(name), line) = (parts.next(), parts.next()) else {
                continue;
            };
            let named = migrations.iter().find(|m| {
                let file = m.file.file_name().unwrap_or_default();
                file.to_string_lossy() == name
            });
            if let Some(migration) = named {
                finding.file = Some(relative(root, &migration.file));
                finding.line = line.and_then(|line| line.parse().ok());
                break;
            }
        }
        finding
    }
}

/// A path as it is shown.
fn relative(root: &std::path::Path, file: &std::path::Path) -> String {
    let file: PathBuf = file.strip_prefix(root).unwrap_or(file).into();
    file.display().to_string()
}

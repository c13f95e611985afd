//! What the files and git alone tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::git::{self, Base};
use super::super::{Context, everyday};
use super::{Finding, Level, Rule, relative};
use crate::config::Tool;
use crate::error::{ErrorKind, Result};
use crate::migrations::{Chain, Migration, ProblemKind};

/// What the chain says of itself.
pub fn sound(context: &Context, chain: &Chain) -> Vec<Finding> {
    let root = &context.config().project.root;
    let problems = chain.problems.iter();
    problems
        .map(|problem| {
            let mut finding = match problem.blocks {
                true => Finding::new(Rule::Chain, ErrorKind::Migration, &*problem.message),
                false => Finding::warning(Rule::Chain, &*problem.message),
            };
            finding.hint = Some(problem.hint.clone());
            finding.file = problem.file.as_ref().map(|file| relative(root, file));
            if problem.kind == ProblemKind::SeveralHeads {
                let heads = everyday::heads_of(root, chain);
                let named: Vec<String> = heads.iter().map(ToString::to_string).collect();
                finding.detail = Some(named.join("\n"));
                finding.file = heads.last().map(|head| head.migration.file.clone());
            }
            finding
        })
        .collect()
}

/// The chain beside the base branch.
pub struct History {
    /// The migrations that the base has not, in the order of the chain.
    pub new: Vec<Migration>,
    pub findings: Vec<Finding>,
}

/// Compares files with those at the merge base and at the tip of the base branch.
pub fn against(context: &Context, chain: &Chain, base: &Base) -> Result<History> {
    let migrations = context.migrations()?;
    let root = &context.config().project.root;
    let mut folders: Vec<&Path> = chain
        .migrations
        .iter()
        .filter_map(|m| m.file.parent())
        .collect();
    folders.sort_unstable();
    folders.dedup();
    if folders.is_empty() {
        folders.push(&migrations.dir);
    }
    let mut before: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut tip: BTreeMap<PathBuf, String> = BTreeMap::new();
    for folder in folders {
        before.extend(git::files_at(root, &base.commit, folder)?);
        tip.extend(git::files_at(root, &base.tip, folder)?);
    }
    let is_migration = |path: &Path| match migrations.tool {
        Tool::Sqlx => is_sqlx(path),
        _ => path.extension().is_some_and(|e| e == "py") && !path.ends_with("__init__.py"),
    };
    before.retain(|path, _| is_migration(path));
    tip.retain(|path, _| is_migration(path));

    let mut findings = Vec::new();
    let error = |message: String, file: &Path| {
        let mut finding = Finding::new(Rule::History, ErrorKind::Migration, message);
        finding.file = Some(relative(root, file));
        finding
    };
    for (path, blob) in &before {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match git::blob_of(root, path) {
            None => findings.push(
                error(format!("{name} is missing: {} has it", base.branch), path)
                    .hint("bring it back: databases that have applied it cannot go on without"),
            ),
            Some(now) if now != *blob => findings.push(
                error(
                    format!("{name} was edited: {} has another text", base.branch),
                    path,
                )
                .hint("bring it back as it was, and put the change into a new migration"),
            ),
            Some(_) => {}
        }
    }
    let new: Vec<Migration> = chain
        .migrations
        .iter()
        .filter(|m| !before.contains_key(&m.file))
        .cloned()
        .collect();
    let theirs: Vec<&PathBuf> = tip
        .keys()
        .filter(|path| !before.contains_key(*path))
        .collect();
    match migrations.tool {
        Tool::Sqlx => {
            let newest = tip.keys().filter_map(|path| version(path)).max();
            for migration in &new {
                let own: Option<u64> = migration.id.parse().ok();
                if let (Some(own), Some(newest)) = (own, newest)
                    && own < newest
                {
                    let message = format!(
                        "{} is older than {newest}, which {} has already",
                        migration.id, base.branch
                    );
                    findings.push(error(message, &migration.file).hint(
                        "give it a newer number: where the other is applied, it comes too late",
                    ));
                }
            }
        }
        _ => {
            if let (Some(own), [first, ..]) = (new.first(), theirs.as_slice()) {
                let names = first.file_name().unwrap_or_default().to_string_lossy();
                let message = format!(
                    "{} has gone on ({names}): together there would be two heads",
                    base.branch
                );
                findings.push(error(message, &own.file).hint(format!(
                    "rebase on {} and set down_revision, or merge it and run `devdb merge`",
                    base.branch
                )));
            }
        }
    }
    debug_assert!(findings.iter().all(|f| f.level == Level::Error));
    Ok(History { new, findings })
}

fn version(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.split_once('_')?.0.parse().ok()
}

fn is_sqlx(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "sql") && version(path).is_some()
}

//! sqlx projects: the wanted schema is SQL, the difference is devdb's own, and the proof is that
//! the file, run by the migrations room on a clone, gives the wanted schema, and its way back the
//! baseline.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::databases::{Scratch, Workshop};
use crate::error::{Error, ErrorKind, Named, Result};
use crate::migrations::Rollback;
use crate::migrations::sqlx::{FileBody, Sqlx};
use crate::schema::{self, Plan, Schema};

use super::super::compare::{deny, lines, read_project};
use super::super::renames::{self, Decisions, Settled, undecided};
use super::super::{Context, provision, ready};
use super::{GenerateOptions, Generated, from_base, in_session, replay, unproved};

pub async fn generate(
    context: &Context,
    workshop: &mut Workshop,
    message: &str,
    options: &GenerateOptions,
) -> Result<Generated> {
    let mut generated = Generated::new(Instant::now());
    let migrations = context.migrations()?;
    let wanted_files = schema_files(migrations.schema.as_deref())?;

    let head = from_base(context, workshop, "head").await?;
    replay(context, &mut context.tool()?, &head).await?;
    let wanted = from_base(context, workshop, "wanted").await?;
    in_session(&wanted, async |connection| {
        for file in &wanted_files {
            provision::run_file(connection, file).await?;
        }
        Ok(())
    })
    .await?;

    let tool = Sqlx::open(migrations)?;
    let task = context.events.begin("comparing schemas", None);
    let from = read(context, &head).await?;
    let to = read(context, &wanted).await?;
    let renames = settle(context, workshop, &head, &from, &to, &options.renames).await?;
    let plan = schema::plan_after(&renames.done, &renames.after, &to);
    generated.changes = renames.done.iter().map(|r| format!("~ {r}")).collect();
    generated
        .changes
        .extend(lines(&schema::diff(&renames.after, &to)));
    generated.hazards = renames.open.iter().map(undecided).collect();
    generated.hazards.extend(hazards(&plan));
    generated.unmodelled = plan.unmodelled.iter().map(ToString::to_string).collect();
    task.end(match generated.changes.len() {
        0 => "no difference".into(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    });
    deny(&plan, &options.deny)?;
    if plan.is_empty() {
        generated.proved = true;
        return Ok(generated);
    }

    let back = tool
        .is_reversible()?
        .then(|| schema::plan_back(&renames.done, &renames.after, &to));
    generated.files = tool.write(&options.now, message, &bodies(&plan, back.as_ref()))?;

    let task = context.events.begin("proving the migration", None);
    let proof = workshop.make("proof", &head.name).await?;
    let proved = async {
        ready::apply(context, &mut context.tool()?, &proof.target, None).await?;
        equal(context, &proof, &to, "after the migration").await?;
        if back.is_some() {
            let how_far = Rollback::Steps(plan_files(&plan) as u32);
            tool.rollback(&proof.target, &how_far, &context.events)
                .await?;
            equal(context, &proof, &from, "after its way back").await?;
            ready::apply(context, &mut context.tool()?, &proof.target, None).await?;
            equal(context, &proof, &to, "after the way back and forward again").await?;
        }
        Ok(())
    }
    .await;
    match proved {
        Ok(()) => {
            generated.proved = true;
            task.end(match back {
                Some(_) => "up, down and up again give the wanted schema",
                None => "it gives the wanted schema",
            });
            Ok(generated)
        }
        Err(why) => unproved(context, generated, why, options.keep_unproved),
    }
}

/// The SQL files of the wanted schema, in the order in which they are loaded.
///
/// # Errors
/// `Usage` where no schema is configured or the folder holds no SQL.
pub(in crate::workflow) fn schema_files(schema: Option<&Path>) -> Result<Vec<PathBuf>> {
    let Some(schema) = schema else {
        return Err(Error::usage("nothing says what schema is wanted").hint(
            "set schema = \"schema.sql\" under [migrations]: a file or a folder of SQL files",
        ));
    };
    if schema.is_file() {
        return Ok(vec![schema.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![schema.to_owned()];
    while let Some(folder) = folders.pop() {
        let what = format!("cannot read {}", folder.display());
        for entry in std::fs::read_dir(&folder).named(&what)? {
            let path = entry.named(&what)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "sql") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        return Err(
            Error::usage(format!("there are no .sql files in {}", schema.display()))
                .hint("migrations.schema names a file or a folder of SQL files"),
        );
    }
    files.sort();
    Ok(files)
}

async fn read(context: &Context, scratch: &Scratch) -> Result<Schema> {
    in_session(scratch, async |connection| {
        read_project(context, connection).await
    })
    .await
}

/// Runs the renames that are meant on a clone of the baseline; where nothing looks like one, there
/// is nothing to run.
async fn settle<'a>(
    context: &Context,
    workshop: &mut Workshop,
    head: &Scratch,
    from: &'a Schema,
    to: &Schema,
    decisions: &Decisions,
) -> Result<Settled<'a>> {
    if !renames::is_needed(from, to, decisions) {
        return Ok(Settled::nothing(from));
    }
    let clone = workshop.make("renames", &head.name).await?;
    in_session(&clone, async |connection| {
        renames::settle(context, connection, from, to, decisions).await
    })
    .await
}

async fn equal(context: &Context, proof: &Scratch, wanted: &Schema, when: &str) -> Result<()> {
    let left = lines(&schema::diff(&read(context, proof).await?, wanted));
    match left.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Unproved,
            format!("{when} the schema still differs"),
        )
        .detail(left.join("\n"))),
    }
}

fn hazards(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .flat_map(|step| {
            step.hazards
                .iter()
                .map(move |hazard| format!("{}: {hazard}", step.object))
        })
        .collect()
}

/// How many files the plan needs: one for each of its transactions.
fn plan_files(plan: &Plan) -> usize {
    plan.transactions().len()
}

/// One body for each transaction. The way back is the whole plan back, in the last file: it is run
/// first, and the files before it have nothing left to take back.
pub(in crate::workflow) fn bodies(plan: &Plan, back: Option<&Plan>) -> Vec<FileBody> {
    let transactions = plan.transactions();
    let count = transactions.len();
    transactions
        .into_iter()
        .enumerate()
        .map(|(at, transaction)| {
            let mut up = String::new();
            if !transaction.transactional {
                up.push_str("-- no-transaction\n");
            }
            up.push_str(&statements(&transaction.statements));
            let down = match back {
                Some(back) if at + 1 == count => back
                    .transactions()
                    .iter()
                    .map(|t| statements(&t.statements))
                    .collect(),
                _ => String::new(),
            };
            FileBody { up, down }
        })
        .collect()
}

fn statements(statements: &[String]) -> String {
    statements
        .iter()
        .map(|sql| format!("{};\n", sql.trim_end().trim_end_matches(';')))
        .collect()
}

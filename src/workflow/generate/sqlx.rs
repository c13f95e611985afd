//! sqlx projects: the wanted schema is SQL, the difference is devdb's own, and the proof is that
//! the file, run by the migrations room on a clone, gives the wanted schema, and its way back the
//! baseline.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::databases::{Scratch, Workshop};
use crate::error::{Error, ErrorKind, Named, Result};
use crate::migrations::Rollback;
use crate::migrations::sqlx::{FileBody, Sqlx};
use crate::schema::{self, HazardKind, Plan, Schema, Transaction};
use crate::server::Server;

use super::super::compare::{deny, lines, read_project};
use super::super::proof::{self, Fingerprints, Moment, Survivors};
use super::super::renames::{self, Decisions, Settled, undecided};
use super::super::{Context, provision, ready, stakes};
use super::{GenerateOptions, Generated, at_head, from_base, in_session, unproved};

/// `home` is the project's own server, where the dev database is.
pub async fn generate(
    context: &Context,
    home: &Context,
    workshop: &mut Workshop,
    message: &str,
    options: &GenerateOptions,
) -> Result<Generated> {
    let mut generated = Generated::new(Instant::now());
    let migrations = context.migrations()?;
    let wanted_files = schema_files(migrations.schema.as_deref())?;

    let head = at_head(context, workshop, &mut context.tool()?).await?;
    let wanted = from_base(context, workshop, "wanted").await?;
    let as_owner = Scratch {
        target: context.as_owner(&wanted.target),
        name: wanted.name.clone(),
    };
    in_session(&as_owner, async |connection| {
        for file in &wanted_files {
            provision::run_file(connection, file).await?;
        }
        Ok(())
    })
    .await?;

    let tool = Sqlx::open(migrations)?;
    let task = context.events.begin("comparing schemas", None);
    let from = read(context, &head).await?;
    let mut to = read(context, &wanted).await?;
    if proof::may_print_otherwise(&from, &to) {
        to = proof::printed_again(workshop, "printed", to).await?;
    }
    let renames = settle(context, workshop, &head, &from, &to, &options.renames).await?;
    let mut plan = schema::plan_after(&renames.done, &renames.after, &to);
    if options.online {
        plan = plan.online(&renames.after, &to);
    }
    // What this developer's database has is at stake here, and no business of the file's. It need
    // not be there.
    let mut counted = plan.clone();
    if let Some(maintenance) = Server::remembered(home.config()) {
        let _ = stakes::count(&home.dev(&maintenance), &renames.done, &mut counted).await;
    }
    generated.changes = renames.done.iter().map(|r| format!("~ {r}")).collect();
    generated
        .changes
        .extend(lines(&schema::diff(&renames.after, &to)));
    generated.hazards = renames.open.iter().map(undecided).collect();
    generated.hazards.extend(hazards(&counted));
    generated.unmodelled = plan.unmodelled.iter().map(ToString::to_string).collect();
    task.end(match generated.changes.len() {
        0 => "no difference".into(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    });
    deny(&counted, &options.deny)?;
    if plan.is_empty() {
        generated.proved = true;
        return Ok(generated);
    }

    let stages = stages(context, workshop, &head, &plan).await?;
    let back = tool
        .is_reversible()?
        .then(|| ways_back(&renames, &stages, &to, options.online));
    generated.files = tool.write(&options.now, message, &bodies(&plan, back.as_deref()))?;

    let task = context.events.begin("proving the migration", None);
    let proof = Proof {
        context,
        tool: &tool,
        head: &head,
        from: &from,
        to: &to,
        files: plan.transactions().len() as u32,
        is_reversible: back.is_some(),
    };
    let survivors = Survivors::of(&renames.done, &renames.after, &to, &plan);
    let mut rows = ", and rows stay";
    let mut proved = proof.run(workshop, Some(&survivors)).await;
    if let Err(error) = &proved
        && proof::is_about_rows(error, &plan)
    {
        generated.hazards.push(format!(
            "depends-on-rows: proved on empty tables; rows made up for the proof are in its way: {}",
            error.message()
        ));
        rows = ", on empty tables";
        proved = proof.run(workshop, None).await;
    }
    match proved {
        Ok(()) => {
            generated.proved = true;
            task.end(match back {
                Some(_) => format!("up, down and up again give the wanted schema{rows}"),
                None => format!("it gives the wanted schema{rows}"),
            });
            Ok(generated)
        }
        Err(why) => unproved(context, generated, why, options.keep_unproved),
    }
}

/// The schemas between the transactions of a plan: each file takes back exactly what it did.
async fn stages(
    context: &Context,
    workshop: &mut Workshop,
    head: &Scratch,
    plan: &Plan,
) -> Result<Vec<Schema>> {
    let transactions = plan.transactions();
    if transactions.len() < 2 {
        return Ok(Vec::new());
    }
    let scratch = workshop.make("stages", &head.name).await?;
    in_session(&scratch, async |connection| {
        let mut stages = Vec::new();
        for transaction in &transactions[..transactions.len() - 1] {
            proof::run_one(connection, transaction, "the migration").await?;
            stages.push(read_project(context, connection).await?);
        }
        Ok(stages)
    })
    .await
}

/// The way back over each transaction, in the order of the way there.
fn ways_back(renames: &Settled, stages: &[Schema], to: &Schema, online: bool) -> Vec<Plan> {
    let ends = stages.iter().chain([to]);
    let mut before = None;
    let mut result = Vec::new();
    for end in ends {
        let plain = match before {
            None => schema::plan_back(&renames.done, &renames.after, end),
            Some(start) => schema::plan(end, start),
        };
        let start = before.unwrap_or(&renames.after);
        let gentle = online.then(|| plain.clone().online(end, start));
        // One file holds one transaction.
        let gentle = gentle.filter(|plan| plan.transactions().len() == 1);
        result.push(gentle.unwrap_or(plain));
        before = Some(end);
    }
    result
}

/// What a written migration is proved with.
struct Proof<'a> {
    context: &'a Context,
    tool: &'a Sqlx,
    head: &'a Scratch,
    from: &'a Schema,
    to: &'a Schema,
    /// How many files were written.
    files: u32,
    is_reversible: bool,
}

impl Proof<'_> {
    /// Up, down and up again on a clone: the schemas must be the ones before and after, and what
    /// survives the same.
    async fn run(&self, workshop: &mut Workshop, survivors: Option<&Survivors>) -> Result<()> {
        let (context, from, to) = (self.context, self.from, self.to);
        let purpose = match survivors {
            Some(_) => "proof",
            None => "proof_empty",
        };
        let clone = workshop.make(purpose, &self.head.name).await?;
        if survivors.is_some() {
            in_session(&clone, async |connection| {
                proof::fill(connection, from).await
            })
            .await?;
        }
        let rows = |moment: Moment| {
            let clone = &clone;
            async move {
                match survivors {
                    Some(survivors) => {
                        in_session(clone, async |connection| {
                            survivors.fingerprints(connection, moment).await
                        })
                        .await
                    }
                    None => Ok(Fingerprints::new()),
                }
            }
        };
        let present = rows(Moment::Before).await?;
        let same = async |moment: Moment, when: &str| {
            proof::ensure_same(&present, &rows(moment).await?, when)
        };
        let when = "after the migration";
        ready::apply(context, &mut context.tool()?, &clone.target, None).await?;
        equal(context, &clone, to, when).await?;
        same(Moment::After, when).await?;
        if !self.is_reversible {
            return Ok(());
        }
        let when = "after its way back";
        self.tool
            .rollback(&clone.target, &Rollback::Steps(self.files), &context.events)
            .await?;
        equal(context, &clone, from, when).await?;
        same(Moment::Before, when).await?;
        let when = "after the way back and forward again";
        ready::apply(context, &mut context.tool()?, &clone.target, None).await?;
        equal(context, &clone, to, when).await?;
        same(Moment::After, when).await
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

/// What to say about the plan besides its locks, which stand in the file.
fn hazards(plan: &Plan) -> Vec<String> {
    let hazards = plan.hazards();
    hazards
        .filter(|(_, hazard)| hazard.kind != HazardKind::Lock)
        .map(|(step, hazard)| format!("{}: {hazard}", step.object))
        .collect()
}

/// One body for each transaction, each with its own way back.
pub(in crate::workflow) fn bodies(plan: &Plan, back: Option<&[Plan]>) -> Vec<FileBody> {
    let transactions = plan.transactions().into_iter().enumerate();
    transactions
        .map(|(at, transaction)| FileBody {
            up: body(&[transaction]),
            down: back
                .and_then(|back| back.get(at))
                .map(|back| body(&back.transactions()))
                .unwrap_or_default(),
        })
        .collect()
}

fn body(transactions: &[Transaction]) -> String {
    let mut sql = String::new();
    if let [lone] = transactions
        && !lone.transactional
    {
        sql.push_str("-- no-transaction\n");
    }
    for transaction in transactions {
        sql.push_str(&statements(&transaction.statements));
    }
    sql
}

fn statements(statements: &[String]) -> String {
    statements
        .iter()
        .map(|sql| format!("{};\n", sql.trim_end().trim_end_matches(';')))
        .collect()
}

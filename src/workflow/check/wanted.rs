//! Whether the chain gives what is wanted: the schema file, or the models.

use super::super::bench::Bench;
use super::super::compare::{Desk, Side, lines, read_project};
use super::super::{Context, generate};
use super::{Finding, Rule, relative};
use crate::databases::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::MigrationTool;
use crate::postgres;
use crate::schema;

/// Compares; `slot` is at head. Gives the outcome in words, and what was found.
pub async fn compare(
    context: &Context,
    bench: &mut Bench,
    tool: MigrationTool,
    slot: Scratch,
) -> Result<(String, Vec<Finding>)> {
    let migrations = context.migrations()?;
    match &tool {
        MigrationTool::Alembic(_) => {
            let found = generate::disagreement(context, &mut bench.workshop, tool, slot).await?;
            let mut findings: Vec<Finding> = found
                .operations
                .iter()
                .map(|operation| {
                    let message = format!("the models want more than the chain gives: {operation}");
                    Finding::new(Rule::Wanted, ErrorKind::Differs, message)
                        .hint("`devdb generate` writes the migration")
                })
                .collect();
            for operation in &found.left_out {
                findings.push(Finding::warning(
                    Rule::Wanted,
                    format!(
                        "models and chain do not agree already on the base branch: {operation}"
                    ),
                ));
            }
            for line in &found.missed {
                findings.push(
                    Finding::warning(
                        Rule::Wanted,
                        format!(
                            "the models differ from the chain, which Alembic does not see: {line}"
                        ),
                    )
                    .hint("`devdb generate --complete` adds it to a migration"),
                );
            }
            let outcome = match found.operations.len() {
                0 => "models and chain agree".to_owned(),
                1 => "1 operation is missing in the chain".to_owned(),
                n => format!("{n} operations are missing in the chain"),
            };
            Ok((outcome, findings))
        }
        MigrationTool::Sqlx(_) if migrations.schema.is_some() => {
            let mut desk = Desk::new(context);
            let mut connection = postgres::connect(&slot.target).await?;
            let chain = read_project(context, &mut connection).await;
            connection.close().await;
            let both = async {
                let chain = chain?;
                let wanted = desk.read(&Side::Wanted).await?;
                let wanted = desk.as_printed(&chain, wanted).await?;
                Ok::<_, Error>(lines(&schema::diff(&chain, &wanted)))
            }
            .await;
            desk.close().await?;
            let differ: Vec<String> = both?;
            let file = migrations.schema.as_ref();
            let file = file.map(|file| relative(&context.config().project.root, file));
            let findings = differ.iter().map(|line| {
                let message = format!("the wanted schema is not what the chain gives: {line}");
                let mut finding = Finding::new(Rule::Wanted, ErrorKind::Differs, message)
                    .hint("`devdb generate` writes the migration");
                finding.file = file.clone();
                finding
            });
            let outcome = match differ.len() {
                0 => "wanted schema and chain agree".to_owned(),
                1 => "1 difference to the wanted schema".to_owned(),
                n => format!("{n} differences to the wanted schema"),
            };
            Ok((outcome, findings.collect()))
        }
        _ => Ok((
            "not looked at: nothing says what schema is wanted".to_owned(),
            Vec::new(),
        )),
    }
}

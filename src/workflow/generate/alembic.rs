//! Alembic projects: Alembic compares the models with a scratch database at head, and the proof is
//! that the new revision applies there and leaves nothing more to autogenerate.

use std::time::Instant;

use crate::databases::Workshop;
use crate::error::{Error, ErrorKind, Result};

use super::super::{Context, ready};
use super::{Generated, from_base, unproved};

pub async fn generate(
    context: &Context,
    workshop: &mut Workshop,
    message: &str,
    keep_unproved: bool,
) -> Result<Generated> {
    let mut generated = Generated::new(Instant::now());
    let head = from_base(context, workshop, "head").await?;
    let variables = context.variables(&head.target);
    let mut tool = context.tool()?;
    ready::apply(context, &mut tool, &head.target, None).await?;

    let alembic = tool.alembic()?;
    let task = context.events.begin("comparing models and baseline", None);
    let written = alembic
        .autogenerate(&head.target, &variables, message, &context.events)
        .await?;
    generated.changes = written.operations;
    task.end(match generated.changes.len() {
        0 => "no difference".into(),
        1 => "1 operation".to_owned(),
        n => format!("{n} operations"),
    });
    let Some(file) = written.file else {
        generated.proved = true;
        return Ok(generated);
    };
    generated.files = vec![file];

    let task = context.events.begin("proving the migration", None);
    let proved = async {
        ready::apply(context, &mut tool, &head.target, None).await?;
        let left = tool
            .alembic()?
            .check(&head.target, &variables, &context.events)
            .await?;
        match left.is_empty() {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Unproved,
                "after the migration Alembic still finds a difference",
            )
            .detail(left.join("\n"))),
        }
    }
    .await;
    match proved {
        Ok(()) => {
            generated.proved = true;
            task.end("applied; nothing more to autogenerate");
            Ok(generated)
        }
        Err(why) => unproved(context, generated, why, keep_unproved),
    }
}

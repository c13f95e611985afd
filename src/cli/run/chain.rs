//! The chain of migrations: what is written, applied and taken back.

use std::process::ExitCode;

use super::super::args::{self, Global};
use super::super::ui::Ui;
use super::super::{behind, chain, show};
use super::compare::{decisions, hazards};
use super::{context, now, tell_found};
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::Rollback;
use crate::migrations::alembic::Place;
use crate::workflow::{self, GenerateOptions};

pub(super) async fn generate(ui: &Ui, global: &Global, args: args::Generate) -> Result<ExitCode> {
    let context = context(ui, global)?;
    tell_found(&context);
    let options = GenerateOptions {
        keep_unproved: args.keep_unproved,
        deny: hazards(&args.plan.deny)?,
        online: args.plan.online,
        renames: decisions(ui, &context, &args.plan.rename)?,
        complete: args.complete,
        with_inherited: args.with_inherited,
        empty: args.empty,
        place: Place {
            rev_id: args.rev_id,
            head: args.head,
            splice: args.splice,
            branch_label: args.branch_label,
            version_path: args.version_path,
        },
        now: now(),
    };
    let generated = workflow::generate(&context, &args.message, &options).await?;
    show::generated(ui, &generated, &context.config().project.root);
    Ok(match generated.proved {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(ErrorKind::Unproved.exit_code()),
    })
}

pub(super) async fn migrate(ui: &Ui, global: &Global, args: args::Migrate) -> Result<()> {
    let context = context(ui, global)?;
    if args.sql {
        chain::sql(ui, &workflow::up_sql(&context, args.to.as_deref()).await?);
        return Ok(());
    }
    let moved = workflow::migrate(&context, args.to.as_deref()).await?;
    show::moved(ui, &moved, "applied");
    behind::tidy(global);
    Ok(())
}

pub(super) async fn rollback(ui: &Ui, global: &Global, args: args::Rollback) -> Result<()> {
    let context = context(ui, global)?;
    let (sql, save) = (args.sql, !args.no_snapshot);
    let how_far = how_far(args)?;
    if sql {
        chain::sql(ui, &workflow::down_sql(&context, &how_far).await?);
        return Ok(());
    }
    let moved = workflow::rollback(&context, &how_far, save).await?;
    show::moved(ui, &moved, "rolled back");
    Ok(())
}

pub(super) async fn merge(ui: &Ui, global: &Global, message: &str) -> Result<()> {
    let context = context(ui, global)?;
    let file = workflow::merge(&context, message).await?;
    chain::merged(ui, &file, &context.config().project.root);
    Ok(())
}

fn how_far(args: args::Rollback) -> Result<Rollback> {
    Ok(match (args.steps, args.to, args.base) {
        (Some(0), _, _) => {
            return Err(Error::usage("--steps 0 takes nothing back").hint("begin with --steps 1"));
        }
        (_, Some(to), _) => Rollback::To(to),
        (_, _, true) => Rollback::Base,
        (steps, ..) => Rollback::Steps(steps.unwrap_or(1)),
    })
}

//! Two schemas beside each other: drift, diff, schema.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::super::args::{self, DriftSql, Global, GraphFormat};
use super::super::show;
use super::super::ui::Ui;
use super::{context, current_folder, now};
use crate::config::Target;
use crate::error::{Error, ErrorKind, Named, Result};
use crate::report;
use crate::schema::HazardKind;
use crate::workflow::{self, Ask, Context, Decisions, DiffOptions, Dump, Filter, Side};

pub(super) async fn schema(ui: &Ui, global: &Global, args: args::Schema) -> Result<()> {
    let here = current_folder()?;
    let context = context(ui, global)?;
    match args {
        args::Schema::Dump(args) => {
            let side = Side::parse(&args.side, &here)?;
            let dump = workflow::dump(&context, &side, &Filter::new(args.filter)).await?;
            match args.split {
                Some(folder) => write_parts(&here.join(folder), &dump)?,
                None if ui.json => ui.print_json(&dump),
                None => ui.data(dump.sql.trim_end()),
            }
            show::unmodelled(ui, &dump.unmodelled);
        }
        args::Schema::Graph(args) => {
            let side = Side::parse(&args.side, &here)?;
            let graph = workflow::graph(&context, &side, &Filter::new(args.filter)).await?;
            match args.format {
                _ if ui.json => ui.print_json(&graph),
                GraphFormat::Mermaid => ui.data(report::mermaid(&graph).trim_end()),
                GraphFormat::Dot => ui.data(report::dot(&graph).trim_end()),
            }
        }
    }
    Ok(())
}

pub(super) async fn drift(ui: &Ui, context: &Context, args: args::Drift) -> Result<ExitCode> {
    let against = args.against.as_deref().map(Target::parse).transpose()?;
    let filter = Filter::new(args.filter);
    let drift = workflow::drift(context, against.as_ref(), &filter).await?;
    if let Some(message) = args.as_migration {
        let files = workflow::keep_drift(context, &drift, &message, &now())?;
        show::files(ui, &files, &context.config().project.root);
        return Ok(ExitCode::SUCCESS);
    }
    match args.sql {
        Some(DriftSql::Remove) => ui.data(drift.remove.trim_end()),
        Some(DriftSql::Keep) => ui.data(drift.keep.trim_end()),
        None => show::drift(ui, &drift),
    }
    Ok(found(!drift.is_none()))
}

pub(super) async fn diff(ui: &Ui, context: &Context, args: args::Diff) -> Result<ExitCode> {
    let here = current_folder()?;
    let options = DiffOptions {
        filter: Filter::new(args.filter),
        deny: hazards(&args.plan.deny)?,
        online: args.plan.online,
        prove: !args.no_proof,
        html: args.html.is_some(),
        renames: decisions(ui, context, &args.plan.rename)?,
    };
    let (from, to) = (
        Side::parse(&args.from, &here)?,
        Side::parse(&args.to, &here)?,
    );
    let difference = workflow::diff(context, &from, &to, &options).await?;
    if let (Some(file), Some(html)) = (&args.html, &difference.html) {
        std::fs::write(here.join(file), html)
            .named(format_args!("cannot write {}", file.display()))?;
    }
    if let Some(problem) = difference.problem {
        return Err(problem);
    }
    show::difference(ui, &difference, args.summary);
    Ok(found(args.exit_code && !difference.plan.is_empty()))
}

/// The exit code of a command that looks for a difference.
fn found(found: bool) -> ExitCode {
    match found {
        true => ExitCode::from(ErrorKind::Differs.exit_code()),
        false => ExitCode::SUCCESS,
    }
}

pub(in crate::cli) fn hazards(names: &[String]) -> Result<Vec<HazardKind>> {
    names.iter().map(|name| hazard(name)).collect()
}

fn hazard(name: &str) -> Result<HazardKind> {
    let kinds = HazardKind::ALL;
    kinds
        .iter()
        .copied()
        .find(|k| k.name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = kinds.iter().map(|k| k.name()).collect();
            Error::usage(format!("--deny {name}: there is no such hazard"))
                .hint(format!("hazards are {}", names.join(", ")))
        })
}

/// What `--rename`, `devdb.renames` and, on a terminal, the user say.
pub(super) fn decisions(ui: &Ui, context: &Context, typed: &[String]) -> Result<Decisions> {
    let ask = ui.clone();
    let ask: Option<Ask> = ui.can_ask().then(|| -> Ask {
        Arc::new(move |rename| ask.choose(&format!("Is this a rename: {rename}?")))
    });
    Decisions::new(typed, &context.config().project.root, ask)
}

fn write_parts(folder: &Path, dump: &Dump) -> Result<()> {
    for (name, text) in &dump.files {
        let path = folder.join(name);
        let what = format!("cannot write {}", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).named(&what)?;
        std::fs::write(&path, text).named(&what)?;
    }
    Ok(())
}

//! Databases beside the dev database: baselines, snapshots, branches, clones, and what lends them.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::args::{self, Global};
use super::super::ui::Ui;
use super::super::{behind, kept, show};
use super::{context, current_folder, surroundings};
use crate::config::{self, Surroundings};
use crate::error::{Error, Result};
use crate::serve::{self, ServeOptions};
use crate::workflow::{self, BakeOptions, Context, PoolOptions, RunOptions, SwitchOptions};

pub(super) async fn baseline(ui: &Ui, global: &Global, args: args::Baseline) -> Result<()> {
    let context = context(ui, global)?;
    match args {
        args::Baseline::List => kept::baselines(ui, &workflow::baselines(&context).await?),
        args::Baseline::Prune { keep } => {
            kept::pruned(ui, &workflow::prune_baselines(&context, keep).await?);
        }
    }
    Ok(())
}

pub(super) async fn run(ui: &Ui, mut global: Global, args: args::Run) -> Result<ExitCode> {
    let own_server = takes_own_server(&mut global);
    let options = RunOptions {
        databases: args.databases,
        seed: seed(&args.content)?,
        from: args.content.from,
        own_server,
        keep_on_failure: args.keep_on_failure,
    };
    let end = workflow::run(&context(ui, &global)?, &args.command, &options).await?;
    kept::run_end(ui, &end);
    if end.took_spare {
        behind::tidy(&global);
    }
    Ok(ExitCode::from(u8::try_from(end.exit_code).unwrap_or(1)))
}

pub(super) async fn bake(ui: &Ui, global: &Global, args: args::Bake) -> Result<()> {
    let here = current_folder()?;
    let options = BakeOptions {
        name_only: args.name,
        again: args.again,
        push: args.push,
        export: args.export.map(|file| here.join(file)),
    };
    let baked = workflow::bake(&context(ui, global)?, &options).await?;
    kept::baked(ui, &baked);
    Ok(())
}

pub(super) async fn clone(ui: &Ui, global: &Global, args: args::CloneArgs) -> Result<()> {
    let options = RunOptions {
        seed: seed(&args.content)?,
        from: args.content.from,
        ..RunOptions::default()
    };
    let context = context(ui, global)?;
    let (name, url) = workflow::clone(&context, args.name.as_deref(), args.ttl, &options).await?;
    kept::cloned(ui, &name, &url);
    Ok(())
}

/// Without a name: what there is to drop.
pub(super) async fn drop_clone(ui: &Ui, global: &Global, name: Option<&str>) -> Result<()> {
    let context = context(ui, global)?;
    let Some(name) = name else {
        kept::clones(ui, &workflow::clones(&context).await?);
        return Ok(());
    };
    workflow::drop_clone(&context, name).await?;
    ui.say(&format!("dropped {name}"));
    Ok(())
}

pub(super) async fn switch(ui: &Ui, global: &Global, args: args::Switch) -> Result<()> {
    let options = SwitchOptions {
        branch: args.branch,
        clean: args.clean,
        copy: args.copy,
        only_where_it_runs: args.hook,
    };
    let switched = workflow::switch(&context(ui, global)?, &options).await?;
    if !args.hook || switched.left.is_some() {
        kept::switched(ui, &switched);
        behind::tidy(global);
    }
    Ok(())
}

/// What others leave to it: it looks for nothing left itself, or it would start itself.
pub(super) async fn tidy(ui: &Ui, global: &Global) -> Result<()> {
    let loaded = config::load(&surroundings(global)?)?;
    let events = ui.events();
    let tidied = workflow::tidy(&Context { loaded, events }).await?;
    kept::tidied(ui, &tidied);
    Ok(())
}

pub(super) async fn snapshot(ui: &Ui, context: &Context, args: args::Snapshot) -> Result<()> {
    let here = current_folder()?;
    match args {
        args::Snapshot::Save { name, note } => {
            let saved = workflow::save_snapshot(context, &name, note.as_deref()).await?;
            kept::snapshot(ui, &saved, "saved");
        }
        args::Snapshot::List => kept::snapshots(ui, &workflow::snapshots(context).await?),
        args::Snapshot::Restore { name, migrate } => {
            let restored = workflow::restore_snapshot(context, &name).await?;
            kept::restored(ui, &restored);
            offer_to_migrate(ui, context, &restored.pending, migrate).await?;
        }
        args::Snapshot::Rename { name, to } => {
            let renamed = workflow::rename_snapshot(context, &name, &to).await?;
            kept::snapshot(ui, &renamed, &format!("was {name}"));
        }
        args::Snapshot::Remove { name } => {
            let removed = workflow::remove_snapshot(context, &name).await?;
            kept::snapshot(ui, &removed, "removed");
        }
        args::Snapshot::Export { name, file } => {
            let file = here.join(file);
            let bytes = workflow::export_snapshot(context, &name, &file).await?;
            kept::exported(ui, &file, bytes);
        }
        args::Snapshot::Import { name, file } => {
            let imported = workflow::import_snapshot(context, &name, &here.join(file)).await?;
            kept::snapshot(ui, &imported, "imported");
        }
    }
    Ok(())
}

/// A snapshot of an older chain lacks what was written since.
async fn offer_to_migrate(
    ui: &Ui,
    context: &Context,
    pending: &[String],
    migrate: bool,
) -> Result<()> {
    if pending.is_empty() {
        return Ok(());
    }
    let question = format!(
        "It lacks {}: apply what is missing?",
        match pending {
            [one] => format!("the migration {one}"),
            more => format!("{} migrations, the first is {}", more.len(), more[0]),
        }
    );
    let agreed = migrate || ui.can_ask() && ui.choose(&question) == Some(true);
    let moved = match agreed {
        true => Some(workflow::migrate(context, None).await?),
        false => None,
    };
    match moved {
        _ if ui.json => {}
        Some(moved) => show::moved(ui, &moved, "applied"),
        None => ui.say(&format!(
            "it lacks {}: `devdb migrate` applies what is missing",
            show::count(pending.len(), "migration")
        )),
    }
    Ok(())
}

pub(super) async fn serve(ui: &Ui, mut global: Global, args: args::Serve) -> Result<()> {
    let own_server = takes_own_server(&mut global);
    // Here it is clients that look for a port. IntegreSQL's own is 5000.
    let port = global.port.take().unwrap_or_else(|| "5000".into());
    let port = port.parse().map_err(|_| {
        Error::usage(format!("--port {port}: not a port to listen on"))
            .hint("give a number up to 65535; 0 takes a port that is free")
    })?;
    let cpus = std::thread::available_parallelism().map_or(2, |n| n.get());
    let ahead = args.pool.unwrap_or((2 * cpus).clamp(4, 16));
    let options = ServeOptions {
        address: args.address,
        port,
        token: args.token.or_else(Surroundings::serve_token),
        pool: PoolOptions {
            ahead,
            max: args.max.unwrap_or((4 * ahead).max(64)),
            workers: args.jobs,
            wait: args.wait,
            lease: args.lease,
            own_server,
        },
        while_stdin: args.while_stdin,
    };
    let context = context(ui, &global)?;
    serve::serve(&context, options, |listening| {
        kept::listening(ui, listening)
    })
    .await
}

/// One more kind of server, which only what ends can have: one that ends with it.
fn takes_own_server(global: &mut Global) -> bool {
    let own_server = global.server.as_deref() == Some("ephemeral");
    if own_server {
        global.server = None;
    }
    own_server
}

/// The SQL file that is to run before.
fn seed(content: &args::Content) -> Result<Option<PathBuf>> {
    let here = current_folder()?;
    Ok(content.seed.as_ref().map(|file| here.join(file)))
}

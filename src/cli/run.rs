//! From arguments to workflows to output and exit code.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};

use super::args::{self, Cli, Command, DriftSql, EnvFormat, Global, GraphFormat};
use super::ui::Ui;
use super::{behind, chain, check, kept, show};
use crate::config::{self, Surroundings, Target};
use crate::error::{Error, ErrorKind, Named, Result};
use crate::fault;
use crate::migrations::Rollback;
use crate::migrations::alembic::Place;
use crate::report;
use crate::schema::HazardKind;
use crate::serve::{self, ServeOptions};
use crate::workflow::{
    self, Ask, BakeOptions, Context, Decisions, DiffOptions, Dump, Filter, GenerateOptions,
    PoolOptions, RunOptions, Side, SwitchOptions,
};

/// The whole program.
pub fn main() -> ExitCode {
    // SAFETY: nothing has started a thread yet.
    unsafe { Surroundings::forget_session_options() };
    fault::die_at(Surroundings::fault());
    let cli = Cli::parse();
    let ui = Ui::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            ui.error(&Error::failed(format!("cannot start: {e}")));
            return ExitCode::FAILURE;
        }
    };
    // Interrupting is how one stops following a log.
    let follows = matches!(&cli.command, Command::Logs(args) if args.follow);
    // What runs a command leaves it to that what an interruption means; a pool is dropped first.
    let attends = matches!(&cli.command, Command::Run(_) | Command::Serve(_));
    let result = runtime.block_on(async {
        tokio::select! {
            result = run(&ui, cli) => result,
            _ = interrupted(), if follows => Ok(ExitCode::SUCCESS),
            signal = interrupted(), if !attends => Err(Error::new(
                ErrorKind::Interrupted,
                format!("interrupted by {signal}"),
            )
            .hint("nothing is lost: the next devdb command finishes or takes back what was under way")),
        }
    });
    // A wait that nobody needs any more, such as for the lock, must not hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

fn surroundings(global: &Global) -> Result<Surroundings> {
    let here = current_folder()?;
    let folder = match &global.project {
        None => here.clone(),
        Some(folder) => {
            let folder = here.join(folder);
            folder.canonicalize().map_err(|e| {
                Error::usage(format!("--project {}: {e}", folder.display()))
                    .hint("name the folder of the project")
            })?
        }
    };
    let mut surroundings = Surroundings::of_process(folder);
    surroundings.file = global.config.as_ref().map(|file| here.join(file));
    let mut flag = |key, value: &Option<String>, flag: &str| {
        if let Some(value) = value {
            surroundings.flags.push((key, value.clone(), flag.into()));
        }
    };
    flag("server.kind", &global.server, "--server");
    flag("server.image", &global.image, "--image");
    flag("server.port", &global.port, "--port");
    flag("database.name", &global.database, "--database");
    Ok(surroundings)
}

fn context(ui: &Ui, global: &Global) -> Result<Context> {
    let loaded = config::load(&surroundings(global)?)?;
    let context = Context {
        loaded,
        events: ui.events(),
    };
    if workflow::is_anything_left(&context) {
        behind::tidy(global);
    }
    for skipped in &context.loaded.skipped {
        context.events.detail(skipped.clone());
    }
    Ok(context)
}

/// Without a devdb.toml the user should see what devdb took from where, in the commands that one
/// begins with.
fn tell_found(context: &Context) {
    if context.loaded.file.is_some() || context.loaded.found.is_empty() {
        return;
    }
    for found in &context.loaded.found {
        context.events.note(found.clone());
    }
    context.events.note("`devdb init` writes this down");
}

async fn run(ui: &Ui, cli: Cli) -> Result<ExitCode> {
    let global = &cli.global;
    match cli.command {
        Command::Ready => {
            let context = context(ui, global)?;
            tell_found(&context);
            let ready = workflow::ready(&context).await?;
            show::ready(ui, &ready);
            if !ready.was_ready {
                behind::tidy(global);
            }
        }
        Command::Reset(args) => {
            let context = context(ui, global)?;
            let question = format!(
                "Reset {} ({})? Its data is put aside; `devdb undo` brings it back",
                context.config().database.name,
                context.config().project.root.display()
            );
            ui.confirm(&question, args.yes, "devdb does not reset a dev database")?;
            let options = workflow::ResetOptions {
                adopt: args.adopt,
                full: args.full,
                to: args.to,
                verify: args.verify,
            };
            let reset = workflow::reset(&context, &options).await?;
            show::reset(ui, &reset);
            behind::tidy(global);
        }
        Command::Baseline(args::Baseline::List) => {
            let found = workflow::baselines(&context(ui, global)?).await?;
            kept::baselines(ui, &found);
        }
        Command::Baseline(args::Baseline::Prune { keep }) => {
            let gone = workflow::prune_baselines(&context(ui, global)?, keep).await?;
            kept::pruned(ui, &gone);
        }
        Command::Run(args) => {
            let mut global = global.clone();
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
            return Ok(ExitCode::from(u8::try_from(end.exit_code).unwrap_or(1)));
        }
        Command::Serve(args) => serve(ui, global.clone(), args).await?,
        Command::Bake(args) => {
            let here = current_folder()?;
            let options = BakeOptions {
                name_only: args.name,
                again: args.again,
                push: args.push,
                export: args.export.map(|file| here.join(file)),
            };
            let baked = workflow::bake(&context(ui, global)?, &options).await?;
            kept::baked(ui, &baked);
        }
        Command::Clone(args) => {
            let options = RunOptions {
                seed: seed(&args.content)?,
                from: args.content.from,
                ..RunOptions::default()
            };
            let context = context(ui, global)?;
            let (name, url) =
                workflow::clone(&context, args.name.as_deref(), args.ttl, &options).await?;
            kept::cloned(ui, &name, &url);
        }
        Command::Drop { name: None } => {
            kept::clones(ui, &workflow::clones(&context(ui, global)?).await?);
        }
        Command::Drop { name: Some(name) } => {
            workflow::drop_clone(&context(ui, global)?, &name).await?;
            ui.say(&format!("dropped {name}"));
        }
        Command::Snapshot(args) => {
            snapshot(ui, &context(ui, global)?, args).await?;
            behind::tidy(global);
        }
        Command::Switch(args) => {
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
        }
        Command::Tidy => {
            let loaded = config::load(&surroundings(global)?)?;
            let events = ui.events();
            let tidied = workflow::tidy(&Context { loaded, events }).await?;
            kept::tidied(ui, &tidied);
        }
        Command::Undo => {
            let undone = workflow::undo(&context(ui, global)?).await?;
            show::undone(ui, &undone);
            behind::tidy(global);
        }
        Command::Generate(args) => {
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
                    rev_id: args.rev_id.clone(),
                    head: args.head.clone(),
                    splice: args.splice,
                    branch_label: args.branch_label.clone(),
                    version_path: args.version_path.clone(),
                },
                now: now(),
            };
            let generated = workflow::generate(&context, &args.message, &options).await?;
            show::generated(ui, &generated, &context.config().project.root);
            if !generated.proved {
                return Ok(ExitCode::from(ErrorKind::Unproved.exit_code()));
            }
        }
        Command::Check(args) => return check::run(ui, &context(ui, global)?, &args).await,
        Command::Migrate(args) if args.sql => {
            let sql = workflow::up_sql(&context(ui, global)?, args.to.as_deref()).await?;
            chain::sql(ui, &sql);
        }
        Command::Migrate(args) => {
            let moved = workflow::migrate(&context(ui, global)?, args.to.as_deref()).await?;
            show::moved(ui, &moved, "applied");
            behind::tidy(global);
        }
        Command::Rollback(args) if args.sql => {
            let sql = workflow::down_sql(&context(ui, global)?, &how_far(args)?).await?;
            chain::sql(ui, &sql);
        }
        Command::Rollback(args) => {
            let save = !args.no_snapshot;
            let moved = workflow::rollback(&context(ui, global)?, &how_far(args)?, save).await?;
            show::moved(ui, &moved, "rolled back");
        }
        Command::History => {
            let history = workflow::history(&context(ui, global)?).await?;
            chain::history(ui, &history);
        }
        Command::Heads => {
            let heads = workflow::heads(&context(ui, global)?).await?;
            chain::heads(ui, &heads);
        }
        Command::Show { migration } => {
            let shown = workflow::show(&context(ui, global)?, &migration).await?;
            chain::shown(ui, &shown);
        }
        Command::Merge { message } => {
            let context = context(ui, global)?;
            let file = workflow::merge(&context, &message).await?;
            chain::merged(ui, &file, &context.config().project.root);
        }
        Command::Stamp { migration } => {
            let at = workflow::stamp(&context(ui, global)?, &migration).await?;
            chain::stamped(ui, &at);
        }
        Command::Status => {
            let status = workflow::status(&context(ui, global)?).await?;
            show::status(ui, &status);
        }
        Command::Drift(args) => return drift(ui, &context(ui, global)?, args).await,
        Command::Diff(args) => return diff(ui, &context(ui, global)?, args).await,
        Command::Schema(args::Schema::Dump(args)) => {
            let here = current_folder()?;
            let side = Side::parse(&args.side, &here)?;
            let filter = Filter::new(args.filter);
            let dump = workflow::dump(&context(ui, global)?, &side, &filter).await?;
            match args.split {
                Some(folder) => write_parts(&here.join(folder), &dump)?,
                None if ui.json => ui.print_json(&dump),
                None => ui.data(dump.sql.trim_end()),
            }
            show::unmodelled(ui, &dump.unmodelled);
        }
        Command::Schema(args::Schema::Graph(args)) => {
            let side = Side::parse(&args.side, &current_folder()?)?;
            let filter = Filter::new(args.filter);
            let graph = workflow::graph(&context(ui, global)?, &side, &filter).await?;
            match args.format {
                _ if ui.json => ui.print_json(&graph),
                GraphFormat::Mermaid => ui.data(report::mermaid(&graph).trim_end()),
                GraphFormat::Dot => ui.data(report::dot(&graph).trim_end()),
            }
        }
        Command::Up => {
            let up = workflow::up(&context(ui, global)?).await?;
            show::up(ui, &up);
        }
        Command::Down(args) => {
            let context = context(ui, global)?;
            if args.wipe {
                let question = format!(
                    "Delete all data of {}, also what was put aside? This cannot be undone",
                    context.config().project.name
                );
                ui.confirm(&question, args.yes, "devdb does not delete data")?;
            }
            let left = workflow::down(&context, args.wipe).await?;
            show::down(ui, left);
        }
        Command::Logs(args) => {
            let context = context(ui, global)?;
            let lines = ui.clone();
            workflow::logs(&context, args.follow, args.tail, move |line| {
                lines.data(line)
            })
            .await?;
        }
        Command::Url(args) => {
            let target = workflow::url(&context(ui, global)?).await?;
            show::url(ui, &target.url(&args.scheme));
        }
        Command::Env(args) => {
            let variables = workflow::variables(&context(ui, global)?).await?;
            show::variables(ui, &variables, args.format == EnvFormat::Shell);
        }
        Command::Psql(args) => {
            let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
            let context = context(ui, global)?;
            let command = workflow::psql(&context, &args.arguments, terminal).await?;
            return Err(replace_process(command));
        }
        Command::Config => show::config(ui, &context(ui, global)?.loaded),
        Command::Init(args) => {
            let context = context(ui, global)?;
            if args.git_hook {
                let file = workflow::install_hook(&context)?;
                ui.say(&format!(
                    "git switches databases from now on: {}",
                    file.display()
                ));
                return Ok(ExitCode::SUCCESS);
            }
            let init = workflow::init(&context, args.force).await?;
            show::init(ui, &init);
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "devdb", &mut script);
            ui.data(String::from_utf8_lossy(&script).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One more kind of server, which only what ends can have: one that ends with it.
fn takes_own_server(global: &mut Global) -> bool {
    let own_server = global.server.as_deref() == Some("ephemeral");
    if own_server {
        global.server = None;
    }
    own_server
}

async fn serve(ui: &Ui, mut global: Global, args: args::Serve) -> Result<()> {
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

/// The SQL file that is to run before.
fn seed(content: &args::Content) -> Result<Option<PathBuf>> {
    let here = current_folder()?;
    Ok(content.seed.as_ref().map(|file| here.join(file)))
}

async fn snapshot(ui: &Ui, context: &Context, args: args::Snapshot) -> Result<()> {
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

async fn drift(ui: &Ui, context: &Context, args: args::Drift) -> Result<ExitCode> {
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

async fn diff(ui: &Ui, context: &Context, args: args::Diff) -> Result<ExitCode> {
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

pub(super) fn hazards(names: &[String]) -> Result<Vec<HazardKind>> {
    names.iter().map(|name| hazard(name)).collect()
}

/// What `--rename`, `devdb.renames` and, on a terminal, the user say.
fn decisions(ui: &Ui, context: &Context, typed: &[String]) -> Result<Decisions> {
    let ask = ui.clone();
    let ask: Option<Ask> = ui.can_ask().then(|| -> Ask {
        Arc::new(move |rename| ask.choose(&format!("Is this a rename: {rename}?")))
    });
    Decisions::new(typed, &context.config().project.root, ask)
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

fn write_parts(folder: &Path, dump: &Dump) -> Result<()> {
    for (name, text) in &dump.files {
        let path = folder.join(name);
        let what = format!("cannot write {}", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).named(&what)?;
        std::fs::write(&path, text).named(&what)?;
    }
    Ok(())
}

fn current_folder() -> Result<PathBuf> {
    std::env::current_dir().named("cannot tell the current folder")
}

/// In UTC, as sqlx names its files.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string()
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

/// Becomes the other program, so that terminal, signals and exit code are its own. Returns only
/// where that fails.
fn replace_process(command: crate::server::Command) -> Error {
    use std::os::unix::process::CommandExt;
    let failure = std::process::Command::new(&command.program)
        .args(&command.args)
        .envs(command.env)
        .exec();
    Error::failed(format!(
        "cannot run {}: {failure}",
        PathBuf::from(&command.program).display()
    ))
    .hint("install psql (Debian: postgresql-client)")
}

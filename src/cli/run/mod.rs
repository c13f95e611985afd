//! From arguments to workflows to output and exit code.

mod chain;
mod compare;
mod kept;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use super::args::{Cli, Command, EnvFormat, Global};
use super::ui::Ui;
use super::{behind, check, show};
use crate::config::{self, Surroundings};
use crate::error::{Error, ErrorKind, Named, Result};
use crate::fault;
use crate::workflow::{self, Context};

pub(super) use compare::hazards;

/// The whole program.
pub fn main() -> ExitCode {
    // SAFETY: nothing has started a thread yet.
    unsafe { Surroundings::forget_session_options() };
    fault::die_at(Surroundings::fault());
    let cli = Cli::parse();
    let ui = Ui::new(&cli.global);
    let runtime = match runtime(&cli.command) {
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

/// One thread spares a switch between two for each answer of the server, which is most of what a short
/// command does. What reads two schemas at once or serves many clients wants more.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Serve(_)
        | Command::Diff(_)
        | Command::Drift(_)
        | Command::Check(_)
        | Command::Generate(_)
        | Command::Schema(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.worker_threads(2).enable_all().build()
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
    let here = || context(ui, global);
    match cli.command {
        Command::Ready => server::ready(ui, global).await?,
        Command::Reset(args) => server::reset(ui, global, args).await?,
        Command::Undo => server::undo(ui, global).await?,
        Command::Up => show::up(ui, &workflow::up(&here()?).await?),
        Command::Down(args) => server::down(ui, global, args).await?,
        Command::Status => show::status(ui, &workflow::status(&here()?).await?),
        Command::Logs(args) => server::logs(ui, global, args).await?,
        Command::Url(args) => {
            let target = workflow::url(&here()?).await?;
            show::url(ui, &target.url(&args.scheme));
        }
        Command::Env(args) => {
            let variables = workflow::variables(&here()?).await?;
            show::variables(ui, &variables, args.format == EnvFormat::Shell);
        }
        Command::Psql(args) => server::psql(ui, global, args).await?,
        Command::Config => show::config(ui, &here()?.loaded),
        Command::Init(args) => server::init(ui, global, args).await?,

        Command::Generate(args) => return chain::generate(ui, global, args).await,
        Command::Migrate(args) => chain::migrate(ui, global, args).await?,
        Command::Rollback(args) => chain::rollback(ui, global, args).await?,
        Command::History => super::chain::history(ui, &workflow::history(&here()?).await?),
        Command::Heads => super::chain::heads(ui, &workflow::heads(&here()?).await?),
        Command::Show { migration } => {
            super::chain::shown(ui, &workflow::show(&here()?, &migration).await?);
        }
        Command::Merge { message } => chain::merge(ui, global, &message).await?,
        Command::Stamp { migration } => {
            super::chain::stamped(ui, &workflow::stamp(&here()?, &migration).await?);
        }

        Command::Check(args) => return check::run(ui, &here()?, &args).await,
        Command::Drift(args) => return compare::drift(ui, &here()?, args).await,
        Command::Diff(args) => return compare::diff(ui, &here()?, args).await,
        Command::Schema(args) => compare::schema(ui, global, args).await?,

        Command::Baseline(args) => kept::baseline(ui, global, args).await?,
        Command::Snapshot(args) => {
            kept::snapshot(ui, &here()?, args).await?;
            behind::tidy(global);
        }
        Command::Switch(args) => kept::switch(ui, global, args).await?,
        Command::Run(args) => return kept::run(ui, global.clone(), args).await,
        Command::Clone(args) => kept::clone(ui, global, args).await?,
        Command::Drop { name } => kept::drop_clone(ui, global, name.as_deref()).await?,
        Command::Serve(args) => kept::serve(ui, global.clone(), args).await?,
        Command::Bake(args) => kept::bake(ui, global, args).await?,
        Command::Tidy => kept::tidy(ui, global).await?,

        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "devdb", &mut script);
            ui.data(String::from_utf8_lossy(&script).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn current_folder() -> Result<PathBuf> {
    std::env::current_dir().named("cannot tell the current folder")
}

/// In UTC, as sqlx names its files.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string()
}

//! The server and the dev database in it.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::super::args::{self, Global};
use super::super::ui::Ui;
use super::super::{behind, show};
use super::{context, tell_found};
use crate::error::{Error, Result};
use crate::workflow;

pub(super) async fn ready(ui: &Ui, global: &Global) -> Result<()> {
    let context = context(ui, global)?;
    tell_found(&context);
    let ready = workflow::ready(&context).await?;
    show::ready(ui, &ready);
    if !ready.was_ready {
        behind::tidy(global);
    }
    Ok(())
}

pub(super) async fn reset(ui: &Ui, global: &Global, args: args::Reset) -> Result<()> {
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
    Ok(())
}

pub(super) async fn undo(ui: &Ui, global: &Global) -> Result<()> {
    let undone = workflow::undo(&context(ui, global)?).await?;
    show::undone(ui, &undone);
    behind::tidy(global);
    Ok(())
}

pub(super) async fn down(ui: &Ui, global: &Global, args: args::Down) -> Result<()> {
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
    Ok(())
}

pub(super) async fn logs(ui: &Ui, global: &Global, args: args::Logs) -> Result<()> {
    let lines = ui.clone();
    let each = move |line: &str| lines.data(line);
    workflow::logs(&context(ui, global)?, args.follow, args.tail, each).await
}

/// Returns only where psql cannot be run.
pub(super) async fn psql(ui: &Ui, global: &Global, args: args::Psql) -> Result<()> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let command = workflow::psql(&context(ui, global)?, &args.arguments, terminal).await?;
    Err(replace_process(command))
}

pub(super) async fn init(ui: &Ui, global: &Global, args: args::Init) -> Result<()> {
    let context = context(ui, global)?;
    if args.git_hook {
        let file = workflow::install_hook(&context)?;
        ui.say(&format!(
            "git switches databases from now on: {}",
            file.display()
        ));
        return Ok(());
    }
    let init = workflow::init(&context, args.force).await?;
    show::init(ui, &init);
    Ok(())
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

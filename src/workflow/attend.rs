//! A child process that takes this one's place for everybody outside: its signals and its exit code.

use std::process::Stdio;

use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::databases::Scratch;
use crate::error::{Error, Named, Result};

use super::Context;

/// Those that somebody sends to this process and means the command. Of the last three the terminal
/// sends one to the command as well.
const SIGNALS: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
];

/// Runs the command to its end; gives its exit code.
///
/// # Errors
/// `Usage` where it cannot be started.
pub(super) async fn attend(
    context: &Context,
    command: &[String],
    databases: &[Scratch],
) -> Result<i32> {
    let [program, arguments @ ..] = command else {
        return Err(Error::usage("there is no command to run").hint("devdb run -- pytest"));
    };
    let mut child = Command::new(program);
    child.args(arguments).stdin(Stdio::inherit());
    if let Some(first) = databases.first() {
        child.envs(context.variables(&first.target));
        child.env("DEVDB_URL", first.target.url("postgresql"));
    }
    for (at, scratch) in databases.iter().enumerate() {
        child.env(
            format!("DEVDB_URL_{}", at + 1),
            scratch.target.url("postgresql"),
        );
    }
    let what = format!("cannot run {program}");
    // Before there is a command: from then on a signal is meant for it.
    let mut signals = SelectAll::new();
    for kind in SIGNALS {
        let received = signal(SignalKind::from_raw(kind as i32)).named(&what)?;
        signals.push(Box::pin(futures_util::stream::unfold(
            received,
            move |mut received| async move { received.recv().await.map(|()| (kind, received)) },
        )));
    }
    let mut child = child.spawn().map_err(|e| {
        Error::usage(format!("{what}: {e}")).hint("name a program after --: devdb run -- pytest")
    })?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(exit_code(status.named(&what)?)),
            Some(signal) = signals.next() => {
                let of_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP);
                if !of_terminal || !in_foreground() {
                    forward(&child, signal);
                }
            }
        }
    }
}

/// Whether Ctrl-C reaches this process and the command alike.
fn in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(&terminal) == Ok(getpgrp()))
}

fn forward(child: &Child, signal: Signal) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // Fails only where it has ended already.
        let _ = kill(Pid::from_raw(id), signal);
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(1)
}

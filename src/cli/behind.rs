//! What is done behind the user's back once a command is through.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::args::Global;

/// Starts `devdb tidy` for the same project, and does not wait for it. Only speed is lost where
/// that cannot be.
pub fn tidy(global: &Global) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut command = Command::new(program);
    command.args(["tidy", "--quiet"]);
    if let Some(folder) = &global.project {
        command.arg("--project").arg(folder);
    }
    if let Some(file) = &global.config {
        command.arg("--config").arg(file);
    }
    for (flag, value) in [
        ("--server", &global.server),
        ("--image", &global.image),
        ("--port", &global.port),
        ("--database", &global.database),
    ] {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    // A group of its own: Ctrl-C on the next command is not meant for it.
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .env_remove("DEVDB_TEST_FAULT")
        .spawn();
    drop(started);
}

//! A postmaster that outlives devdb: recognised by its data directory.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Named as _, Result};

/// What `postmaster.pid` says of a server that runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Process {
    pub pid: i32,
    pub started: Option<Timestamp>,
    /// `None` in the first moments.
    pub port: Option<u16>,
}

/// The server that runs on this data directory.
pub(super) fn find(data: &Path) -> Option<Process> {
    let process = read(data)?;
    is_postmaster(process.pid, data).then_some(process)
}

fn read(data: &Path) -> Option<Process> {
    let text = std::fs::read_to_string(pid_file(data)).ok()?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let number = |index: usize| lines.get(index)?.parse::<i64>().ok();
    Some(Process {
        // Negative for a single-user server.
        pid: i32::try_from(number(0)?.abs()).ok()?,
        started: number(2).and_then(|at| Timestamp::from_second(at).ok()),
        port: number(3).and_then(|port| u16::try_from(port).ok()),
    })
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Whether this number belongs to the server of this data directory: after a crash or a restart
/// of the machine it may be anybody's.
fn is_postmaster(pid: i32, data: &Path) -> bool {
    if !is_alive(pid) {
        return false;
    }
    // A postmaster works in its data directory. Where the system does not tell, a living process
    // with the right number is taken for it.
    match std::fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) => data.canonicalize().is_ok_and(|data| folder == data),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => true,
        // A process that has ended and was not waited for yet has none.
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

fn is_alive(pid: i32) -> bool {
    matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// Removes a `postmaster.pid` whose number belongs to another living process by now: Postgres
/// would refuse to start. All other stale files it recognises by itself.
pub(super) fn clear_stale(data: &Path) -> Result<()> {
    match read(data) {
        Some(stale) if is_alive(stale.pid) && !is_postmaster(stale.pid, data) => {
            let file = pid_file(data);
            std::fs::remove_file(&file).named(format_args!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Ends the children that a killed postmaster left behind: one that waits for a lock or for the disk
/// does not notice the death of its parent. For the data it is the one crash that it is anyway.
pub(super) fn end_orphans(data: &Path) {
    let Ok(data) = data.canonicalize() else {
        return;
    };
    if find(&data).is_some() {
        return;
    }
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let (folder, name) = (entry.path(), entry.file_name());
        // A postmaster is called by its command line, which begins with a path.
        let is_child = || {
            let title = std::fs::read(folder.join("cmdline"));
            title.is_ok_and(|title| title.starts_with(b"postgres: "))
        };
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
            && std::fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd == data)
            && is_child()
        {
            // It may have ended meanwhile.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_number_is_no_server() {
        let dir = tempfile::tempdir().unwrap();
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let text = format!("{}\n/x\n1700000000\n5432\n", other.id());
        std::fs::write(dir.path().join("postmaster.pid"), text).unwrap();
        assert_eq!(read(dir.path()).unwrap().port, Some(5432));
        if cfg!(target_os = "linux") {
            assert_eq!(find(dir.path()), None);
            clear_stale(dir.path()).unwrap();
            assert!(!dir.path().join("postmaster.pid").exists());
        }
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

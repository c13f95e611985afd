//! What runs of a container that the engine takes for stopped. An engine that is killed at the wrong
//! moment forgets that it started one, and refuses to start it again for as long as that runs. Its
//! data must not get a second server meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::InspectContainerOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long Postgres may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Ends what runs of the container `name` although the engine takes it for stopped, where the engine
/// runs on this machine and we may; returns when it is gone.
pub(super) async fn end(docker: &Docker, name: &str) {
    let inspected = docker.inspect_container(name, None::<InspectContainerOptions>);
    let Ok(inspected) = inspected.await else {
        return;
    };
    let runs = inspected.state.and_then(|state| state.running);
    let Some(id) = inspected.id.filter(|_| runs != Some(true)) else {
        return;
    };
    let begun = Instant::now();
    while let Some(pid) = first_process(&id) {
        // The first is what Postgres takes for a fast shutdown; an entry point does not heed it.
        let signal = match begun.elapsed() < GRACE {
            true => Signal::SIGINT,
            false => Signal::SIGKILL,
        };
        if kill(Pid::from_raw(pid), signal).is_err() || begun.elapsed() > 2 * GRACE {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The one that is 1 in its own namespace.
fn first_process(id: &str) -> Option<i32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
        let is_first = |status: String| {
            let mut lines = status.lines();
            let inside = lines.find_map(|line| line.strip_prefix("NSpid:"));
            inside.and_then(|pids| pids.split_whitespace().nth(1)) == Some("1")
        };
        read("cgroup").is_ok_and(|cgroup| cgroup.contains(id)) && read("status").is_ok_and(is_first)
    })
}

//! Who something was made for, in a form that another process can find dead: containers and volumes
//! of one command carry it on a label, sessions in their name.

use std::path::Path;

use sha2::{Digest as _, Sha256};

/// This process: the boot of its machine, its pid namespace, its pid, and when that started. `None`
/// where the system does not tell (only Linux does); files that are locked then have to do.
pub(crate) fn this() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {pid} {}", world()?, started(pid)?))
}

/// Whether that process is known to have ended. One of another machine, or behind another pid
/// namespace, is not known about.
pub(crate) fn is_dead(owner: &str) -> bool {
    let Some(rest) = world().and_then(|world| owner.strip_prefix(&world)) else {
        return false;
    };
    let mut words = rest.split_whitespace();
    match (words.next().and_then(|pid| pid.parse().ok()), words.next()) {
        (Some(pid), Some(then)) => started(pid).is_none_or(|now| now != then),
        _ => false,
    }
}

/// Eight hex digits for where this process' pid means something. Whoever has other ones is not known
/// to be dead by his pid, however near his server looks: a tunnel may lead anywhere.
pub(crate) fn neighbourhood() -> Option<String> {
    let digest = Sha256::digest(world()?);
    Some(digest.iter().take(4).map(|b| format!("{b:02x}")).collect())
}

/// Within which pids mean something.
fn world() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// In ticks since the boot: a pid that is given out again started later. A zombie has ended.
fn started(pid: u32) -> Option<String> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name before may hold anything, also brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_told_from_the_living_and_from_strangers() {
        let me = this().unwrap();
        assert!(!is_dead(&me));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let owner = format!(
            "{} {} {}",
            world().unwrap(),
            child.id(),
            started(child.id()).unwrap()
        );
        assert!(!is_dead(&owner));
        child.kill().unwrap();
        // Not waited for: it is a zombie by now.
        while !is_dead(&owner) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(is_dead(&owner));
        // The same pid, started at another time.
        let (rest, _) = me.rsplit_once(' ').unwrap();
        assert!(is_dead(&format!("{rest} 1")));
        assert!(!is_dead("another-boot pid:[1] 4711 1"));
        assert!(!is_dead(""));
    }
}

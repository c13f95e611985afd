//! Ports on 127.0.0.1: a free one for a project, and who has one that is taken.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// Where automatic ports begin and end: below the ephemeral range of Linux (32768…).
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Whether a server could listen on 127.0.0.1 at this port now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A free port: the same one for the same project as long as nobody else has it. `None` where
/// the whole range is taken.
pub(crate) fn choose(project: &str, avoid: &[u16], is_free: impl Fn(u16) -> bool) -> Option<u16> {
    let hash = Sha256::digest(project.as_bytes());
    let width = RANGE.end - RANGE.start;
    let first = u16::from_be_bytes([hash[0], hash[1]]) % width;
    (0..width)
        .map(|step| RANGE.start + (first + step) % width)
        .find(|port| !avoid.contains(port) && is_free(*port))
}

/// The process that listens at this port, as `postgres (pid 4711)`, where the system tells.
pub(crate) fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&std::fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|n| n.parse::<u32>().is_ok()) else {
            continue;
        };
        // Other users' descriptors cannot be read: then it stays unknown.
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let has = descriptors
            .flatten()
            .any(|d| std::fs::read_link(d.path()).is_ok_and(|l| l == Path::new(&socket)));
        if has {
            let comm = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", comm.trim()));
        }
    }
    None
}

/// A configured port that somebody else has.
pub(crate) fn taken(port: u16, holder: Option<String>) -> Error {
    let who = holder.map_or("something else".to_string(), |holder| holder);
    Error::server(format!("port {port} is taken by {who}"))
        .hint("stop that, or set another `port` under [server] (`\"auto\"` finds a free one)")
}

/// The inode of the socket that listens at `port`, from the text of `/proc/net/tcp`.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let (_, hex) = local.rsplit_once(':')?;
        (state == "0A" && u16::from_str_radix(hex, 16) == Ok(port)).then(|| inode.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over_and_its_holder_known() {
        let first = choose("a project of this test", &[], is_free).unwrap();
        assert_eq!(choose("a project of this test", &[], is_free), Some(first));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert_ne!(choose("a project of this test", &[], is_free), Some(first));
        if cfg!(target_os = "linux") {
            let holder = holder(first).unwrap();
            assert!(holder.contains(&format!("pid {}", std::process::id())));
        }
        drop(listener);
    }

    #[test]
    fn the_table_of_the_kernel_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 12345 1 0\n";
        assert_eq!(listening_inode(table, 5432).as_deref(), Some("12345"));
        assert_eq!(listening_inode(table, 5433), None);
    }
}

//! A Docker engine that is as one on another machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::docker;
use super::python;
use super::server::image;

/// Ends with its stdin.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A second engine on 127.0.0.2, as on another machine.
pub struct SecondEngine {
    folder: tempfile::TempDir,
    _helper: Helper,
}

impl SecondEngine {
    pub fn start() -> Self {
        // A socket's path may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("e2").tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/second-engine.sh");
        let mut child = Command::new(script)
            .arg(folder.path())
            .arg(image())
            .arg(python::python())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let helper = Helper(child);
        assert_eq!(line.trim(), "ready", "scripts/second-engine.sh tells why");
        SecondEngine {
            folder,
            _helper: helper,
        }
    }

    /// The variables that lead there: `tls` or `ssh`.
    pub fn variables(&self, way: &str) -> Vec<(String, String)> {
        let file = self.folder.path().join(format!("env-{way}"));
        let text = std::fs::read_to_string(file).unwrap();
        let pairs = text.lines().map(|line| line.split_once('=').unwrap());
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    /// What `docker` says there.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let socket = format!("unix://{}/docker.sock", self.folder.path().display());
        docker::docker(&[&["--host", &socket], arguments].concat()).unwrap()
    }

    /// Kills the engine, and waits until it is there again.
    pub fn kill(&self) {
        self.kill_and(|| {});
    }

    /// The same; what it notes of this container says then that it does not run. Its processes go on.
    pub fn kill_forgetting(&self, id: &str) {
        let file = format!("data/containers/{id}/config.v2.json");
        let file = self.folder.path().join(file);
        self.kill_and(|| {
            let text = std::fs::read_to_string(&file).unwrap();
            let mut noted: serde_json::Value = serde_json::from_str(&text).unwrap();
            noted["State"]["Running"] = false.into();
            noted["State"]["Pid"] = 0.into();
            std::fs::write(&file, noted.to_string()).unwrap();
        });
    }

    /// Kills the engine and what makes a container just when it does. What `start` begins starts one.
    pub fn kill_while_it_makes_a_container(&self, start: impl FnOnce() -> Child) {
        let [hold, held] = ["hold", "held"].map(|name| self.folder.path().join(name));
        std::fs::write(&hold, "").unwrap();
        let mut started = start();
        let until = Instant::now() + Duration::from_secs(60);
        let pid = loop {
            let text = std::fs::read_to_string(&held).unwrap_or_default();
            if let Ok(pid) = text.trim().parse() {
                break nix::unistd::Pid::from_raw(pid);
            }
            assert!(Instant::now() < until, "no container is made");
            std::thread::sleep(Duration::from_millis(20));
        };
        std::fs::remove_file(hold).unwrap();
        let containerd = self.folder.path().join("exec/containerd/containerd.pid");
        let containerd = std::fs::read_to_string(containerd).unwrap();
        let containerd = nix::unistd::Pid::from_raw(containerd.trim().parse().unwrap());
        self.kill_and(|| {
            for pid in [containerd, pid] {
                // The one that starts the engine again may have been faster.
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
            }
        });
        started.wait().unwrap();
    }

    fn kill_and(&self, meanwhile: impl FnOnce()) {
        let pid = std::fs::read_to_string(self.folder.path().join("docker.pid")).unwrap();
        let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
        meanwhile();
        let until = Instant::now() + Duration::from_secs(60);
        let socket = format!("unix://{}/docker.sock", self.folder.path().display());
        let is_new = || {
            let now = std::fs::read_to_string(self.folder.path().join("docker.pid"));
            now.is_ok_and(|now| now.trim() != pid.to_string())
        };
        while !is_new() || docker::docker(&["--host", &socket, "version"]).is_err() {
            assert!(Instant::now() < until, "the engine does not come back");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

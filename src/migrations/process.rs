//! Child processes of migration tools: what they print becomes events, and the last lines are
//! kept for errors.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::event::Events;

/// Lines that are kept for an error.
const KEPT: usize = 30;

/// Reads a child's stdout and stderr to their end.
#[derive(Debug)]
pub struct Output {
    tail: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Output {
    /// Takes over both pipes of `child`; every line is sent as output of `source`.
    pub fn of(child: &mut Child, source: &str, events: &Events) -> Self {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(read(pipe, source, events, &tail));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(read(pipe, source, events, &tail));
        }
        Output { tail, readers }
    }

    /// The last lines, when the child has ended. A grandchild that keeps the pipes open is not
    /// waited for.
    pub async fn last_lines(mut self) -> String {
        for reader in self.readers.drain(..) {
            let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
        }
        let tail = self.tail.lock().unwrap_or_else(|e| e.into_inner());
        tail.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

fn read(
    pipe: impl AsyncRead + Unpin + Send + 'static,
    source: &str,
    events: &Events,
    tail: &Arc<Mutex<VecDeque<String>>>,
) -> JoinHandle<()> {
    let (source, events, tail) = (source.to_string(), events.clone(), tail.clone());
    tokio::spawn(async move {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut bytes).await, Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let line = without_passwords(text.trim_end_matches(['\n', '\r']));
            {
                let mut tail = tail.lock().unwrap_or_else(|e| e.into_inner());
                if tail.len() == KEPT {
                    tail.pop_front();
                }
                tail.push_back(line.clone());
            }
            events.output(&source, line);
            bytes.clear();
        }
    })
}

/// Ends a child's whole process group when dropped: what a shell started does not outlive a
/// command that was given up.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// `child` must have been started with `process_group(0)`.
    pub fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.map(Pid::from_raw))
    }

    /// The child was waited for: its number may belong to somebody else from now on.
    pub fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails only where nobody is left.
            let _ = killpg(group, Signal::SIGTERM);
        }
    }
}

/// Replaces the password in every URL: programs like to print what they connect to.
pub fn without_passwords(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        result.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#'))
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                let user = user.split(':').next().unwrap_or_default();
                result.push_str(&format!("{user}:***@{host}"));
            }
            _ => result.push_str(authority),
        }
        rest = tail;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::without_passwords;

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (text, shown) in [
            (
                "Using: postgresql+pg8000://me:s3c:ret@127.0.0.1:5432/app?x=1 and http://a/b",
                "Using: postgresql+pg8000://me:***@127.0.0.1:5432/app?x=1 and http://a/b",
            ),
            ("'postgres://me@host/db'", "'postgres://me@host/db'"),
            ("nothing: here@all", "nothing: here@all"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}

//! An engine behind ssh: for each connection `ssh … docker system dial-stdio`, as docker's own client
//! does. The user's ssh is what knows keys, jump hosts and who to trust.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncBufReadExt as _, BufReader, Join};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use url::Url;

use crate::error::{Error, Result};

/// How long an answer may take, in seconds: pulling and building show life all the time.
const TIMEOUT: u64 = 120;

/// What ssh said so far, for errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn push(&self, line: String) {
        if let Ok(mut lines) = self.0.lock() {
            lines.push(line);
        }
    }

    /// Its last lines.
    pub fn text(&self) -> String {
        let lines = self.0.lock().map(|lines| lines.clone());
        let lines = lines.unwrap_or_default();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// Makes a client for `ssh://[user@]host[:port]`; nothing is connected yet.
///
/// # Errors
/// `Usage` for another URL.
pub(crate) fn connect(url: &str) -> Result<(Docker, Said)> {
    let said = Said::default();
    let ssh = Ssh {
        arguments: arguments(url)?.into(),
        said: said.clone(),
    };
    let client = Client::builder(TokioExecutor::new()).build(ssh);
    let transport = move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(bollard::errors::Error::from) }
    };
    // Only a name: where it leads is in the arguments.
    let client = Docker::connect_with_custom_transport(
        transport,
        Some("http://docker"),
        TIMEOUT,
        API_DEFAULT_VERSION,
    );
    let client = client.map_err(|e| Error::server(format!("cannot use {url}: {e}")))?;
    Ok((client, said))
}

fn arguments(url: &str) -> Result<Vec<String>> {
    let bad = || {
        Error::usage(format!("DOCKER_HOST={url} is no address to reach by ssh"))
            .hint("write ssh://user@host or ssh://user@host:port")
    };
    let url = Url::parse(url).map_err(|_| bad())?;
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(bad)?;
    let mut all: Vec<String> = ["-T", "-o", "ConnectTimeout=30"].map(String::from).into();
    if !url.username().is_empty() {
        all.extend(["-l".into(), url.username().to_owned()]);
    }
    if let Some(port) = url.port() {
        all.extend(["-p".into(), port.to_string()]);
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    all.extend(["--".into(), host]);
    all.extend(["docker", "system", "dial-stdio"].map(String::from));
    Ok(all)
}

#[derive(Clone)]
struct Ssh {
    arguments: Arc<[String]>,
    said: Said,
}

impl tower_service::Service<Uri> for Ssh {
    type Response = Stream;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Stream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.spawn())
    }
}

impl Ssh {
    fn spawn(&self) -> io::Result<Stream> {
        let mut child = Command::new("ssh")
            .args(self.arguments.iter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("cannot run ssh: {e}")))?;
        let missing = || io::Error::other("ssh has no streams");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        if let Some(stderr) = child.stderr.take() {
            let said = self.said.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    said.push(line);
                }
            });
        }
        let both = tokio::io::join(stdout.ok_or_else(missing)?, stdin.ok_or_else(missing)?);
        Ok(Stream {
            io: TokioIo::new(both),
            _child: child,
        })
    }
}

/// Ends with its ssh.
struct Stream {
    io: TokioIo<Join<ChildStdout, ChildStdin>>,
    _child: Child,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_becomes_arguments_of_ssh() {
        let line = |url: &str| arguments(url).map(|all| all.join(" ")).ok();
        assert_eq!(
            line("ssh://me@build:2222").as_deref(),
            Some("-T -o ConnectTimeout=30 -l me -p 2222 -- build docker system dial-stdio")
        );
        assert_eq!(
            line("ssh://[fd00::1]").as_deref(),
            Some("-T -o ConnectTimeout=30 -- fd00::1 docker system dial-stdio")
        );
        assert_eq!(line("ssh://"), None);
    }
}

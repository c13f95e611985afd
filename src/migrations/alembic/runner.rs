//! The Python process that runs Alembic, and the lines that devdb exchanges with it. The other
//! side is `runner.py`.

use std::path::Path;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use super::errors;
use super::interpreter::Interpreter;
use crate::error::{Error, Named, Result};
use crate::event::Events;
use crate::migrations::Env;
use crate::migrations::process::{Output, without_passwords};

/// The program, and a module of its own beside it.
const SOURCES: [(&str, &str); 2] = [
    ("runner.py", include_str!("runner.py")),
    ("autogenerate.py", include_str!("autogenerate.py")),
];

/// A living process. Dropping it kills it, and the runner ends by itself when the socket closes.
#[derive(Debug)]
pub struct Runner {
    child: Child,
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    output: Option<Output>,
    /// The variables it was started with. An application reads them when it is imported, so that
    /// others need another process.
    pub env: Vec<(String, String)>,
    pub hello: Hello,
    // Holds the socket and the program; removed with the process.
    _folder: tempfile::TempDir,
}

/// What runs on the other side.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Hello {
    /// The path of the interpreter.
    pub python: String,
    pub alembic: String,
    pub sqlalchemy: String,
    /// Postgres drivers that can be imported.
    pub drivers: Vec<String>,
}

/// One database that env.py gave to Alembic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Context {
    pub table: String,
    pub schema: Option<String>,
}

/// What the runner says before its reply.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Happening {
    /// So many revisions will run.
    Plan { total: u64 },
    /// This one begins.
    Step { id: String, name: String },
    /// It goes on: rows that it changed so far, and the statement that runs for so many seconds.
    Busy {
        rows: u64,
        sql: Option<String>,
        seconds: f64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(Value),
    Error(Box<errors::Failure>),
}

impl Runner {
    /// Starts Python in `dir` and imports Alembic; the application is imported by the first
    /// request that needs it.
    ///
    /// # Errors
    /// `Migration` where the interpreter is not there, ends at once, or has no Alembic.
    pub async fn start(
        interpreter: &Interpreter,
        dir: &Path,
        env: &Env,
        events: &Events,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("devdb-")
            .tempdir()
            .named("cannot make a temporary folder")?;
        let program = folder.path().join("runner.py");
        for (name, source) in SOURCES {
            let path = folder.path().join(name);
            std::fs::write(&path, source).named(format_args!("cannot write {}", path.display()))?;
        }
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket)
            .named(format_args!("cannot listen at {}", socket.display()))?;

        let shown = interpreter.command.join(" ");
        events.detail(format!(
            "starting Alembic with `{shown}` in {} ({})",
            dir.display(),
            interpreter.origin
        ));
        let mut command = Command::new(&interpreter.command[0]);
        for (name, _) in env.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(name);
        }
        let mut child = command
            .args(&interpreter.command[1..])
            .arg(&program)
            .arg(&socket)
            .args(&interpreter.arguments)
            .envs(env.iter().filter(|(_, value)| !value.is_empty()).cloned())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // Ctrl-C is devdb's to handle; a KeyboardInterrupt would race with that.
            .process_group(0)
            .spawn()
            .map_err(|e| {
                let what = if dir.is_dir() {
                    format!("cannot run `{shown}` ({}): {e}", interpreter.origin)
                } else {
                    format!("there is no folder {}", dir.display())
                };
                Error::migration(what).hint(
                    "set `run` under [migrations] to the command that runs Alembic, such as [\".venv/bin/alembic\"]",
                )
            })?;
        let output = Output::of(&mut child, "alembic", events);
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.named("no connection from Python")?.0,
            ended = child.wait() => {
                let status = ended.named(format_args!("cannot wait for `{shown}`"))?;
                return Err(errors::ended(&format!("`{shown}`"), status, output).await);
            }
        };
        let (reader, writer) = stream.into_split();
        let mut runner = Runner {
            child,
            lines: BufReader::new(reader).lines(),
            writer,
            output: Some(output),
            env: env.to_vec(),
            hello: Hello::default(),
            _folder: folder,
        };
        let hello = runner
            .request(&json!({"do": "hello"}), events, |_| {})
            .await?
            .map_err(|failure| errors::no_alembic(*failure, interpreter, events))?;
        runner.hello = serde_json::from_value(hello).map_err(strange)?;
        events.detail(format!(
            "Alembic {} with SQLAlchemy {} in {}",
            runner.hello.alembic, runner.hello.sqlalchemy, runner.hello.python
        ));
        Ok(runner)
    }

    /// Sends one request and reads up to its reply.
    ///
    /// # Errors
    /// The outer error where the process ended; the inner one is what happened in Python.
    pub async fn request(
        &mut self,
        request: &Value,
        events: &Events,
        mut on: impl FnMut(Happening),
    ) -> Result<Result<Value, Box<errors::Failure>>> {
        let line = format!("{request}\n");
        if self.writer.write_all(line.as_bytes()).await.is_err() {
            return Err(self.ended().await);
        }
        loop {
            let Ok(Some(line)) = self.lines.next_line().await else {
                return Err(self.ended().await);
            };
            if let Ok(happening) = serde_json::from_str(&line) {
                on(happening);
                continue;
            }
            return Ok(match serde_json::from_str(&line).map_err(strange)? {
                Reply::Ok(value) => Ok(value),
                Reply::Error(failure) => {
                    for line in failure.traceback.lines() {
                        events.output("alembic", without_passwords(line));
                    }
                    Err(failure)
                }
            });
        }
    }

    async fn ended(&mut self) -> Error {
        let status = match self.child.wait().await {
            Ok(status) => status,
            Err(error) => return Error::migration(format!("lost the Python process: {error}")),
        };
        match self.output.take() {
            Some(output) => errors::ended("Python", status, output).await,
            None => Error::migration(format!("Python ended ({status})")),
        }
    }
}

/// The runner is part of devdb, so that an answer which cannot be read is a mistake in devdb.
pub fn strange(error: serde_json::Error) -> Error {
    Error::failed(format!(
        "cannot read what the Alembic runner answered: {error}"
    ))
}

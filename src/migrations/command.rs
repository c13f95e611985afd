//! Projects whose own command wraps the chain: `app db upgrade`, drizzle, Django, dbmate …
//! devdb knows nothing of their migrations; it runs the command and believes its exit code.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command as Process;

use super::Env;
use super::process::{Group, Output};
use crate::config;
use crate::error::{Error, Named, Result};
use crate::event::Events;

/// The configured shell commands.
#[derive(Debug)]
pub struct Command {
    dir: PathBuf,
    up: String,
    generate: Option<String>,
}

impl Command {
    /// # Errors
    /// `Usage` where no `up` is configured.
    pub fn open(config: &config::Migrations) -> Result<Self> {
        let up = config.up.clone().ok_or_else(|| {
            Error::usage("`tool = \"command\"` under [migrations] needs `up`")
                .hint("write up = \"npm run migrate\", or whatever brings a database to head")
        })?;
        Ok(Command {
            dir: config.dir.clone(),
            up,
            generate: config.generate.clone(),
        })
    }

    /// Brings the database that `env` names to head; gives how long it took.
    ///
    /// # Errors
    /// `Migration` where the command fails, with its last lines.
    pub async fn up(&self, env: &Env, events: &Events) -> Result<Duration> {
        self.shell("up", &self.up, env, events).await
    }

    /// Lets the project's tool write a migration; `{message}` becomes the quoted message.
    ///
    /// # Errors
    /// `Usage` where no `generate` is configured; `Migration` where the command fails.
    pub async fn generate(&self, message: &str, env: &Env, events: &Events) -> Result<Duration> {
        let template = self.generate.as_ref().ok_or_else(|| {
            Error::usage("no `generate` command is configured under [migrations]")
                .hint("write generate = \"npm run generate -- --name {message}\"")
        })?;
        let command = template.replace("{message}", &quoted(message));
        self.shell("generate", &command, env, events).await
    }

    async fn shell(
        &self,
        name: &str,
        command: &str,
        env: &Env,
        events: &Events,
    ) -> Result<Duration> {
        let task = events.begin(format!("running `{command}`"), None);
        let begun = Instant::now();
        let mut child = Process::new("sh")
            .args(["-c", command])
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C reaches devdb alone, which ends the group when it gives this call up.
            .process_group(0)
            .spawn()
            .named(format_args!("cannot run a shell in {}", self.dir.display()))?;
        let group = Group::of(&child);
        let output = Output::of(&mut child, name, events);
        let status = child
            .wait()
            .await
            .named(format_args!("cannot wait for `{command}`"))?;
        group.ended();
        let last = output.last_lines().await;
        if !status.success() {
            let error = Error::migration(format!("`{command}` failed ({status})"))
                .detail(last)
                .hint(format!(
                    "it ran in {}; see `{name}` under [migrations] and the variables under [env]",
                    self.dir.display()
                ));
            return Err(error);
        }
        task.end("");
        Ok(begun.elapsed())
    }
}

/// One word for the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

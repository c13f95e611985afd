//! One devdb at a time in a project: the others wait and say for whom.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};

use crate::config::Project;
use crate::error::{Error, Named, Result};
use crate::event::Events;

/// Held until dropped, or until the process is gone: the kernel gives it back, whatever happens.
#[derive(Debug)]
pub struct ProjectLock(#[expect(dead_code, reason = "held, not read")] File);

impl ProjectLock {
    /// Waits for its turn; `command` is what others are told while they wait for this one.
    pub async fn acquire(project: &Project, command: &str, events: &Events) -> Result<Self> {
        Self::acquire_file(project, "lock", command, events).await
    }

    /// For what can be done another time: `None` where somebody else has it.
    pub fn try_acquire(project: &Project, command: &str) -> Option<Self> {
        let path = project.state_dir.join("lock");
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        file.try_lock().ok()?;
        let mut lock = &file;
        file.set_len(0).ok()?;
        write!(lock, "devdb {command} (process {})", std::process::id()).ok()?;
        Some(ProjectLock(file))
    }

    /// The turn of those who [tidy up](super::tidy): they hold nobody else up.
    pub async fn acquire_tidy(project: &Project, events: &Events) -> Result<Self> {
        Self::acquire_file(project, "tidy.lock", "tidy", events).await
    }

    async fn acquire_file(
        project: &Project,
        file: &str,
        command: &str,
        events: &Events,
    ) -> Result<Self> {
        let path = project.state_dir.join(file);
        let what = format!("cannot lock {}", path.display());
        std::fs::create_dir_all(&project.state_dir).named(&what)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .named(&what)?;
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            let mut holder = String::new();
            // The holder's line is a courtesy: without it the wait is the same.
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another devdb in this project",
                holder => holder,
            };
            let task = events.begin(format!("waiting for {holder}"), None);
            file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
                .await
                .map_err(|e| Error::failed(format!("{what}: {e}")))?
                .named(&what)?;
            task.end("");
        }
        file.set_len(0).named(&what)?;
        file.rewind().named(&what)?;
        write!(file, "devdb {command} (process {})", std::process::id()).named(&what)?;
        Ok(ProjectLock(file))
    }
}

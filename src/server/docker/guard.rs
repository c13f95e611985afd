//! Whether a data folder may be worked in: two servers on one data directory destroy it.

use std::path::{Path, PathBuf};

use bollard::models::{ContainerSummary, MountPoint};
use bollard::query_parameters::{ListContainersOptions, TopOptions};

use super::container::{self, Found};
use super::folder::{self, Content};
use super::{Docker, engine, spec};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::server::state::State;

/// How a mount lies to a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overlap {
    /// It is the folder, or lies in it.
    Within,
    /// The folder lies in it: much else may, too.
    Around,
}

impl Docker {
    /// Makes sure that nobody else works in the configured folder.
    ///
    /// # Errors
    /// `Refused`, with the name of whoever does.
    pub(super) async fn refuse_shared(&self) -> Result<()> {
        match self.folder() {
            Some(folder) => self.refuse_shared_folder(folder).await,
            None => Ok(()),
        }
    }

    pub(super) async fn refuse_shared_folder(&self, folder: &Path) -> Result<()> {
        let running = engine::named(
            self.docker
                .list_containers(None::<ListContainersOptions>)
                .await,
            "cannot list containers",
        )?;
        for container in &running {
            if self.uses(container, folder).await {
                let name = container_name(container);
                return Err(Error::refused(format!(
                    "{} is in use by the running container {name} (image {}): two servers on one \
                     data directory destroy it",
                    folder.display(),
                    container.image.as_deref().unwrap_or_default()
                ))
                .hint(format!(
                    "stop it (`docker stop {name}`), or set another `data` under [server]"
                )));
            }
        }
        match local_server(folder) {
            Some(pid) => Err(Error::refused(format!(
                "{} is in use by a PostgreSQL server on this machine (pid {pid}): two servers on \
                 one data directory destroy it",
                folder.display()
            ))
            .hint("stop that server, or set another `data` under [server]")),
            None => Ok(()),
        }
    }

    async fn uses(&self, container: &ContainerSummary, folder: &Path) -> bool {
        let project = container
            .labels
            .as_ref()
            .and_then(|all| all.get(spec::PROJECT));
        if project == Some(&self.config.project.id) {
            return false;
        }
        let mut around = false;
        for mount in container.mounts.iter().flatten() {
            // What can only be read is no server's data directory.
            if mount.rw == Some(false) {
                continue;
            }
            match self.source(mount).await.and_then(|s| overlap(&s, folder)) {
                Some(Overlap::Within) => return true,
                Some(Overlap::Around) => around = true,
                None => {}
            }
        }
        // An application's container often mounts the whole project; it does no harm.
        around && self.runs_postgres(container).await
    }

    /// Tells of data that is gone. Gives the container, where it can go on.
    pub(super) async fn with_its_data(
        &self,
        state: &mut State,
        found: Found,
        events: &Events,
    ) -> Result<Option<Found>> {
        if self.is_hollow(state, &found).await? {
            self.begin_anew(state, events);
            state.save()?;
            // There is nothing that it could write out.
            container::remove(&self.docker, &self.name).await?;
            return Ok(None);
        }
        if found.is_tmpfs() && !found.running && found.started.is_some() {
            events.warn(
                "the data in tmpfs went with the container; beginning with an empty data directory",
            );
        }
        Ok(Some(found))
    }

    /// Whether the folder that the running container works in is gone, or nothing is in it any
    /// more: the server in there can answer nobody, and nothing brings it back.
    async fn is_hollow(&self, state: &State, found: &Found) -> Result<bool> {
        let Some(folder) = self.folder() else {
            return Ok(false);
        };
        // Before it was ready once, it may be about to be filled.
        let was_ready = self.slot(state).is_none_or(|slot| slot.current.initialised);
        if !found.running || !was_ready || found.data.as_deref().map(Path::new) != Some(folder) {
            return Ok(false);
        }
        let content = folder::look(&self.docker, &self.config, &found.image, folder).await?;
        Ok(matches!(content, Content::Missing | Content::Empty))
    }

    /// The folder behind a mount; a volume may stand for one as well (`driver_opts: device:`).
    async fn source(&self, mount: &MountPoint) -> Option<PathBuf> {
        let source = match mount.typ.as_deref() {
            Some("bind") => mount.source.clone(),
            Some("volume") => {
                let volume = self.docker.inspect_volume(mount.name.as_deref()?).await;
                volume.ok()?.options.get("device").cloned()
            }
            _ => None,
        }?;
        // Docker Desktop shows the host's files below this folder of its machine.
        let source = source.strip_prefix("/host_mnt").unwrap_or(&source);
        source.starts_with('/').then(|| PathBuf::from(source))
    }

    /// Where the engine does not tell, the answer is yes. What a container was started for counts
    /// beside what runs in it: in its first moments it runs neither.
    async fn runs_postgres(&self, container: &ContainerSummary) -> bool {
        if container.command.as_deref().is_some_and(is_postgres) {
            return true;
        }
        let id = container.id.as_deref().unwrap_or_default();
        match self.docker.top_processes(id, None::<TopOptions>).await {
            Ok(top) => top
                .processes
                .unwrap_or_default()
                .iter()
                .any(|columns| columns.last().is_some_and(|line| is_postgres(line))),
            Err(failure) => !engine::is_missing(&failure),
        }
    }
}

fn container_name(container: &ContainerSummary) -> String {
    let names = container.names.iter().flatten();
    let name = names.map(|name| name.trim_start_matches('/')).next();
    name.or(container.id.as_deref())
        .unwrap_or_default()
        .to_string()
}

/// `postgres -D /data`, `/usr/lib/postgresql/17/bin/postgres`, `postgres: checkpointer`; the
/// image's entry point, before it has become that.
fn is_postgres(command: &str) -> bool {
    let mut names = command
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or_default());
    let first = names.clone().next().map(|name| name.trim_end_matches(':'));
    matches!(first, Some("postgres" | "postmaster"))
        || (names.any(|name| name == "docker-entrypoint.sh") && names.next() == Some("postgres"))
}

fn overlap(mount: &Path, folder: &Path) -> Option<Overlap> {
    let (mount, folder) = (resolved(mount), resolved(folder));
    if mount.starts_with(&folder) {
        Some(Overlap::Within)
    } else if folder.starts_with(&mount) {
        Some(Overlap::Around)
    } else {
        None
    }
}

/// Without symbolic links, as far as the path exists and may be looked at.
fn resolved(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let below = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
            // Joining nothing would add a slash.
            return real.components().chain(below.components()).collect();
        }
    }
    path.to_path_buf()
}

/// The server outside of containers that works in the folder, as far as its `postmaster.pid` may
/// be read. One that a container left names the place inside of that.
fn local_server(folder: &Path) -> Option<i32> {
    folder::CANDIDATES.iter().find_map(|below| {
        let data = folder.join(below);
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines().map(str::trim);
        let pid: i32 = lines.next()?.parse().ok()?;
        let here = resolved(Path::new(lines.next()?)) == resolved(&data);
        (here && runs_as_postgres(pid)).then_some(pid)
    })
}

fn runs_as_postgres(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| is_postgres(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_compared_without_links() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let within = Some(Overlap::Within);
        assert_eq!(overlap(&real, &link), within);
        assert_eq!(overlap(&link.join("pg"), &real.join("pg")), within);
        assert_eq!(overlap(&real.join("pg/data"), &link.join("pg")), within);
        let around = Some(Overlap::Around);
        assert_eq!(overlap(dir.path(), &link.join("pg")), around);
        assert_eq!(overlap(&real.join("pg2"), &real.join("pg")), None);
    }

    #[test]
    fn only_the_server_itself_is_one() {
        for yes in [
            "postgres",
            "postgres: checkpointer",
            "/usr/bin/postgres -D /x",
            "/bin/bash /usr/local/bin/docker-entrypoint.sh postgres",
            "docker-entrypoint.sh postgres -c fsync=off",
        ] {
            assert!(is_postgres(yes), "{yes}");
        }
        for no in [
            "psql postgres",
            "sh docker-entrypoint.sh web",
            "python app.py postgres://x",
            "",
        ] {
            assert!(!is_postgres(no), "{no}");
        }
    }

    #[test]
    fn a_server_of_this_machine_is_seen_by_its_own_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        let program = dir.path().join("postgres");
        std::fs::copy("/bin/sleep", &program).unwrap();
        let mut server = std::process::Command::new(program)
            .arg("60")
            .spawn()
            .unwrap();
        let pid = server.id();
        let mut seen = Vec::new();
        for (pid, place) in [
            (pid, dir.path().to_str().unwrap()),
            (pid, "/var/lib/postgresql/data"),
            (std::process::id(), dir.path().to_str().unwrap()),
        ] {
            std::fs::write(&file, format!("{pid}\n{place}\n1700000000\n5432\n")).unwrap();
            seen.push(local_server(dir.path()).is_some());
        }
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(seen, [cfg!(target_os = "linux"), false, false]);
    }
}

//! A project of one test, with containers and volumes that go with it, even when it panics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use devdb::config::{Config, Data, Database, Port, Project, Server as Settings, ServerKind};
use devdb::event::{Event, Events, Reporter};
use devdb::postgres::{self, Target};
use devdb::server::{DataReset, Server};

/// The image that the tests run.
pub static IMAGE: LazyLock<String> = LazyLock::new(super::server::image);

/// A configuration of its own, and everything that was made from it.
pub struct TestProject {
    pub config: Config,
    pub events: Events,
    seen: Arc<Seen>,
    _dir: tempfile::TempDir,
}

#[derive(Default)]
struct Seen(Mutex<Vec<Event>>);

impl Reporter for Seen {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl TestProject {
    /// A project whose server is in Docker; fails where no engine or image is there.
    pub fn docker(name: &str) -> Self {
        let image = docker(&["image", "inspect", &IMAGE, "--format", "{{.Id}}"]);
        assert!(
            image.is_ok(),
            "these tests need a Docker engine with {} (scripts/test.sh gets both): {}",
            *IMAGE,
            image.unwrap_err()
        );
        Self::new(name, ServerKind::Docker)
    }

    /// A project whose server runs from local binaries.
    pub fn local(name: &str) -> Self {
        let mut project = Self::new(name, ServerKind::Local);
        project.config.server.path = Vec::new();
        project
    }

    fn new(name: &str, kind: ServerKind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Not below /tmp alone: a server of another user has to pass through.
        let dir = tempfile::Builder::new()
            .prefix("devdb-test-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .unwrap();
        let root = dir.path().join("project");
        std::fs::create_dir(&root).unwrap();
        let seen = Arc::new(Seen::default());
        TestProject {
            config: Config {
                roles: Vec::new(),
                sqlite: Vec::new(),
                drift_ignore: Vec::new(),
                project: Project {
                    name: name.into(),
                    id: format!("test-{name}-{}-{number}", std::process::id()),
                    state_dir: dir.path().join("state"),
                    root,
                },
                baked: "devdb/test".into(),
                server: Settings {
                    engine: None,
                    owner: None,
                    engine_host: None,
                    publish: None,
                    kind,
                    image: IMAGE.clone(),
                    port: Port::Auto,
                    data: Data::Volume,
                    settings: BTreeMap::new(),
                    mounts: Vec::new(),
                    environment: BTreeMap::new(),
                    command: Vec::new(),
                    url: None,
                    allow_reset: false,
                    bin: None,
                    path: std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                        .collect(),
                    wait: 30,
                },
                database: Database {
                    name: "app".into(),
                    user: "postgres".into(),
                    password: "p%s/ '\"x".into(),
                    extensions: Vec::new(),
                    before: Vec::new(),
                    spare: true,
                },
                migrations: None,
                env: Vec::new(),
            },
            events: Events::new(seen.clone()),
            seen,
            _dir: dir,
        }
    }

    pub async fn open(&self) -> Server {
        Server::open(&self.config, &self.events).await.unwrap()
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.config.project.root.join(name)
    }

    pub fn container(&self) -> String {
        format!("devdb-{}", self.config.project.id)
    }

    pub fn volume(&self, generation: u32) -> String {
        format!("devdb-{}-{generation}", self.config.project.id)
    }

    /// The volumes of this project, by their labels.
    pub fn volumes(&self) -> Vec<String> {
        let filter = format!("label=dev.devdb.project={}", self.config.project.id);
        lines(&["volume", "ls", "-q", "--filter", &filter])
    }

    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=dev.devdb.project={}", self.config.project.id);
        lines(&["ps", "-aq", "--filter", &filter])
    }

    /// Changes what devdb remembers, as a kill at a bad moment would have left it.
    pub fn edit_state(&self, edit: impl FnOnce(&mut serde_json::Value)) {
        let file = self.config.project.state_dir.join("server.json");
        let mut state = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        edit(&mut state);
        std::fs::write(&file, state.to_string()).unwrap();
    }

    /// The notes and warnings so far.
    pub fn notes(&self) -> String {
        let seen = self.seen.0.lock().unwrap();
        let texts: Vec<&str> = seen
            .iter()
            .filter_map(|event| match event {
                Event::Note(text) | Event::Warning(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n")
    }

    /// The stages that were reported so far.
    pub fn stages(&self) -> Vec<String> {
        let seen = self.seen.0.lock().unwrap();
        seen.iter()
            .filter_map(|event| match event {
                Event::Advance { item, .. } => Some(item.clone()),
                _ => None,
            })
            .collect()
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        if self.config.server.kind == ServerKind::Local {
            self.stop_local();
            return;
        }
        // Best effort: what a failed test leaves carries labels, and `docker` says why.
        for id in self.containers() {
            let _ = docker(&["rm", "-fv", &id]);
        }
        for name in self.volumes() {
            let _ = docker(&["volume", "rm", &name]);
        }
    }
}

impl TestProject {
    fn stop_local(&self) {
        let local = self.config.project.state_dir.join("local");
        for generation in std::fs::read_dir(local).into_iter().flatten().flatten() {
            let file = generation.path().join("data/postmaster.pid");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Some(pid) = text.lines().next() {
                // SIGQUIT: at once, the data goes anyway.
                let _ = Command::new("kill").args(["-QUIT", pid]).status();
            }
        }
    }
}

/// Runs the Docker client; its output without the last line's end, or its complaint.
pub fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .map_err(|e| format!("cannot run docker: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_string())
    }
}

fn lines(arguments: &[&str]) -> Vec<String> {
    let text = docker(arguments).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

/// Runs statements on a database.
pub async fn run(target: &Target, sql: &str) {
    let mut session = postgres::connect(target).await.unwrap();
    session.execute(sql).await.unwrap();
    session.close().await;
}

/// The first column of the first row.
pub async fn value(target: &Target, sql: &str) -> Option<String> {
    let mut session = postgres::connect(target).await.unwrap();
    let value = session.fetch_value::<String>(sql, &[]).await.unwrap();
    session.close().await;
    value
}

/// Makes a table by which this data is known again.
pub async fn mark(target: &Target) {
    run(target, "create table mark ()").await;
}

/// Whether this is the data that was marked.
pub async fn marked(target: &Target) -> bool {
    let sql = "select relname::text from pg_class where relname = 'mark'";
    value(target, sql).await.is_some()
}

/// Begins resets and drops them after so many milliseconds, as a kill would; then lets one go
/// through and brings back what was there before all of them.
pub async fn cut_off(project: &TestProject, milliseconds: &[u64]) {
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    for limit in milliseconds {
        let limit = std::time::Duration::from_millis(*limit);
        let _ = tokio::time::timeout(limit, server.reset_data(&project.events, false)).await;
    }
    let target = server.ensure_up(&project.events).await.unwrap();
    assert!(server.pending_reset() != marked(&target).await);
    let reset = server.reset_data(&project.events, false).await.unwrap();
    let DataReset::Fresh { target, .. } = reset else {
        panic!("nothing was reset: {reset:?}");
    };
    assert!(!marked(&target).await);
    server.finish_reset().await.unwrap();
    let undone = server.undo_data(&project.events).await.unwrap();
    assert!(marked(&undone.target).await);
}

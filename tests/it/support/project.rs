//! A project in a temporary folder, and the `devdb` binary run in it as a user would.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use devdb::postgres::{self, Row, Target, database};

use super::{python, server};

/// Removed with the test, with every database that it made on the shared server.
pub struct Project {
    folder: tempfile::TempDir,
    /// Database names on the shared server begin with this.
    pub name: String,
    on_shared_server: bool,
}

/// Takes a project's own server and data away, also when its test fails.
pub struct Gone<P: Borrow<Project>>(pub P);

impl<P: Borrow<Project>> Drop for Gone<P> {
    fn drop(&mut self) {
        let run = self.0.borrow().devdb(&["down", "--wipe", "--yes"]);
        if run.code != 0 && !std::thread::panicking() {
            panic!("{}", run.show());
        }
    }
}

/// What a command printed and how it ended.
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Project {
    /// An empty folder.
    pub fn empty(name: &str) -> Self {
        Project {
            folder: tempfile::Builder::new()
                .prefix("devdb-test-")
                .tempdir()
                .unwrap(),
            name: format!("{name}_{}", std::process::id()),
            on_shared_server: false,
        }
    }

    /// A project whose databases stand on the server that the test run shares.
    pub fn shared(name: &str, rest_of_toml: &str) -> Self {
        let mut project = Project::empty(name);
        project.on_shared_server = true;
        let toml = format!(
            "name = \"{}\"\n[server]\nkind = \"url\"\nurl = \"{}\"\nallow_reset = true\n[database]\nname = \"{}\"\n{rest_of_toml}\n",
            project.name,
            server::url(),
            project.name
        );
        project.file("devdb.toml", &toml);
        project
    }

    /// A shared-server project with these sqlx files and this wanted schema.
    pub fn sqlx(name: &str, migrations: &[(&str, &str)], schema: &str) -> Self {
        let project = Project::shared(
            name,
            "[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\nschema = \"schema.sql\"",
        );
        std::fs::create_dir(project.path("migrations")).unwrap();
        for (file, text) in migrations {
            project.file(&format!("migrations/{file}"), text);
        }
        project.file("schema.sql", schema);
        project
    }

    /// An sqlx project whose server is a container of its own; `database` are further lines for
    /// `[database]`. What it leaves on the engine carries [`Project::repository`]'s name.
    pub fn in_docker(name: &str, database: &str, migrations: &[(&str, &str)]) -> Self {
        let project = Project::empty(name);
        let toml = format!(
            "name = {:?}\n[server]\nkind = \"docker\"\nimage = {:?}\n[database]\n{database}\n[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\n",
            project.repository(),
            server::image()
        );
        project.file("devdb.toml", &toml);
        for (file, text) in migrations {
            project.file(&format!("migrations/{file}"), text);
        }
        project
    }

    /// Its name as containers, volumes and images have it.
    pub fn repository(&self) -> String {
        self.name.replace('_', "-")
    }

    /// A shared-server project that is a copy of `tests/projects/<fixture>`; `database` are further
    /// lines for `[database]`.
    pub fn alembic(name: &str, fixture: &str, database: &str) -> Self {
        let toml = format!(
            "{database}\n[migrations]\ntool = \"alembic\"\nrun = [{:?}, \"-m\", \"alembic\"]\n[env]\nDATABASE_URL = \"postgresql+psycopg\"",
            python::python().display().to_string()
        );
        let project = Project::shared(name, &toml);
        python::copy_project(fixture, project.root());
        project
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.root().join(file)
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with its folders.
    pub fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Makes the folder a repository, where it is none, and commits everything.
    pub fn commit(&self, message: &str) {
        if !self.path(".git").exists() {
            self.file(".gitignore", "__pycache__/\n.state/\n");
            self.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Runs git in the project.
    pub fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .current_dir(self.root())
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
    }

    /// The names of the files in a folder, sorted.
    pub fn read_folder(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let files = entries
            .map(|entry| entry.unwrap())
            .filter(|e| e.path().is_file());
        let mut names: Vec<String> = files
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary, in the project, with nothing of the caller's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devdb"));
        command
            .args(arguments)
            .current_dir(self.root())
            .env("DEVDB_STATE_DIR", self.path(".state"))
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let ours = name.starts_with("DEVDB_") && !name.starts_with("DEVDB_TEST_");
            if ours && name != "DEVDB_STATE_DIR" || name == "VIRTUAL_ENV" {
                command.env_remove(name.as_ref());
            }
        }
        command
    }

    pub fn devdb(&self, arguments: &[&str]) -> Run {
        self.run(self.command(arguments))
    }

    pub fn run(&self, mut command: Command) -> Run {
        let output = command.output().expect("the binary runs");
        Run {
            stdout: self.readable(&String::from_utf8_lossy(&output.stdout)),
            stderr: self.readable(&String::from_utf8_lossy(&output.stderr)),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Paths, ports and names that differ from run to run get a fixed form.
    fn readable(&self, text: &str) -> String {
        let root = self.root().canonicalize().unwrap();
        let text = text
            .replace(&*root.to_string_lossy(), "[root]")
            .replace(&*root.file_name().unwrap().to_string_lossy(), "[folder]")
            .replace(&self.name, "[app]")
            .replace(&self.name.replace('_', "-"), "[app]");
        let text = without_hash(&text);
        match self.on_shared_server {
            true => {
                let port = Target::parse(&server::url()).unwrap().port;
                text.replace(&format!(":{port}"), ":[port]")
            }
            false => text,
        }
    }

    /// The dev database on the shared server.
    pub fn target(&self) -> Target {
        Target::parse(&server::url())
            .unwrap()
            .with_database(&self.name)
    }

    /// Runs SQL in the dev database, as a developer does by hand.
    pub async fn sql(&self, sql: &str) {
        let mut connection = postgres::connect(&self.target()).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await;
    }

    /// The first value of the first row, as text.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let mut connection = postgres::connect(&self.target()).await.unwrap();
        let value = connection.fetch_value::<String>(sql, &[]).await.unwrap();
        connection.close().await;
        value
    }

    /// The databases on the shared server that belong to this project.
    pub async fn databases(&self) -> Vec<String> {
        let mut connection = postgres::connect(&Target::parse(&server::url()).unwrap())
            .await
            .unwrap();
        let rows = connection
            .fetch(
                "select datname::text from pg_database \
                 where datname = $1 or starts_with(datname, 'devdb_' || $2 || '_') order by 1",
                &[&self.name, &self.name.chars().take(20).collect::<String>()],
            )
            .await
            .unwrap();
        connection.close().await;
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Run {
    /// For snapshots: exit code, stdout and stderr, times left out.
    pub fn show(&self) -> String {
        let mut text = format!("exit: {}\n", self.code);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            text.push_str(&format!("----- {name} -----\n"));
            for line in stream.lines() {
                text.push_str(without_time(line).trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// Fails with everything that was printed unless the exit code is 0.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.show());
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.show()))
    }
}

/// The eight hex digits of the project's folder, in the names of devdb's own databases.
fn without_hash(text: &str) -> String {
    let mut parts = text.split("devdb_[app]_");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result.push_str("devdb_[app]_[hash]");
        let rest = part.get(8..).unwrap_or_default();
        // And those of the dev database's name.
        match rest.strip_prefix("_aside_").and_then(|r| r.get(8..)) {
            Some(rest) => result.push_str(&format!("_aside_[hash]{rest}")),
            None => result.push_str(rest),
        }
    }
    result
}

/// `(12 ms)` and `(1.2 s)` at the end of a line.
fn without_time(line: &str) -> &str {
    match line.rfind(" (") {
        Some(at)
            if line[at + 2..].starts_with(|c: char| c.is_ascii_digit())
                && (line.ends_with(" ms)") || line.ends_with(" s)")) =>
        {
            &line[..at]
        }
        _ => line,
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if !self.on_shared_server {
            return;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let names = self.databases().await;
                    let admin = Target::parse(&server::url()).unwrap();
                    let mut connection = postgres::connect(&admin).await.unwrap();
                    for name in names {
                        database::drop(&mut connection, &name).await.unwrap();
                    }
                });
            });
        });
    }
}

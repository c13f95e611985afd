//! `kill -9` at every step of every command that changes databases or data directories: nothing is
//! lost, and the next command goes on.

use std::os::unix::process::ExitStatusExt as _;

use crate::support::project::{Gone, Project};

/// A project with a server of its own, so that all ways of `reset` are open to it.
fn project(name: &str) -> Project {
    let project = Project::empty(name);
    let bin = std::env::var("DEVDB_TEST_PG_BIN").expect("set by the test script");
    project.file(
        "devdb.toml",
        &format!("[server]\nkind = \"local\"\nbin = {bin:?}\n[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\nschema = \"schema.sql\"\n"),
    );
    project.file(
        "migrations/1_notes.sql",
        "create table notes (body text);\n",
    );
    project.file("schema.sql", "create table notes (body text);\n");
    project
}

impl Gone<Project> {
    fn psql(&self, sql: &str) -> String {
        let run = self.0.devdb(&["psql", "-Atc", sql]).ok();
        run.stdout.trim().to_owned()
    }

    fn has(&self, marker: &str) -> bool {
        let sql = format!("select count(*) from notes where body = '{marker}'");
        self.psql(&sql) == "1"
    }

    /// Whether the row is in the dev database, or can be had back as a developer would.
    fn can_have_back(&self, marker: &str) -> bool {
        if self.has(marker) {
            return true;
        }
        if self.0.devdb(&["undo"]).code == 0 {
            if self.has(marker) {
                return true;
            }
            // It was something else that was put aside, and comes back there.
            self.0.devdb(&["undo"]).ok();
        }
        let list = self.0.devdb(&["snapshot", "list", "--json"]).ok().json();
        list.as_array().unwrap().iter().any(|snapshot| {
            let name = snapshot["name"].as_str().unwrap();
            let arguments = match snapshot["kind"] == "parked" {
                true => vec!["switch", name],
                false => vec!["snapshot", "restore", name],
            };
            self.0.devdb(&arguments).code == 0 && self.has(marker)
        })
    }

    /// Dies at step `n`; whether it did.
    fn killed_at(&self, n: u32, arguments: &[&str]) -> bool {
        let mut command = self.0.command(arguments);
        let output = command
            .env("DEVDB_TEST_FAULT", n.to_string())
            .output()
            .unwrap();
        if output.status.signal() == Some(9) {
            return true;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} at {n}: {said}");
        false
    }

    /// What devdb keeps on the server: the kinds, without keys and hashes.
    fn kinds(&self) -> Vec<String> {
        let sql = "select distinct substring(datname from '^devdb_.*_[0-9a-f]{8}_([a-z]+)') from pg_database where datname like 'devdb\\_%' order by 1";
        self.psql(sql).lines().map(str::to_owned).collect()
    }
}

/// Kills `arguments` at every `stride`th step until it comes to its end, and looks each time at
/// whether a row that was written before is still to be had. `before` prepares each round.
fn kill_everywhere(name: &str, stride: usize, arguments: &[&str], before: &[&[&str]]) {
    kill_after(name, stride, arguments, &[], before);
}

/// The same, with what is to be done once.
fn kill_after(name: &str, stride: usize, arguments: &[&str], once: &[&[&str]], before: &[&[&str]]) {
    let project = Gone(project(name));
    project.0.devdb(&["ready"]).ok();
    project.0.devdb(&["switch", "main"]).ok();
    for arguments in once {
        project.0.devdb(arguments).ok();
    }
    let mut killed = 0;
    for n in (1u32..).step_by(stride) {
        for arguments in before {
            let run = project.0.devdb(arguments);
            assert_eq!(run.code, 0, "{arguments:?} before {n}: {}", run.show());
        }
        let marker = format!("row {n}");
        project.psql(&format!("insert into notes values ('{marker}')"));
        let arguments: Vec<String> = arguments
            .iter()
            .map(|a| a.replace("{n}", &n.to_string()))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if !project.killed_at(n, &arguments) {
            break;
        }
        killed += 1;
        let ready = project.0.devdb(&["ready"]);
        assert_eq!(
            ready.code,
            0,
            "after {arguments:?} died at {n}: {}",
            ready.show()
        );
        assert!(
            project.can_have_back(&marker),
            "{arguments:?} at {n} lost a row"
        );
    }
    assert!(killed >= 5, "{arguments:?} was killed {killed} times only");
    // What it left is swept by those that come after.
    project.0.devdb(&["ready"]).ok();
    project.0.devdb(&["reset", "--yes"]).ok();
    project.0.devdb(&["snapshot", "save", "last"]).ok();
    project.0.devdb(&["generate", "nothing"]).ok();
    project.0.devdb(&["tidy"]).ok();
    for kind in project.kinds() {
        let known = ["aside", "at", "base", "snap", "spare"];
        assert!(known.contains(&kind.as_str()), "{arguments:?} left {kind}");
    }
}

#[test]
fn a_short_reset_can_be_killed_at_any_step() {
    kill_everywhere(
        "kill_short",
        1,
        &["reset", "--yes"],
        &[&["ready"], &["tidy"]],
    );
}

#[test]
fn a_long_reset_can_be_killed_at_any_step() {
    kill_everywhere("kill_long", 4, &["reset", "--yes", "--full"], &[&["ready"]]);
}

#[test]
fn undo_can_be_killed_at_any_step() {
    kill_everywhere("kill_undo", 1, &["undo"], &[&["reset", "--yes"]]);
}

#[test]
fn a_snapshot_can_be_killed_at_any_step() {
    kill_everywhere("kill_save", 1, &["snapshot", "save", "round {n}"], &[]);
    kill_after(
        "kill_restore",
        1,
        &["snapshot", "restore", "it"],
        &[&["snapshot", "save", "it"]],
        &[],
    );
}

#[test]
fn a_killed_export_leaves_no_snapshot_open() {
    let project = Gone(project("kill_export"));
    project.0.devdb(&["ready"]).ok();
    project.0.devdb(&["snapshot", "save", "it"]).ok();
    let open =
        "select count(*) from pg_database where datallowconn and datname ~ '^devdb_.*_snap_'";
    let mut opened = 0;
    let mut file = String::new();
    for n in 1.. {
        file = format!("{n}.dump");
        if !project.killed_at(n, &["snapshot", "export", "it", &file]) {
            break;
        }
        if project.0.path(&file).exists() {
            // A file that is there is a whole one.
            let name = format!("of {n}");
            project.0.devdb(&["snapshot", "import", &name, &file]).ok();
        }
        opened += project.psql(open).parse::<u32>().unwrap();
        project.0.devdb(&["tidy"]).ok();
        assert_eq!(project.psql(open), "0", "killed at {n}");
    }
    assert!(opened > 0, "it was never killed while one was open");
    project
        .0
        .devdb(&["snapshot", "import", "again", &file])
        .ok();
}

#[test]
fn a_switch_can_be_killed_at_any_step() {
    kill_everywhere(
        "kill_switch",
        1,
        &["switch", "feature"],
        &[&["switch", "main"]],
    );
    kill_everywhere(
        "kill_new",
        1,
        &["switch", "feature {n}"],
        &[&["switch", "main"]],
    );
}

/// The branch that is entered lies in a data directory that a reset put aside: databases and the
/// server itself change places.
#[test]
fn a_switch_to_another_data_directory_can_be_killed_at_any_step() {
    let project = Gone(project("kill_far"));
    let note = |text: &str| project.psql(&format!("insert into notes values ('{text}')"));
    project.0.devdb(&["ready"]).ok();
    project.0.devdb(&["switch", "main"]).ok();
    project.0.devdb(&["switch", "feature", "--clean"]).ok();
    note("of feature");
    let (mut stayed, mut entered) = (0, 0);
    for n in 1.. {
        project.0.devdb(&["switch", "main"]).ok();
        project.0.devdb(&["reset", "--yes", "--full"]).ok();
        let own = format!("of main {n}");
        note(&own);
        if !project.killed_at(n, &["switch", "feature"]) {
            assert!(project.has("of feature"));
            break;
        }
        project.0.devdb(&["ready"]).ok();
        let (main, feature) = (project.has(&own), project.has("of feature"));
        assert!(main != feature, "killed at {n}: {main}, {feature}");
        match main {
            true => stayed += 1,
            false => entered += 1,
        }
        project.0.devdb(&["switch", "feature"]).ok();
        assert!(project.has("of feature"), "killed at {n}");
        project.0.devdb(&["switch", "main"]).ok();
        assert!(project.has(&own), "killed at {n}");
    }
    assert!(stayed > 0 && entered > 0, "{stayed}, {entered}");
}

#[test]
fn tidy_and_generate_can_be_killed_at_any_step() {
    kill_everywhere(
        "kill_tidy",
        1,
        &["tidy"],
        &[&["baseline", "prune"], &["reset", "--yes", "--full"]],
    );
    kill_everywhere("kill_generate", 2, &["generate", "nothing"], &[]);
}

/// The server's process, from its own file.
pub fn postmaster(project: &Project) -> i32 {
    let mut folders = vec![project.path(".state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path
                .file_name()
                .is_some_and(|name| name == "postmaster.pid")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                return text.lines().next().unwrap().trim().parse().unwrap();
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    panic!("no server runs");
}

#[test]
fn the_server_can_be_killed_at_any_moment() {
    let project = Gone(project("kill_server"));
    project.0.devdb(&["ready"]).ok();
    for (n, arguments) in [
        vec!["reset", "--yes"],
        vec!["snapshot", "save", "one"],
        vec!["undo"],
        vec!["switch", "feature"],
        vec!["reset", "--yes"],
        vec!["generate", "nothing"],
    ]
    .iter()
    .enumerate()
    {
        for wait in [0, 10, 30, 60] {
            let marker = format!("row {n} {wait}");
            project.psql(&format!("insert into notes values ('{marker}')"));
            let pid = postmaster(&project.0);
            let mut running = project.0.command(arguments).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(wait));
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL)
                .unwrap();
            // It may have come to its end before, or fail; neither may lose anything.
            running.wait().unwrap();
            let ready = project.0.devdb(&["ready"]);
            assert_eq!(ready.code, 0, "{arguments:?} {wait}: {}", ready.show());
            assert!(
                project.can_have_back(&marker),
                "{arguments:?} {wait} lost a row"
            );
            project.0.devdb(&["ready"]).ok();
        }
    }
}

//! `devdb run`, `clone` and `drop`.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Stdio;

use crate::kept::{local, query};
use crate::support::project::{Gone, Project};

fn ready(name: &str) -> Gone<Project> {
    let project = Gone(local(name));
    let toml = project.0.read("devdb.toml");
    project.0.file(
        "devdb.toml",
        &format!("{toml}[env]\nAPP_DB = \"postgresql\"\n"),
    );
    project.0.devdb(&["ready"]).ok();
    project
}

/// The databases of the server that belong to no living command.
fn scratch(project: &Project) -> String {
    query(
        project,
        "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%'",
    )
}

#[test]
fn a_command_gets_the_spare_and_another_is_made() {
    let project = ready("run_spare");
    let spares = "select count(*) from pg_database where datname like '%\\_spare\\_%'";
    let inside = |script: &str| {
        let run = project.0.devdb(&["run", "--", "sh", "-c", script]).ok();
        run.stdout.trim().to_owned()
    };
    let psql =
        format!("psql \"$APP_DB\" -Atc \"{spares}\" -c 'insert into notes values (1) returning 1'");
    for _ in 0..3 {
        project.0.devdb(&["tidy"]).ok();
        assert_eq!(query(&project.0, spares), "1");
        assert_eq!(inside(&psql).lines().next(), Some("0"));
        assert_eq!(scratch(&project.0), "");
        assert_eq!(query(&project.0, "select count(*) from notes"), "0");
    }
    let reset = project.0.devdb(&["reset", "--yes"]).ok();
    assert!(
        reset.stderr.contains("1 migration from a baseline"),
        "{}",
        reset.stderr
    );
}

#[test]
fn a_command_gets_a_database_of_its_own() {
    let project = ready("run");
    let run = |arguments: &[&str], script: &str| {
        let arguments = [&["run"], arguments, &["--", "sh", "-c", script]].concat();
        project.0.devdb(&arguments)
    };
    let write = "psql \"$APP_DB\" -qAtc \"insert into notes values ('x')\" -c 'select count(*) from notes'; exit 7";
    for _ in 0..2 {
        let run = run(&[], write);
        assert_eq!((run.stdout.trim(), run.code), ("1", 7), "{}", run.show());
    }
    assert_eq!(query(&project.0, "select count(*) from notes"), "0");
    assert_eq!(scratch(&project.0), "");

    let three = run(
        &["--databases", "3"],
        "for url in $DEVDB_URL_1 $DEVDB_URL_2 $DEVDB_URL_3; do psql $url -Atc 'select current_database(), count(*) from notes'; done; test $DEVDB_URL = $DEVDB_URL_1",
    )
    .ok();
    let lines: std::collections::BTreeSet<&str> = three.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("|0")), "{lines:?}");

    query(&project.0, "insert into notes values ('mine')");
    project.0.devdb(&["snapshot", "save", "with data"]).ok();
    project
        .0
        .file("seed.sql", "insert into notes values ('seed');\n");
    let bodies = "psql $APP_DB -Atc 'select string_agg(body, $$,$$ order by body) from notes'";
    let seeded = run(&["--from", "with data", "--seed", "seed.sql"], bodies).ok();
    assert_eq!(seeded.stdout.trim(), "mine,seed");

    let gone = run(
        &["--server", "ephemeral"],
        "psql $APP_DB -Atc 'select count(*) from notes'",
    )
    .ok();
    assert_eq!(gone.stdout.trim(), "0");
    let missing = project.0.devdb(&["run", "--", "/no/such/program"]);
    assert_eq!(missing.code, 2, "{}", missing.show());
    assert!(
        missing.stderr.contains("/no/such/program"),
        "{}",
        missing.stderr
    );
    assert_eq!(scratch(&project.0), "");
}

#[test]
fn the_database_of_a_command_that_failed_can_be_kept() {
    let project = ready("run_kept");
    let failed = project.0.devdb(&[
        "run",
        "--keep-on-failure",
        "--",
        "sh",
        "-c",
        "psql -q $APP_DB -c \"insert into notes values ('evidence')\"; exit 3",
    ]);
    assert_eq!(failed.code, 3, "{}", failed.show());
    let list = project.0.devdb(&["drop", "--json"]).ok().json();
    let name = list[0]["name"].as_str().unwrap().to_owned();
    assert!(
        failed.stderr.contains(&format!("devdb drop {name}")),
        "{}",
        failed.stderr
    );
    let sql = format!("\\c {}", list[0]["database"].as_str().unwrap());
    let body = project
        .0
        .devdb(&["psql", "-qAt", "-c", &sql, "-c", "select body from notes"])
        .ok();
    assert!(body.stdout.contains("evidence"), "{}", body.stdout);
    project.0.devdb(&["drop", &name]).ok();
    let again = project.0.devdb(&["drop", &name]);
    assert_eq!(again.code, 2, "{}", again.show());
    // What succeeds is not kept.
    project
        .0
        .devdb(&["run", "--keep-on-failure", "--", "true"])
        .ok();
    assert_eq!(
        project.0.devdb(&["drop", "--json"]).ok().json(),
        serde_json::json!([])
    );
}

#[test]
fn signals_reach_the_command_and_the_dead_are_swept() {
    let project = ready("run_signals");
    let start = |script: &str| {
        let mut command = project.0.command(&["run", "--", "sh", "-c", script]);
        // Not the terminal's foreground, where Ctrl-C reaches the command by itself.
        let child = command
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let started = project.0.path("started");
        while !started.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        std::fs::remove_file(started).unwrap();
        child
    };
    let send = |child: &std::process::Child, signal: nix::sys::signal::Signal| {
        let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    };
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"] {
        let script =
            format!("trap 'exit 9' {signal}; touch started; while true; do sleep 0.05; done");
        let mut child = start(&script);
        send(&child, format!("SIG{signal}").parse().unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(9), "{signal}");
    }
    assert_eq!(scratch(&project.0), "");

    let mut child = start("touch started; sleep 2");
    assert!(!scratch(&project.0).is_empty());
    send(&child, nix::sys::signal::Signal::SIGKILL);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    project.0.devdb(&["run", "--", "true"]).ok();
    assert_eq!(scratch(&project.0), "");
}

#[test]
fn a_clone_stays_until_it_is_dropped_or_its_time_is_up() {
    let project = ready("clone");
    let mine = project.0.devdb(&["clone", "mine"]).ok();
    assert!(mine.stdout.starts_with("postgresql://"), "{}", mine.stdout);
    let twice = project.0.devdb(&["clone", "mine"]);
    assert_eq!(twice.code, 5, "{}", twice.show());
    project.0.devdb(&["clone", "--ttl", "0s"]).ok();
    project.0.devdb(&["clone", "--ttl", "2h"]).ok();
    let names = || {
        let list = project.0.devdb(&["drop", "--json"]).ok().json();
        let names = list.as_array().unwrap().iter();
        names
            .map(|clone| clone["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    project.0.devdb(&["tidy"]).ok();
    assert_eq!(names(), ["mine", "clone-2"]);
    // No reset takes one along, and none is in its way.
    let reset = project.0.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(reset["from_baseline"], 1);
    project.0.devdb(&["drop", "mine"]).ok();
    assert_eq!(names(), ["clone-2"]);
    let wrong = project.0.devdb(&["clone", "--ttl", "soon"]);
    assert_eq!(wrong.code, 2, "{}", wrong.show());
}

//! Two hundred runs killed with `kill -9` at random moments: devdb, the command, the server, the
//! engine. Nothing is left once the next command has run.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;

use crate::kept::{local, query};
use crate::killed::postmaster;
use crate::support::docker;
use crate::support::project::{Gone, Project};
use crate::support::second_engine::SecondEngine;

fn kill_9(pid: i32) {
    // It may have come to its end already.
    let _ = kill(Pid::from_raw(pid), SIGKILL);
}

/// The command of a run writes its pid down and lives for a while.
const COMMAND: &[&str] = &["--", "sh", "-c", "echo $$ > command.pid; exec sleep 0.3"];

fn start(command: &mut Command, project: &Project) -> Child {
    let _ = std::fs::remove_file(project.path("command.pid"));
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().unwrap()
}

fn command_of(project: &Project) -> Option<i32> {
    let text = std::fs::read_to_string(project.path("command.pid")).ok()?;
    text.trim().parse().ok()
}

fn pause(random: &mut fastrand::Rng, longest: u64) {
    std::thread::sleep(Duration::from_millis(random.u64(0..longest)));
}

fn until_empty(what: &str, look: impl Fn() -> String) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let left = look();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{what} left: {left}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn runs_on_the_projects_server_leave_nothing() {
    let gone = Gone(local("run_killed"));
    let project = &gone.0;
    project.devdb(&["ready"]).ok();
    let mut random = fastrand::Rng::with_seed(20_261_122);
    for round in 0..150 {
        let mut devdb = start(&mut project.command(&[&["run"], COMMAND].concat()), project);
        pause(&mut random, 250);
        match round % 3 {
            0 => kill_9(devdb.id().try_into().unwrap()),
            1 => command_of(project).into_iter().for_each(kill_9),
            _ => kill_9(postmaster(project)),
        }
        devdb.wait().unwrap();
        let next = project.devdb(&["run", "--", "true"]);
        assert_eq!(next.code, 0, "round {round}: {}", next.show());
        let scratch = "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%' or datname like '%\\_fresh%'";
        assert_eq!(query(project, scratch), "", "round {round}");
    }
    // Also by a command that needs no database of its own.
    let mut devdb = start(&mut project.command(&[&["run"], COMMAND].concat()), project);
    std::thread::sleep(Duration::from_millis(200));
    devdb.kill().unwrap();
    devdb.wait().unwrap();
    project.devdb(&["ready"]).ok();
    until_empty("databases", || {
        query(
            project,
            "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%'",
        )
    });
}

fn docker_project(name: &str) -> Project {
    let notes = ("1_notes.sql", "create table notes (body text);\n");
    Project::in_docker(name, "", &[notes])
}

const EPHEMERAL: &[&str] = &["run", "--server", "ephemeral"];

/// Containers and volumes of servers that were for one command.
fn left(project: &Project, engine: impl Fn(&[&str]) -> String) -> String {
    // The project's own server is called by its id, without a token behind.
    let filter = format!("name=devdb-{}-[0-9a-f]+-[0-9]+x", project.repository());
    let containers = engine(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    let volumes = engine(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
    format!("{containers}{volumes}")
}

#[test]
fn servers_of_their_own_go_with_the_run() {
    let gone = Gone(docker_project("run_killed_own"));
    let project = &gone.0;
    let here = |arguments: &[&str]| docker::docker(arguments).unwrap();
    let mut random = fastrand::Rng::with_seed(20_261_123);
    for round in 0..40 {
        let mut devdb = start(
            &mut project.command(&[EPHEMERAL, COMMAND].concat()),
            project,
        );
        pause(&mut random, 2_500);
        match round % 4 {
            0 | 1 => kill_9(devdb.id().try_into().unwrap()),
            2 => command_of(project).into_iter().for_each(kill_9),
            _ => {
                for name in left(project, here).split_whitespace() {
                    let _ = docker::docker(&["kill", name]);
                }
            }
        }
        devdb.wait().unwrap();
        if round % 8 == 0 {
            // As after a clean-up by hand: only the labels tell.
            let _ = std::fs::remove_dir_all(project.path(".state"));
        }
        let next = project.devdb(&[EPHEMERAL, &["--", "true"]].concat());
        assert_eq!(next.code, 0, "round {round}: {}", next.show());
        assert_eq!(left(project, here), "", "round {round}");
    }
}

#[test]
fn an_engine_that_is_killed_leaves_nothing() {
    let engine = SecondEngine::start();
    let project = docker_project("run_killed_engine");
    let with = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.envs(engine.variables("tls"));
        command
    };
    project.run(with(&["ready"])).ok();
    let there = |arguments: &[&str]| engine.docker(arguments);
    let mut random = fastrand::Rng::with_seed(20_261_124);
    for round in 0..10 {
        let run: &[&str] = if round % 2 == 0 { EPHEMERAL } else { &["run"] };
        let mut devdb = start(&mut with(&[run, COMMAND].concat()), &project);
        pause(&mut random, 2_000);
        engine.kill();
        devdb.wait().unwrap();
        let next = project.run(with(&[run, &["--", "true"]].concat()));
        assert_eq!(next.code, 0, "round {round}: {}", next.show());
        assert_eq!(left(&project, there), "", "round {round}");
    }
    project.run(with(&["down", "--wipe", "--yes"])).ok();
    assert_eq!(engine.docker(&["ps", "--all", "--quiet"]), "");
    assert_eq!(engine.docker(&["volume", "ls", "--quiet"]), "");
}

/// How many processes run in a container of this machine, whatever its engine says.
fn processes_of(id: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let cgroups = entries.filter_map(|e| std::fs::read_to_string(e.path().join("cgroup")).ok());
    cgroups.filter(|cgroup| cgroup.contains(id)).count()
}

#[test]
fn a_server_that_the_engine_forgot_is_ended_before_another_begins() {
    let engine = SecondEngine::start();
    let project = docker_project("run_killed_forgotten");
    let devdb = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.envs(engine.variables("tls"));
        project.run(command).ok()
    };
    devdb(&["ready"]);
    devdb(&["psql", "-c", "create table by_hand (id int)"]);
    for arguments in [
        &["ready"][..],
        &["down"],
        &["reset", "--yes", "--full"],
        &["down", "--wipe", "--yes"],
    ] {
        devdb(&["ready"]);
        let id = engine.docker(&["ps", "--quiet", "--no-trunc"]);
        engine.kill_forgetting(id.trim());
        assert_eq!(engine.docker(&["ps", "--quiet"]), "");
        assert!(processes_of(id.trim()) > 1, "the server itself goes on");
        devdb(arguments);
        match arguments {
            ["ready"] => {
                devdb(&["psql", "-c", "insert into by_hand values (1)"]);
            }
            _ => assert_eq!(processes_of(id.trim()), 0, "{arguments:?}"),
        }
    }
}

#[test]
fn a_container_that_the_engine_only_began_is_made_again() {
    let engine = SecondEngine::start();
    let project = docker_project("run_killed_begun");
    let with = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.envs(engine.variables("tls"));
        command
    };
    let psql = |sql| project.run(with(&["psql", "-Atc", sql])).ok().stdout;
    project.run(with(&["ready"])).ok();
    psql("create table by_hand (id int)");
    project.run(with(&["down"])).ok();
    engine.kill_while_it_makes_a_container(|| start(&mut with(&["ready"]), &project));
    // It loads what is left; by the second time it has freed the port.
    engine.kill();
    project.run(with(&["ready"])).ok();
    assert_eq!(psql("select count(*) from by_hand").trim(), "0");
    project.run(with(&["down", "--wipe", "--yes"])).ok();
}

//! The pytest plugin in `python/`, run by pytest in a project.

use std::process::Command;

use crate::kept::local;
use crate::serve::Served;
use crate::support::project::{Project, Run};
use crate::support::python::python;

const TESTS: &str = r#"
import os
import psycopg
import pytest


def count(url):
    with psycopg.connect(url) as session:
        session.execute("insert into notes values ('x')")
        return session.execute("select count(*) from notes").fetchone()[0]


@pytest.mark.parametrize("n", range(4))
def test_own(devdb_url, n):
    assert count(devdb_url) == 1


def test_env(devdb_database, devdb_url):
    assert devdb_database.url == devdb_url
    name = devdb_url.rsplit("/", 1)[1]
    assert devdb_database.env["APP_DB"].startswith("postgresql+psycopg://")
    assert devdb_database.env["APP_DB"].endswith(name)


shared = []


@pytest.mark.parametrize("n", range(4))
def test_of_worker(devdb_worker_url, n):
    shared.append(devdb_worker_url)
    assert set(shared) == {devdb_worker_url}
    assert count(devdb_worker_url) == len(shared)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(devdb_worker_url.rsplit("/", 1)[1] + "\n")
"#;

fn pytest(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    // As `command` sets it for the binary itself.
    let devdb = project.command(&[]);
    let mut command = Command::new(python());
    command
        .args(["-m", "pytest", "-p", "pytest_devdb", "-q"])
        .args(["-p", "no:cacheprovider"])
        .args(arguments)
        .current_dir(project.root())
        .env("PYTHONPATH", folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SEEN", project.path("seen"))
        .env("DEVDB_BIN", env!("CARGO_BIN_EXE_devdb"))
        .env_remove("DEVDB_SERVE_URL");
    for (name, value) in devdb.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.envs(variables.iter().copied());
    project.run(command)
}

/// The databases that workers shared, each once.
fn workers(project: &Project) -> std::collections::BTreeSet<String> {
    let seen = project.read("seen").lines().map(str::to_owned).collect();
    std::fs::remove_file(project.path("seen")).unwrap();
    seen
}

#[test]
fn each_test_and_each_worker_has_a_database() {
    let served = Served::new("pytest", &["--pool", "2", "--token", "s3cret"]);
    let project = &served.project;
    project.file("test_notes.py", TESTS);
    let given = [
        ("DEVDB_SERVE_URL", served.url.as_str()),
        ("DEVDB_SERVE_TOKEN", "s3cret"),
        // It is not looked for.
        ("DEVDB_BIN", "/no/such/devdb"),
    ];
    let run = pytest(project, &[], &given).ok();
    assert!(run.stdout.contains("9 passed"), "{}", run.show());
    assert_eq!(workers(project).len(), 1);
    let auth = ("Authorization", "Bearer s3cret");
    let list = crate::support::http::send("GET", &served.url, "/databases", &[auth], "");
    let list = list.unwrap().body;
    assert!(
        list.as_array()
            .unwrap()
            .iter()
            .all(|d| d["state"] != "lent"),
        "{list}"
    );

    // Without the token the server's own words are shown.
    let refused = pytest(project, &["-k", "test_env"], &given[..1]);
    assert_eq!(refused.code, 1, "{}", refused.show());
    let says = "devdb serve: 401: the token is missing or wrong";
    assert!(refused.stdout.contains(says), "{}", refused.show());
}

#[test]
fn where_none_is_given_one_is_started_and_ends_with_the_session() {
    let project = local("pytest_started");
    let toml = project.read("devdb.toml");
    let toml = format!("{toml}[env]\nAPP_DB = \"postgresql+psycopg\"\n");
    project.file("devdb.toml", &toml);
    project.file("test_notes.py", TESTS);
    let run = pytest(&project, &["-n", "2", "--dist", "each"], &[]);
    let left = crate::kept::query(
        &project,
        "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%'",
    );
    let workers = run.code == 0 && workers(&project).len() == 2;

    project.file("migrations/2_wrong.sql", "create tabel x ();");
    let wrong = pytest(&project, &["-k", "test_env"], &[]);
    let none = [("DEVDB_BIN", "/no/such/devdb")];
    let missing = pytest(&project, &["-k", "test_env"], &none);
    project.devdb(&["down", "--wipe", "--yes"]);

    assert!(run.stdout.contains("18 passed"), "{}", run.show());
    assert!(workers, "two workers have two: {}", run.show());
    assert_eq!(left, "");
    assert_eq!(wrong.code, 1, "{}", wrong.show());
    assert!(wrong.stdout.contains("exit code 7"), "{}", wrong.show());
    assert!(wrong.stdout.contains("2_wrong.sql"), "{}", wrong.show());
    let hint = "set DEVDB_BIN or DEVDB_SERVE_URL";
    assert!(missing.stdout.contains(hint), "{}", missing.show());
}

#[test]
fn workers_of_a_run_take_the_databases_that_it_made() {
    let project = Project::empty("pytest_run");
    project.file(
        "test_worker.py",
        "import os\n\n\ndef test_own(devdb_worker_url):\n    number = int(os.environ[\"PYTEST_XDIST_WORKER\"][2:]) + 1\n    assert devdb_worker_url == f\"postgresql://db/{number}\"\n",
    );
    let variables = [
        ("DEVDB_URL_1", "postgresql://db/1"),
        ("DEVDB_URL_2", "postgresql://db/2"),
        // Nothing is started.
        ("DEVDB_BIN", "/nowhere/devdb"),
    ];
    let both = pytest(&project, &["-n", "2"], &variables);
    assert_eq!(both.code, 0, "{}", both.show());
    let worker = [&variables[..], &[("PYTEST_XDIST_WORKER", "gw2")]].concat();
    let fewer = pytest(&project, &["-p", "no:xdist"], &worker);
    assert_eq!(fewer.code, 1, "{}", fewer.show());
    assert!(
        fewer
            .stdout
            .contains("devdb run made no database for worker 3"),
        "{}",
        fewer.show()
    );
}

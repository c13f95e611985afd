//! The URLs that Alembic projects are given.

use crate::kept::local;
use crate::support::project::Project;
use crate::support::python;

/// An env.py that notes the driver that it was given.
const ENV: &str = r#"
import os
import pathlib

from alembic import context
from shop.models import Base
from sqlalchemy import create_engine, pool

engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
pathlib.Path("driver.txt").write_text(engine.dialect.driver)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"#;

fn run() -> String {
    let python = python::python().display().to_string();
    format!("[migrations]\ntool = \"alembic\"\nrun = [{python:?}, \"-m\", \"alembic\"]\n")
}

#[test]
fn the_driver_is_the_one_that_the_project_has_locked() {
    let project = Project::shared("locked_driver", &run());
    python::copy_project("alembic_plain", project.root());
    project.file("migrations/env.py", ENV);
    let package = |name: &str, version: &str| {
        format!("[[package]]\nname = {name:?}\nversion = {version:?}\n")
    };
    for (driver, expected) in [("pg8000", "pg8000"), ("psycopg", "psycopg")] {
        let lock = package(driver, "1.31.6") + &package("sqlalchemy", "2.1.9");
        project.file("uv.lock", &lock);
        project.devdb(&["reset", "--yes"]).ok();
        assert_eq!(project.read("driver.txt"), expected);
    }
    // What is written down is left alone.
    project.file(
        "uv.lock",
        &(package("pg8000", "1.31.6") + &package("sqlalchemy", "2.1.9")),
    );
    let toml = project.read("devdb.toml");
    project.file(
        "devdb.toml",
        &format!("{toml}[env]\nDATABASE_URL = \"postgresql\"\n"),
    );
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(project.read("driver.txt"), "psycopg");
}

#[test]
fn a_server_is_reached_by_its_socket() {
    let server = local("socket_server");
    let sockets = tempfile::tempdir().unwrap();
    // The server may be another user's.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(sockets.path(), open).unwrap();
    let folder = sockets.path().display();
    let toml = server.read("devdb.toml");
    server.file(
        "devdb.toml",
        &format!("{toml}[server.settings]\nunix_socket_directories = \"{folder}\"\n"),
    );
    let ready = server.devdb(&["ready", "--json"]).ok().json();
    let port = &ready["port"];
    let project = Project::empty("socket");
    project.file(
        "devdb.toml",
        &format!(
            "name = {:?}\n[server]\nkind = \"url\"\nurl = \"postgresql://postgres:postgres@localhost:{port}/postgres?host={folder}\"\nallow_reset = true\n[database]\nname = \"over_socket\"\n{}[env]\nDATABASE_URL = \"postgresql+psycopg\"\n",
            project.name,
            run()
        ),
    );
    python::copy_project("alembic_plain", project.root());
    let ready = project.devdb(&["ready", "--json"]).ok().json();
    assert_eq!(ready["applied"].as_array().unwrap().len(), 3);
    let models = project.read("shop/models.py");
    let name = "    name = Column(Text, nullable=False)\n";
    let more = format!("{name}    more = Column(Integer)\n");
    project.file("shop/models.py", &models.replace(name, &more));
    let generated = project
        .devdb(&["generate", "over socket", "--json"])
        .ok()
        .json();
    assert_eq!(generated["proved"], true, "{generated}");
    project.devdb(&["reset", "--yes"]).ok();
    let user = "select count(*) from pg_stat_activity where datname = 'over_socket' and client_addr is not null";
    assert_eq!(
        project.devdb(&["psql", "-Atc", user]).ok().stdout.trim(),
        "0"
    );
    server.devdb(&["down", "--wipe", "--yes"]).ok();
}

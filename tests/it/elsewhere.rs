//! Engines and registries that are not this machine's usual ones.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::docker;
use crate::support::project::{Project, Run};
use crate::support::second_engine::SecondEngine;

fn project(name: &str) -> Project {
    let notes = ("1_notes.sql", "create table notes (body text);\n");
    let project = Project::in_docker(name, "name = \"app\"", &[notes]);
    let toml = project.read("devdb.toml");
    project
        .file("devdb.toml", &format!("{toml}schema = \"schema.sql\"\n"))
        .file("schema.sql", "create table notes (body text, at date);\n");
    project
}

#[test]
fn an_engine_on_another_machine_serves_as_one_here() {
    let engine = SecondEngine::start();
    for way in ["tls", "ssh"] {
        let project = project(&format!("elsewhere_{way}"));
        let devdb = |arguments: &[&str]| -> Run {
            let mut command = project.command(arguments);
            project.run({
                command.envs(engine.variables(way));
                command
            })
        };
        let up = devdb(&["up"]).ok();
        assert!(
            up.stderr.contains("is published on 127.0.0.2"),
            "{}",
            up.show()
        );
        let ready = devdb(&["ready", "--json"]).ok().json();
        let url = ready["url"].as_str().unwrap();
        assert!(url.contains("@127.0.0.2:"), "{url}");
        devdb(&["psql", "-c", "insert into notes values ('mine')"]).ok();
        devdb(&["reset", "--yes"]).ok();
        devdb(&["undo"]).ok();
        assert_eq!(
            devdb(&["psql", "-Atc", "select body from notes"])
                .ok()
                .stdout
                .trim(),
            "mine"
        );
        assert_eq!(
            devdb(&["generate", "at", "--json"]).ok().json()["proved"],
            true
        );
        devdb(&["reset", "--yes", "--full"]).ok();
        let baked = devdb(&["bake", "--json"]).ok().json();
        assert_eq!(baked["made"], true);
        let run = devdb(&[
            "run",
            "--server",
            "ephemeral",
            "-v",
            "--",
            "sh",
            "-c",
            "psql $DATABASE_URL -Atc 'select count(*) from notes'",
        ]);
        let run = run.ok();
        assert_eq!(run.stdout.trim(), "0");
        assert!(run.stderr.contains("from the image"), "{}", run.show());
        assert!(!devdb(&["logs", "--tail", "1"]).ok().stdout.is_empty());

        let folder = {
            let mut command = project.command(&["up", "--port", "auto"]);
            command
                .envs(engine.variables(way))
                .env("DEVDB_SERVER_DATA", "./data");
            project.run(command)
        };
        assert_eq!(folder.code, 2, "{}", folder.show());
        assert!(
            folder
                .stderr
                .contains("is on this machine, and the Docker engine is on 127.0.0.2"),
            "{}",
            folder.show()
        );

        devdb(&["down", "--wipe", "--yes"]).ok();
        for what in [
            &["ps", "--all", "--quiet"][..],
            &["volume", "ls", "--quiet"],
        ] {
            assert_eq!(engine.docker(what), "", "{way}: {what:?}");
        }
        let here = docker::docker(&[
            "ps",
            "--all",
            "--filter",
            &format!("name={}", project.repository()),
            "--quiet",
        ]);
        assert_eq!(
            here.unwrap(),
            "",
            "nothing was made on this machine's engine"
        );
    }
}

#[test]
fn an_engine_that_cannot_be_reached_is_named() {
    let project = project("nowhere");
    let up = |engine: &str| {
        let mut command = project.command(&["up"]);
        command
            .env("DOCKER_HOST", engine)
            .env_remove("DOCKER_TLS_VERIFY");
        project.run(command)
    };
    for (engine, said) in [
        (
            "ssh://127.0.0.1:1",
            "cannot reach the Docker engine at ssh://127.0.0.1:1",
        ),
        ("ssh://", "is no address to reach by ssh"),
        ("tcp://127.0.0.1:1", "the Docker engine is not running"),
    ] {
        let run = up(engine);
        assert!(run.code == 6 || run.code == 2, "{}", run.show());
        assert!(run.stderr.contains(said), "{engine}: {}", run.show());
        assert!(run.stderr.contains("hint:"), "{}", run.show());
    }
}

/// A registry of this machine, gone with the test.
struct Registry {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let config = folder.path().join("config.yml");
        let mut file = std::fs::File::create(&config).unwrap();
        write!(
            file,
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            folder.path().join("data").display()
        )
        .unwrap();
        let program = std::env::var("DEVDB_TEST_REGISTRY").expect("set by the test script");
        let process = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Registry {
            process,
            port,
            _folder: folder,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_image_goes_to_a_registry_and_serves_another_checkout() {
    let registry = Registry::start();
    let project = project("registry");
    let toml = project.read("devdb.toml");
    let repository = format!("127.0.0.1:{}/team/shop", registry.port);
    project.file(
        "devdb.toml",
        &format!("{toml}[bake]\nimage = \"{repository}\"\n"),
    );
    project.devdb(&["bake", "--push", "--json"]).ok();
    let image = project.devdb(&["bake", "--name"]).ok().stdout;
    let image = image.trim();
    docker::docker(&["rmi", "--force", image]).unwrap();

    // Another folder is another project, with the same files.
    let other = Project::empty("registry_other");
    for file in ["devdb.toml", "schema.sql", "migrations/1_notes.sql"] {
        other.file(file, &project.read(file));
    }
    docker::docker(&["pull", image]).unwrap();
    let ready = other.devdb(&["ready", "--json"]);
    other.devdb(&["down", "--wipe", "--yes"]).ok();
    docker::docker(&["rmi", "--force", image]).unwrap();
    let ready = ready.ok();
    assert_eq!(
        ready.json()["applied"],
        serde_json::json!([]),
        "{}",
        ready.show()
    );
    assert!(
        ready.stderr.contains("copying the data of an image"),
        "{}",
        ready.show()
    );
}

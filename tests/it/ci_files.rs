//! The files of docs/ci.md, step by step as their service would run them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::project::Project;
use crate::support::second_engine::SecondEngine;
use crate::support::server;

/// A pipeline: its variables and the lines of its script.
#[derive(Debug)]
struct Pipeline {
    variables: BTreeMap<String, String>,
    lines: Vec<String>,
}

/// Those of the page, in order.
fn pipelines() -> Vec<Pipeline> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap());
    texts
        .map(|text| pipeline(&serde_saphyr::from_str(text).unwrap()))
        .collect()
}

fn pipeline(file: &Value) -> Pipeline {
    let strings = |value: &Value| -> BTreeMap<String, String> {
        let all = value.as_object().into_iter().flatten();
        all.map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
    };
    if let Some(job) = file.get("jobs").and_then(|jobs| jobs.get("check")) {
        let steps = job["steps"].as_array().unwrap().iter();
        let lines = steps.filter_map(|step| step.get("run")?.as_str().map(str::to_owned));
        return Pipeline {
            variables: strings(&job["env"]),
            lines: lines.collect(),
        };
    }
    let job = &file["database"];
    let lines = job["script"].as_array().unwrap().iter();
    Pipeline {
        variables: strings(&job["variables"]),
        lines: lines
            .map(|line| line.as_str().unwrap().to_owned())
            .collect(),
    }
}

/// A program of that name which does `script`.
fn program(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A merge request: `origin/main`, and a branch with one migration more, checked out.
fn merge_request(name: &str) -> Project {
    let origin = Project::empty(&format!("{name}_origin"));
    origin
        .file("devdb.toml", &format!("name = {name:?}\n[server]\nimage = {:?}\n[database]\nname = \"app\"\n[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\nschema = \"schema.sql\"\n", server::image()))
        .file("schema.sql", "create table notes (body text);\n")
        .file("migrations/1_notes.sql", "create table notes (body text);\n");
    origin.commit("first");
    let project = Project::empty(name);
    let from = origin.root().display().to_string();
    project.git(&["clone", "--quiet", &from, "."]);
    project.git(&["switch", "--quiet", "--create", "feature"]);
    project
        .file("schema.sql", "create table notes (body text, at date);\n")
        .file(
            "migrations/2_at.sql",
            "alter table notes add column at date;\n",
        );
    project.git(&["add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "at"]);
    project
}

#[test]
fn the_steps_of_every_file_run() {
    let pipelines = pipelines();
    assert_eq!(pipelines.len(), 6, "{pipelines:?}");
    let engine = SecondEngine::start();
    // What such a machine brings, and what is not this project's.
    let tools = tempfile::tempdir().unwrap();
    let tests = "psql \"$DATABASE_URL\" -Atc \"select 'tests saw ' || count(*) from notes where at is null\"";
    let refuse = "echo \"$0 $*: not expected\" >&2; exit 9";
    for (name, script) in [
        (
            "cargo",
            format!(
                "case \"$*\" in 'install devdb --locked') ;; test) {tests} ;; *) {refuse} ;; esac"
            ),
        ),
        (
            "uv",
            format!("case \"$*\" in sync) ;; 'run pytest') {tests} ;; *) {refuse} ;; esac"),
        ),
        ("apt-get", String::new()),
        ("sudo", "exec \"$@\"".to_owned()),
    ] {
        program(tools.path(), name, &script);
    }
    let devdb = Path::new(env!("CARGO_BIN_EXE_devdb")).parent().unwrap();
    let path = format!(
        "{}:{}:{}",
        tools.path().display(),
        devdb.display(),
        std::env::var("PATH").unwrap()
    );
    for (at, pipeline) in pipelines.iter().enumerate() {
        let project = merge_request(&format!("ci-{at}-{}", std::process::id()));
        let mut variables = pipeline.variables.clone();
        if variables.contains_key("DEVDB_SERVER_URL") {
            // The service's container.
            variables.insert("DEVDB_SERVER_URL".into(), server::url());
        }
        if variables.contains_key("DOCKER_HOST") {
            variables.extend(engine.variables("tls"));
        }
        if variables
            .get("DEVDB_SERVER_KIND")
            .is_some_and(|kind| kind == "local")
        {
            let bin = std::env::var("DEVDB_TEST_PG_BIN").unwrap();
            variables.insert("DEVDB_PG_BIN".into(), bin);
        }
        variables.insert("GITHUB_BASE_REF".into(), "main".into());
        variables.insert("CI_MERGE_REQUEST_TARGET_BRANCH_NAME".into(), "main".into());
        variables.insert("PATH".into(), path.clone());
        let script = |line: &str| {
            // As both services run it.
            let mut command = Command::new("bash");
            let plain = project.command(&[]);
            for (name, value) in plain.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command.args(["-e", "-o", "pipefail", "-c", line]);
            command.current_dir(project.root()).envs(&variables);
            project.run(command)
        };
        let mut printed = String::new();
        let mut failed = None;
        for line in &pipeline.lines {
            let run = script(line);
            printed.push_str(&run.show());
            if run.code != 0 {
                failed = Some(line.clone());
                break;
            }
        }
        script("devdb down --wipe --yes");
        assert_eq!(failed, None, "file {at}: {printed}");
        assert!(printed.contains("tests saw 0"), "file {at}: {printed}");
        if pipeline.lines.iter().any(|line| line.contains("junit")) {
            assert!(
                project.read("devdb.xml").contains("<testsuite"),
                "file {at}"
            );
        }
    }
}

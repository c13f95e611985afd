//! `devdb bake`: what is in an image, who begins with it, and who must not.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::docker;
use crate::support::project::Project;
use crate::support::python;
use crate::support::server::image;

fn docker(arguments: &[&str]) -> String {
    docker::docker(arguments).unwrap_or_else(|why| panic!("docker {arguments:?}: {why}"))
}

/// Takes the project's server, its data and its images away, also when the test fails.
struct Gone(Project);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.devdb(&["down", "--wipe", "--yes"]);
        for image in images(&self.0) {
            let _ = docker::docker(&["rmi", "--force", &image]);
        }
    }
}

/// Tags of the project's repository.
fn images(project: &Project) -> Vec<String> {
    let repository = format!("devdb/{}", project.repository());
    let format = "{{.Repository}}:{{.Tag}}";
    let all = docker(&["images", &repository, "--format", format]);
    all.lines().map(str::to_owned).collect()
}

const ROLES: &str = "create role baked_reader;\nalter role baked_reader set work_mem = '5MB';\nalter database app set timezone = 'Asia/Tokyo';\n";

fn sqlx(name: &str) -> Gone {
    let notes = "create extension vector;\ncreate table notes (body text, at vector(2));\n";
    let rows = "insert into notes values ('first', '[1,2]');\n";
    Gone(Project::in_docker(
        name,
        "name = \"app\"\nuser = \"me\"\npassword = \"s3cret\"",
        &[
            ("1_notes.sql", notes),
            ("2_roles.sql", ROLES),
            ("3_rows.sql", rows),
        ],
    ))
}

fn psql(project: &Project, sql: &str) -> String {
    let run = project.devdb(&["psql", "-Atc", sql]).ok();
    run.stdout.trim().to_owned()
}

/// A container that any engine runs, gone with the test.
struct Container(String);

impl Container {
    fn start(name: &str, image: &str) -> Self {
        docker(&["run", "--detach", "--name", name, image]);
        Container(name.to_owned())
    }

    /// The first answer over TCP: nobody waits for an init phase.
    fn query(&self, sql: &str) -> String {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let arguments = [
                "exec",
                "--env",
                "PGPASSWORD=s3cret",
                &self.0,
                "psql",
                "-h",
                "127.0.0.1",
                "-U",
                "me",
                "-d",
                "app",
                "-Atc",
                sql,
            ];
            let done = Command::new("docker").args(arguments).output().unwrap();
            if done.status.success() {
                return String::from_utf8_lossy(&done.stdout).trim().to_owned();
            }
            assert!(Instant::now() < until, "{done:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker::docker(&["rm", "--force", "--volumes", &self.0]);
    }
}

#[test]
fn an_image_starts_at_head_on_any_engine() {
    let gone = sqlx("bake_any");
    let project = &gone.0;
    let named = project.devdb(&["bake", "--name"]).ok().stdout;
    assert_eq!(images(project), [""; 0], "a name makes nothing");
    let baked = project.devdb(&["bake", "--export", "head.tar", "--json"]);
    let baked = baked.ok().json();
    assert_eq!(
        (&baked["made"], &baked["migrations"]),
        (&true.into(), &3.into())
    );
    // Names are made readable in what is printed; docker wants the real one.
    let [image] = images(project).try_into().unwrap();
    let tag = |image: &str| {
        image
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    assert_eq!(tag(&image), tag(&named));

    let container = Container::start(&format!("{}-any", project.name), &image);
    let all = "select (select string_agg(body, ',') from notes) || ' ' || current_setting('timezone') || ' ' || \
         (select rolconfig[1] from pg_roles where rolname = 'baked_reader') || ' ' || \
         (select string_agg(datname, ',' order by datname) from pg_database)";
    assert_eq!(
        container.query(all),
        "first Asia/Tokyo work_mem=5MB app,postgres,template0,template1"
    );
    let labels = docker(&[
        "inspect",
        "--format",
        "{{json .Config.Labels}} {{json .Config.Env}}",
        &container.0,
    ]);
    for devdbs_own in ["dev.devdb.project", "dev.devdb.role", "s3cret"] {
        assert!(!labels.contains(devdbs_own), "{labels}");
    }
    drop(container);

    // What is there is not made again, unless it is asked for.
    let again = project.devdb(&["bake", "--json"]).ok().json();
    assert_eq!(again["made"], false);
    docker(&["rmi", "--force", &image]);
    docker(&[
        "load",
        "--input",
        project.path("head.tar").to_str().unwrap(),
    ]);
    let loaded = project.devdb(&["bake", "--json"]).ok().json();
    assert_eq!(loaded["made"], false, "the file holds the whole image");
}

#[test]
fn a_new_server_begins_with_the_image_that_fits() {
    let gone = sqlx("bake_begin");
    let project = &gone.0;
    project.devdb(&["bake"]).ok();
    let ready = project.devdb(&["ready", "--json", "-v"]).ok();
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
    assert_eq!(psql(project, "select body from notes"), "first");
    // What it brought is the state of a replay, and is known as that.
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(reset["from_baseline"], 3, "{reset}");
    let verified = project.devdb(&["reset", "--yes", "--verify", "--json"]);
    assert_eq!(verified.ok().json()["verified"], true);
    project.devdb(&["undo"]).ok();
    project.devdb(&["down", "--wipe", "--yes"]).ok();

    // For one command: no copy, no replay.
    let run = project.devdb(&[
        "run",
        "--server",
        "ephemeral",
        "-v",
        "--",
        "sh",
        "-c",
        "psql $DATABASE_URL -Atc 'select body from notes'",
    ]);
    let run = run.ok();
    assert_eq!(run.stdout.trim(), "first");
    assert!(
        run.stderr.contains("from the image") && !run.stderr.contains("replaying"),
        "{}",
        run.show()
    );

    // Another chain is another image; this one is no beginning of it.
    project.file(
        "migrations/4_more.sql",
        "insert into notes values ('second');\n",
    );
    let ready = project.devdb(&["ready", "-v"]).ok();
    assert!(
        !ready.stderr.contains("copying the data"),
        "{}",
        ready.show()
    );
    assert_eq!(psql(project, "select count(*) from notes"), "2");
    project.devdb(&["down", "--wipe", "--yes"]).ok();
    let before = images(project);
    project.devdb(&["bake"]).ok();
    project.file(
        "migrations/2_roles.sql",
        &format!("{ROLES}-- other bytes\n"),
    );
    project.devdb(&["bake"]).ok();
    assert_eq!(images(project).len(), before.len() + 2);
    project.file("migrations/5_last.sql", "select 1;\n");
    let baked = project.devdb(&["bake", "--json"]).ok().json();
    assert_eq!(
        baked["removed"].as_array().unwrap().len(),
        1,
        "three stay: {baked}"
    );

    // What cannot be baked leaves nothing.
    project.file("migrations/6_bad.sql", "select no_such_function();\n");
    let bad = project.devdb(&["bake"]);
    assert_eq!(bad.code, 7, "{}", bad.show());
    assert!(bad.stderr.contains("6_bad.sql"), "{}", bad.show());
    let left = docker(&[
        "ps",
        "--all",
        "--filter",
        &format!("name={}", project.repository()),
        "--format",
        "{{.Names}}",
    ]);
    assert_eq!(left.trim(), "");
}

#[test]
fn an_alembic_image_knows_the_modules_that_its_revisions_import() {
    let project = Project::empty("bake_alembic");
    python::copy_project("alembic_plain", project.root());
    let toml = format!(
        "name = {:?}\n[server]\nkind = \"docker\"\nimage = {:?}\n[migrations]\ntool = \"alembic\"\nrun = [{:?}, \"-m\", \"alembic\"]\n[env]\nDATABASE_URL = \"postgresql+psycopg\"\n",
        project.repository(),
        image(),
        python::python().display().to_string()
    );
    project.file("devdb.toml", &toml);
    let gone = Gone(project);
    let project = &gone.0;
    let versions = project.read_folder("migrations/versions");
    let first = format!("migrations/versions/{}", versions[0]);
    let text = project.read(&first);
    // Only in the function: nobody sees it before the revision has run.
    project.file("seeding.py", "ROWS = 1\n");
    project.file(
        &first,
        &text.replacen(
            "def upgrade():\n",
            "def upgrade():\n    import seeding\n\n    assert seeding.ROWS\n",
            1,
        ),
    );
    assert_ne!(project.read(&first), text);
    project.devdb(&["bake"]).ok();
    let begins = || {
        let ready = project.devdb(&["ready"]).ok();
        project.devdb(&["down", "--wipe", "--yes"]).ok();
        ready.stderr.contains("copying the data of an image")
    };
    assert!(begins());
    project.file("seeding.py", "ROWS = 2\n");
    assert!(!begins(), "a module changed that a revision imports");
    project.file("seeding.py", "ROWS = 1\n");
    assert!(begins());
}

#[test]
fn a_bake_can_be_killed_at_any_step() {
    let gone = sqlx("bake_killed");
    let project = &gone.0;
    let id = format!("devdb-{}", project.repository());
    let kill_at = |n: u32, arguments: &[&str]| {
        use std::os::unix::process::ExitStatusExt as _;
        let mut command = project.command(arguments);
        let done = command
            .env("DEVDB_TEST_FAULT", n.to_string())
            .output()
            .unwrap();
        done.status.signal() == Some(9)
    };
    let mut killed = 0;
    for n in (1u32..).step_by(13) {
        for image in images(project) {
            docker(&["rmi", "--force", &image]);
        }
        if !kill_at(n, &["bake"]) {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 5, "killed {killed} times only");
    // And where a server begins with the image.
    let mut killed = 0;
    for n in (1u32..).step_by(2) {
        project.devdb(&["down", "--wipe", "--yes"]).ok();
        if !kill_at(n, &["ready"]) {
            break;
        }
        killed += 1;
        project.devdb(&["ready"]).ok();
        assert_eq!(psql(project, "select body from notes"), "first");
    }
    assert!(killed >= 5, "killed {killed} times only");
    project.devdb(&["down", "--wipe", "--yes"]).ok();
    let filter = format!("name={id}");
    for what in [
        &["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"][..],
        &["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"],
    ] {
        assert_eq!(docker(what).trim(), "", "{what:?}");
    }
}

#[test]
fn what_cannot_be_an_image_is_said() {
    let gone = sqlx("bake_wrong");
    let project = &gone.0;
    let toml = project.read("devdb.toml");
    project.file(
        "devdb.toml",
        &format!("{toml}[bake]\nimage = \"ghcr.io/Team/shop:1\"\n"),
    );
    let run = project.devdb(&["bake"]);
    assert_eq!(run.code, 2, "{}", run.show());
    assert!(run.stderr.contains("bake.image"), "{}", run.show());
    project.file(
        "devdb.toml",
        &format!("{toml}[bake]\nimage = \"127.0.0.1:9/shop\"\n"),
    );
    let run = project.devdb(&["bake", "--push"]);
    assert_eq!(run.code, 6, "{}", run.show());
    assert!(
        run.stderr.contains("cannot push 127.0.0.1:9/shop:"),
        "{}",
        run.show()
    );
    docker(&[
        "rmi",
        "--force",
        docker(&["images", "127.0.0.1:9/shop", "--quiet"]).trim(),
    ]);
    let toml = toml.replace(
        "tool = \"sqlx\"\ndir = \"migrations\"",
        "tool = \"command\"\nup = \"true\"",
    );
    project.file("devdb.toml", &toml);
    let run = project.devdb(&["bake"]);
    assert_eq!(run.code, 2, "{}", run.show());
}

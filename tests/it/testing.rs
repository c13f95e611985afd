//! `devdb::testing`: what the tests of other crates call. Those tests are played by the ignored one
//! here, in processes of their own with another `CARGO_MANIFEST_DIR`.

use std::collections::BTreeSet;
use std::process::{Child, Command, Output, Stdio};

use devdb::testing::PostgresImage;
use sqlx::Row as _;
use testcontainers::runners::AsyncRunner as _;

use crate::kept::{local, query};
use crate::support::project::{Gone, Project};
use crate::support::server::image;

fn project(name: &str) -> Gone<Project> {
    let project = local(name);
    let toml = project.read("devdb.toml");
    let toml = format!("{toml}[env]\nAPP_DB = \"postgresql+psycopg\"\n");
    project.file("devdb.toml", &toml);
    // A crate in a workspace: the project is further up.
    project.file("crates/shop/Cargo.toml", "");
    Gone(project)
}

/// A process that runs one test of a crate in the project.
fn process(project: &Project, test: &str, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("CARGO_MANIFEST_DIR", project.path("crates/shop"))
        .env("DEVDB_STATE_DIR", project.path(".state"))
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The databases that a process named.
fn named(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let lines = text.lines().filter_map(|line| {
        let at = line.find("database: ")?;
        Some(line[at + "database: ".len()..].to_owned())
    });
    lines.collect()
}

fn scratch(project: &Project) -> String {
    query(
        project,
        "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%'",
    )
}

/// As a crate has it: four tests, each with a runtime of its own.
#[test]
#[ignore = "played for the others"]
fn four_tests_of_a_crate() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(uses_a_database());
            });
        }
    });
}

async fn uses_a_database() {
    let db = devdb::testing::database().await.unwrap();
    let body = "insert into notes values ('mine') returning (select count(*) from notes)";
    let row = sqlx::query(body).fetch_one(db.pool()).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
    let name = db.target().database.clone();
    assert!(db.url().ends_with(&name));
    let [(variable, url)] = db.variables() else {
        panic!("{:?}", db.variables());
    };
    assert_eq!(variable, "APP_DB");
    assert!(url.starts_with("postgresql+psycopg://"), "{url}");
    println!("database: {name}");
}

#[test]
#[ignore = "played for the others"]
fn a_test_that_hangs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let _db = devdb::testing::database().await.unwrap();
        std::fs::write(std::env::var("STARTED").unwrap(), "").unwrap();
        std::future::pending::<()>().await;
    });
}

#[test]
fn processes_at_the_same_time_share_the_baseline_and_no_database() {
    let project = project("testing");
    let test = "testing::four_tests_of_a_crate";
    // Nothing is up yet, and all come at once.
    let processes: Vec<Child> = (0..3).map(|_| process(&project.0, test, &[])).collect();
    let mut names = BTreeSet::new();
    for process in processes {
        for name in named(&process.wait_with_output().unwrap()) {
            assert!(names.insert(name.clone()), "{name} was had twice");
        }
    }
    assert_eq!(names.len(), 12);
    assert_eq!(scratch(&project.0), "", "they went with their values");
    let baselines = project.0.devdb(&["baseline", "list", "--json"]).ok().json();
    assert_eq!(baselines.as_array().unwrap().len(), 1, "{baselines}");
}

#[test]
fn what_a_killed_test_leaves_the_next_one_drops() {
    let project = project("testing_killed");
    let started = project.0.path("started");
    let variable = [("STARTED", started.to_str().unwrap())];
    let mut hung = process(&project.0, "testing::a_test_that_hangs", &variable);
    crate::serve::until("the test has its database", || {
        started.exists().then_some(())
    });
    hung.kill().unwrap();
    hung.wait().unwrap();
    assert_ne!(scratch(&project.0), "");
    let next = process(&project.0, "testing::four_tests_of_a_crate", &[]);
    assert_eq!(named(&next.wait_with_output().unwrap()).len(), 4);
    assert_eq!(scratch(&project.0), "");
}

#[test]
fn a_project_that_is_wrong_is_named() {
    let project = project("testing_wrong");
    project
        .0
        .file("migrations/2_wrong.sql", "create tabel x ();");
    let test = process(&project.0, "testing::four_tests_of_a_crate", &[]);
    let output = test.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("2_wrong.sql"), "{text}");
}

#[tokio::test]
#[ignore = "played for the others"]
async fn an_image_of_a_crate() {
    let image = PostgresImage::of_project().unwrap();
    let container = image.clone().start().await.unwrap();
    let port = container.get_host_port_ipv4(PostgresImage::PORT).await;
    let url = image.url("127.0.0.1", port.unwrap());
    // At the first attempt: it is ready.
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let sql = "select current_user::text, current_database()::text, current_setting('fsync')";
    let row = sqlx::query(sql).fetch_one(&pool).await.unwrap();
    let text = |at: usize| row.get::<String, _>(at);
    println!("database: {} {} {}", text(0), text(1), text(2));
}

#[test]
fn testcontainers_run_the_image_of_the_project() {
    let project = Gone(Project::empty("testing_image"));
    let toml = format!(
        "[server]\nkind = \"docker\"\nimage = {:?}\n[database]\nname = \"shop\"\nuser = \"owner\"\npassword = \"p@ss\"\n",
        image()
    );
    project.0.file("devdb.toml", &toml);
    project.0.file("crates/shop/Cargo.toml", "");
    let test = process(&project.0, "testing::an_image_of_a_crate", &[]);
    let named = named(&test.wait_with_output().unwrap());
    assert_eq!(named, ["owner shop off"]);
}

#[test]
#[ignore = "played for the others"]
fn a_test_in_a_slot() {
    println!("database: {:?}", devdb::testing::worker_url());
}

#[test]
fn a_slot_knows_its_database_of_a_run() {
    let project = Project::empty("testing_slot");
    let [first, second] = [
        ("DEVDB_URL_1", "postgresql://db/1"),
        ("DEVDB_URL_2", "postgresql://db/2"),
    ];
    let slot = |number| ("NEXTEST_TEST_GLOBAL_SLOT", number);
    let worker = ("PYTEST_XDIST_WORKER", "gw1");
    for (variables, wanted) in [
        (
            vec![first, second, slot("1")],
            "Some(\"postgresql://db/2\")",
        ),
        (
            vec![first, second, slot("0")],
            "Some(\"postgresql://db/1\")",
        ),
        (vec![first, second, slot("2")], "None"),
        (
            vec![first, second, slot(""), worker],
            "Some(\"postgresql://db/2\")",
        ),
        (vec![first, slot("")], "Some(\"postgresql://db/1\")"),
        (vec![slot("0")], "None"),
    ] {
        let played = process(&project, "testing::a_test_in_a_slot", &variables);
        let output = played.wait_with_output().unwrap();
        assert_eq!(named(&output), [wanted], "{variables:?}");
    }
}

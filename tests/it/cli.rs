//! The binary as a user meets it: stdout, stderr and exit code.

use insta::assert_snapshot;

use crate::support::project::Project;

const USERS: (&str, &str) = (
    "20260101000000_users.sql",
    "create table users (id bigint generated always as identity primary key, email text not null unique);\n",
);
const NOTES: (&str, &str) = (
    "20260102000000_notes.sql",
    "create table notes (id bigint primary key, author bigint references users, body text);\n",
);
const SCHEMA: &str = "create table users (id bigint generated always as identity primary key, email text not null unique);
create table notes (id bigint primary key, author bigint references users, body text, tags text[] not null default '{}');
create index notes_author on notes (author);
";

fn notes(name: &str) -> Project {
    Project::sqlx(name, &[USERS, NOTES], SCHEMA)
}

#[tokio::test]
async fn ready_makes_the_database_and_is_quick_the_second_time() {
    let project = notes("ready");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
    let json = project.devdb(&["ready", "--json"]).ok().json();
    assert_eq!(json["was_ready"], true);
    assert_eq!(
        project
            .value("select count(*)::text from _sqlx_migrations")
            .await
            .as_deref(),
        Some("2")
    );
}

#[tokio::test]
async fn generate_proves_a_migration_and_leaves_the_dev_database_alone() {
    let project = notes("generate");
    project.devdb(&["ready"]).ok();
    project
        .sql("alter table notes add column by_hand int; create table leaked (id int)")
        .await;
    let run = project.devdb(&["generate", "Add tags!"]);
    assert_snapshot!(run.show().replace(&written(&project), "[file]"), @"");
    let text = project.read(&written(&project));
    assert_snapshot!(text, @"");
    assert!(
        !text.contains("by_hand") && !text.contains("leaked"),
        "drift leaked: {text}"
    );
    let columns = "select string_agg(column_name, ' ' order by column_name) from information_schema.columns where table_name = 'notes'";
    assert_eq!(
        project.value(columns).await.as_deref(),
        Some("author body by_hand id")
    );
    let left = project.databases().await;
    assert!(
        !left.iter().any(|name| name.contains("scratch")),
        "{left:?}"
    );
    // The chain now gives what is wanted, so there is nothing more.
    assert_snapshot!(project.devdb(&["generate", "again"]).show(), @"");
}

/// The newest file of the chain.
fn written(project: &Project) -> String {
    let mut names: Vec<String> = std::fs::read_dir(project.path("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    format!("migrations/{}", names.pop().unwrap())
}

#[tokio::test]
async fn generate_writes_both_ways_where_the_chain_is_reversible() {
    let project = Project::sqlx(
        "reversible",
        &[
            (
                "1_users.up.sql",
                "create table users (id bigint primary key);\n",
            ),
            ("1_users.down.sql", "drop table users;\n"),
        ],
        "create type mood as enum ('ok', 'sad'); create table users (id bigint primary key, mood mood not null default 'ok');\n",
    );
    let run = project.devdb(&["generate", "moods", "--json"]).ok();
    let files = run.json()["files"].as_array().unwrap().clone();
    assert_eq!(files.len(), 2, "{}", run.show());
    assert_eq!(run.json()["proved"], true);
    assert_snapshot!(project.read("migrations/2_moods.up.sql"), @"");
    assert_snapshot!(project.read("migrations/2_moods.down.sql"), @"");
}

#[tokio::test]
async fn reset_takes_drift_away_and_undo_brings_it_back() {
    let project = notes("reset");
    project.devdb(&["ready"]).ok();
    project
        .sql("create table by_hand (id int); insert into by_hand values (42)")
        .await;
    assert_snapshot!(project.devdb(&["reset"]).show(), @"");
    assert_snapshot!(project.devdb(&["reset", "--yes"]).show(), @"");
    let by_hand = "select to_regclass('by_hand')::text";
    let there = "select count(*)::text from pg_tables where tablename = 'by_hand'";
    assert_eq!(
        project.value(there).await.as_deref(),
        Some("0"),
        "{by_hand}"
    );
    assert_snapshot!(project.devdb(&["undo"]).show(), @"");
    assert_eq!(
        project
            .value("select id::text from by_hand")
            .await
            .as_deref(),
        Some("42")
    );
    project.devdb(&["undo"]).ok();
    assert_eq!(project.value(there).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn undo_without_a_reset_is_refused() {
    let project = notes("undo");
    project.devdb(&["ready"]).ok();
    assert_snapshot!(project.devdb(&["undo"]).show(), @"");
}

#[tokio::test]
async fn status_and_history_tell_what_is_applied() {
    let project = notes("status");
    project.devdb(&["migrate", "--to", "20260101000000"]).ok();
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["applied"], 1);
    assert_eq!(status["database"]["pending"][0], "20260102000000 notes");
    let history = project.devdb(&["history", "--json"]).ok().json();
    assert_eq!(history[0]["applied"], true);
    assert_eq!(history[1]["applied"], false);
    assert_snapshot!(project.devdb(&["migrate"]).show(), @"");
    assert_snapshot!(project.devdb(&["migrate"]).show(), @"");
    assert_snapshot!(project.devdb(&["rollback"]).show(), @"");
}

#[tokio::test]
async fn a_failing_migration_is_shown_with_its_place() {
    let project = Project::sqlx(
        "failing",
        &[
            USERS,
            (
                "20260103000000_bad.sql",
                "select 1;\nalter table users add colunm x int;\n",
            ),
        ],
        "",
    );
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
}

#[tokio::test]
async fn an_error_in_the_wanted_schema_is_shown_with_its_place() {
    let project = Project::sqlx(
        "badschema",
        &[USERS],
        "create table x (\n  id bigint,\n  y nonsense\n);\n",
    );
    assert_snapshot!(project.devdb(&["generate", "x"]).show(), @"");
    assert!(
        !project
            .databases()
            .await
            .iter()
            .any(|n| n.contains("scratch"))
    );
}

#[tokio::test]
async fn an_edited_file_is_named() {
    let project = notes("edited");
    project.devdb(&["ready"]).ok();
    project.file(
        "migrations/20260102000000_notes.sql",
        "create table notes (id int);\n",
    );
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let project = notes("missing");
    project.devdb(&["ready"]).ok();
    std::fs::remove_file(project.path("migrations/20260102000000_notes.sql")).unwrap();
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
}

#[tokio::test]
async fn an_unknown_extension_is_named() {
    let project = Project::shared("extension", "extensions = [\"no_such_thing\"]");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
}

#[tokio::test]
async fn a_url_server_is_only_changed_where_that_is_allowed() {
    let project = notes("refused");
    let toml = project
        .read("devdb.toml")
        .replace("allow_reset = true\n", "");
    project.file("devdb.toml", &toml);
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
    assert_snapshot!(project.devdb(&["down", "--wipe", "--yes"]).show(), @"");
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let project = Project::empty("nowhere");
    project.file(
        "devdb.toml",
        "[server]\nkind = \"url\"\nurl = \"postgresql://me:secret@127.0.0.1:1/postgres\"\n",
    );
    let run = project.devdb(&["ready"]);
    assert!(!run.show().contains("secret"), "{}", run.show());
    assert_snapshot!(run.show(), @"");
}

#[test]
fn mistakes_in_settings_are_named_with_their_place() {
    let project = Project::empty("mistakes");
    project.file("devdb.toml", "[server]\nprot = 5432\n");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
    project.file("devdb.toml", "[server]\nkind = \"dokcer\"\n");
    assert_snapshot!(project.devdb(&["up"]).show(), @"");
    project.file(
        "devdb.toml",
        "[server]\nurl = \"postgresql://db/x\"\nkind = \"docker\"\n",
    );
    assert_snapshot!(project.devdb(&["up"]).show(), @"");
    project.file("devdb.toml", "[server]\nkind = \"url\"\n");
    assert_snapshot!(project.devdb(&["up"]).show(), @"");
    project.file(
        "devdb.toml",
        "[server]\nkind = \"url\"\nurl = \"mysql://db/x\"\n",
    );
    assert_snapshot!(project.devdb(&["up"]).show(), @"");
    project.file(
        "devdb.toml",
        "[migrations]\ntool = \"sqlx\"\ndir = \"nowhere\"\n",
    );
    assert_snapshot!(project.devdb(&["ready"]).show(), @"");
    project.file("devdb.toml", "[env]\nX = \"{hots}\"\n");
    assert_snapshot!(project.devdb(&["env"]).show(), @"");
    project.file("devdb.toml", "[database\n");
    assert_snapshot!(project.devdb(&["config"]).show(), @"");
    project
        .file("devdb.toml", "name = \"x\"\n")
        .file(".env", "DEVDB_SERVER_PORT=many\n");
    assert_snapshot!(project.devdb(&["config"]).show(), @"");
}

#[test]
fn a_project_without_migrations_says_so() {
    let project = Project::empty("none");
    project.file("devdb.toml", "name = \"none\"\n");
    assert_snapshot!(project.devdb(&["generate", "x"]).show(), @"");
    assert_snapshot!(project.devdb(&["generate", " "]).show(), @"");
}

#[test]
fn config_shows_every_value_with_its_origin() {
    let project = Project::empty("config");
    project
        .file("devdb.toml", "name = \"shop\"\n[server]\nport = 5433\n[database]\nextensions = [\"vector\"]\n")
        .file(".env", "DEVDB_DATABASE_NAME=from_env_file\nAPP_DB=postgresql+asyncpg://me:pw@localhost:6000/other\n")
        .file("migrations/1_a.sql", "select 1;\n");
    let mut command = project.command(&["config", "--image", "x:1"]);
    command.env("DEVDB_SERVER_WAIT", "5");
    let run = project.run(command);
    let stdout = run.stdout.clone();
    assert_snapshot!(stdout, @"");
}

#[test]
fn init_writes_what_was_found() {
    let project = Project::empty("init");
    project
        .file("compose.yaml", "services:\n  db:\n    image: pgvector/pgvector:pg16\n    ports: [\"5499:5432\"]\n    environment: {POSTGRES_USER: me, POSTGRES_PASSWORD: pw, POSTGRES_DB: app}\n")
        .file("backend/alembic.ini", "[alembic]\nscript_location = alembic\n");
    assert_snapshot!(project.devdb(&["init"]).show(), @"");
    assert_snapshot!(project.devdb(&["init"]).show(), @"");
    project.devdb(&["config"]).ok();
}

#[test]
fn the_exit_codes_are_those_of_the_table() {
    use devdb::error::ErrorKind::*;
    let text = include_str!("../../docs/exit-codes.md");
    for (kind, words) in [
        (Failed, "error"),
        (Usage, "usage"),
        (Differs, "a difference was found"),
        (Unproved, "not proved"),
        (Refused, "refused"),
        (Server, "no server"),
        (Migration, "a migration failed"),
        (Interrupted, "interrupted"),
    ] {
        let row = format!("| {} | {words} |", kind.exit_code());
        assert!(text.contains(&row), "docs/exit-codes.md lacks {row}");
    }
    assert_eq!(Project::empty("usage").devdb(&["--nonsense"]).code, 2);
}

#[test]
fn completions_and_help_are_there() {
    let project = Project::empty("help");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            project
                .devdb(&["completions", shell])
                .ok()
                .stdout
                .contains("generate")
        );
    }
    assert_snapshot!(project.devdb(&["--help"]).ok().stdout, @"");
}

//! The binary as a user meets it: stdout, stderr and exit code.

use insta::assert_snapshot;

use crate::support::dump::Dumper;
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
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    ✓ replaying migrations: 2 migrations
    ✓ [app] ready, 2 migrations applied
    ");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    ✓ [app] ready
    ");
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
    let before = Dumper::new().dump(&project.name);
    let run = project.devdb(&["generate", "Add tags!"]);
    assert_eq!(Dumper::new().dump(&project.name), before);
    assert_snapshot!(run.show().replace(&written(&project), "[file]"), @"
    exit: 0
    ----- stdout -----
    [file]
    ----- stderr -----
    ✓ replaying migrations: 2 migrations
    ✓ comparing schemas: 3 changes
    ✓ replaying migrations: 1 migration
    ✓ proving the migration: it gives the wanted schema, and rows stay
      + column public.notes.tags text[]
      + default public.notes.tags '{}'::text[]
      + index public.notes_author CREATE INDEX notes_author ON public.notes USING btree (author)
    hazard: index public.notes_author: index-build: table public.notes cannot be written to while the index is built
    ✓ written and proved on a clone; the dev database was not touched
      next: look at the file, then `devdb migrate`
    ");
    let text = project.read(&written(&project));
    assert_snapshot!(text, @"
    -- lock: access exclusive on table public.notes
    ALTER TABLE public.notes ADD COLUMN tags text[] DEFAULT '{}'::text[] NOT NULL;
    -- index-build: table public.notes cannot be written to while the index is built
    -- lock: share on table public.notes
    CREATE INDEX notes_author ON public.notes USING btree (author);
    ");
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
    assert_snapshot!(project.devdb(&["generate", "again"]).show(), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ replaying migrations: 3 migrations
    ✓ comparing schemas: no difference
    ✓ nothing to generate: the chain already gives what is wanted
    ");
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
    assert_snapshot!(project.read("migrations/2_moods.up.sql"), @"
    CREATE TYPE public.mood AS ENUM ('ok', 'sad');
    -- lock: access exclusive on table public.users
    ALTER TABLE public.users ADD COLUMN mood public.mood DEFAULT 'ok'::public.mood NOT NULL;
    ");
    assert_snapshot!(project.read("migrations/2_moods.down.sql"), @"
    -- data-loss: every value of column public.users.mood goes away
    -- lock: access exclusive on table public.users
    ALTER TABLE public.users DROP COLUMN mood;
    DROP TYPE public.mood;
    ");
}

#[tokio::test]
async fn reset_takes_drift_away_and_undo_brings_it_back() {
    let project = notes("reset");
    project.devdb(&["ready"]).ok();
    project
        .sql("create table by_hand (id int); insert into by_hand values (42)")
        .await;
    assert_snapshot!(project.devdb(&["reset"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: devdb does not reset a dev database without being asked
    hint: add --yes where nobody can answer
    ");
    assert_snapshot!(project.devdb(&["reset", "--yes"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    · only the dev database is replaced: roles and other databases of this server stay
    ✓ replaying migrations: 2 migrations
    ✓ [app] is clean: 2 migrations replayed
      the old data is kept aside (database devdb_[app]_[hash]_aside_[hash]): `devdb undo` brings it back
    ");
    let there = "select count(*)::text from pg_tables where tablename = 'by_hand'";
    assert_eq!(project.value(there).await.as_deref(), Some("0"));
    assert_snapshot!(project.devdb(&["undo"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    ✓ [app] has back what was put aside
      what was there is kept aside: `devdb undo` swaps again
    ");
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
async fn what_one_dev_database_put_aside_is_not_brought_back_as_another() {
    let project = notes("aside");
    let other = format!("{}_other", project.name);
    project.devdb(&["ready"]).ok();
    project.devdb(&["--database", &other, "ready"]).ok();
    project.devdb(&["reset", "--yes"]).ok();
    let undo = project.devdb(&["--database", &other, "undo"]);
    assert_eq!(undo.code, 5, "{}", undo.show());
    project.devdb(&["undo"]).ok();
}

#[tokio::test]
async fn an_extension_that_is_added_later_is_made() {
    let project = notes("later");
    project.devdb(&["ready"]).ok();
    let toml = project.read("devdb.toml");
    project.file(
        "devdb.toml",
        &toml.replace("[database]\n", "[database]\nextensions = [\"pg_trgm\"]\n"),
    );
    project.devdb(&["ready"]).ok();
    let there = "select count(*)::text from pg_extension where extname = 'pg_trgm'";
    assert_eq!(project.value(there).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn session_options_of_the_caller_do_not_reach_a_replay() {
    let project = notes("pgoptions");
    let mut command = project.command(&["ready"]);
    command.env("PGOPTIONS", "-c search_path=nowhere");
    project.run(command).ok();
}

#[tokio::test]
async fn a_schema_as_pg_dump_writes_it_is_taken_and_other_psql_commands_are_named() {
    let project = notes("meta");
    project.file(
        "schema.sql",
        &format!("\\restrict abc\n{SCHEMA}\\unrestrict abc\n"),
    );
    project.devdb(&["generate", "x"]).ok();
    project.file("schema.sql", "\\set x 1\n");
    assert_snapshot!(project.devdb(&["generate", "y"]).show(), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ replaying migrations: 3 migrations
    error: schema.sql:1: syntax error at or near "\" (42601)
      [root]/schema.sql:1:1
      1 | \set x 1
        | ^
    hint: commands of psql, which begin with a backslash, are not SQL: take them out
    "#);
}

#[tokio::test]
async fn undo_without_a_reset_is_refused() {
    let project = notes("undo");
    project.devdb(&["ready"]).ok();
    assert_snapshot!(project.devdb(&["undo"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: there is nothing to undo: no reset has put anything aside
    hint: `devdb status` says what is kept
    ");
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
    assert_snapshot!(project.devdb(&["migrate"]).show(), @"
    exit: 0
    ----- stdout -----
    20260102000000 notes
    ----- stderr -----
    ✓ replaying migrations: 1 migration
    ✓ [app]: 1 migration applied
    ");
    assert_snapshot!(project.devdb(&["migrate"]).show(), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ [app]: nothing to do
    ");
    assert_snapshot!(project.devdb(&["rollback"]).show(), @"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: 20260102000000_notes.sql cannot be rolled back: it has no down file; nothing was run
    hint: write the .down.sql file, or use `devdb reset`
    ");
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
    assert_snapshot!(project.devdb(&["ready"]).show(), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: 20260103000000_bad.sql:2: syntax error at or near "int" (42601)
      [root]/migrations/20260103000000_bad.sql:2:32
      1 | select 1;
      2 | alter table users add colunm x int;
        |                                ^
    hint: nothing of this file was kept; those before it stay applied. Mend it and run again
    "#);
}

#[tokio::test]
async fn an_error_in_the_wanted_schema_is_shown_with_its_place() {
    let project = Project::sqlx(
        "badschema",
        &[USERS],
        "create table x (\n  id bigint,\n  y nonsense\n);\n",
    );
    assert_snapshot!(project.devdb(&["generate", "x"]).show(), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ replaying migrations: 1 migration
    error: schema.sql:3: type "nonsense" does not exist (42704)
      [root]/schema.sql:3:5
      2 |   id bigint,
      3 |   y nonsense
        |     ^
      4 | );
    "#);
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
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: 20260102000000_notes.sql was changed after it was applied
    hint: put it back and write a further migration; or `devdb reset` if it was not released yet
    ");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let project = notes("missing");
    project.devdb(&["ready"]).ok();
    std::fs::remove_file(project.path("migrations/20260102000000_notes.sql")).unwrap();
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    error: migration 20260102000000 (notes) is applied, but its file is gone
    hint: bring the file back (another branch?), or `devdb reset`
    ");
}

#[tokio::test]
async fn an_unknown_extension_is_named() {
    let project = Project::shared("extension", "extensions = [\"no_such_thing\"]");
    assert_snapshot!(project.devdb(&["ready"]).show(), @r#"
    exit: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot create the extension no_such_thing: extension "no_such_thing" is not available (0A000)
      Could not open extension control file "/usr/share/postgresql/17/extension/no_such_thing.control": No such file or directory.
    hint: this server does not have it: choose an image that does, such as pgvector/pgvector:pg17
    "#);
}

#[tokio::test]
async fn a_url_server_is_only_changed_where_that_is_allowed() {
    let project = notes("refused");
    let toml = project
        .read("devdb.toml")
        .replace("allow_reset = true\n", "");
    project.file("devdb.toml", &toml);
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: devdb may not create the database [app]: the server is given by URL
    hint: set allow_reset = true under [server] if this server is only for development
    ");
    assert_snapshot!(project.devdb(&["down", "--wipe", "--yes"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: will not wipe the server at 127.0.0.1:[port]: devdb did not make it
    hint: do that where the server runs; devdb only works on databases there
    ");
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
    assert_snapshot!(run.show(), @"
    exit: 6
    ----- stdout -----
    ----- stderr -----
    error: cannot connect to postgresql://me@127.0.0.1:1/postgres: error communicating with database: Connection refused (os error 111)
    hint: start that server, or correct `url` under [server]
    ");
}

#[test]
fn mistakes_in_settings_are_named_with_their_place() {
    let project = Project::empty("mistakes");
    project.file("devdb.toml", "[server]\nprot = 5432\n");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:2: unknown key `server.prot`
    hint: did you mean `server.port`?
    ");
    project.file("devdb.toml", "[server]\nkind = \"dokcer\"\n");
    assert_snapshot!(project.devdb(&["up"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:2: server.kind = "dokcer", but it must be one of "auto", "docker", "local", "url"
    hint: did you mean "docker"?
    "#);
    project.file(
        "devdb.toml",
        "[server]\nurl = \"postgresql://db/x\"\nkind = \"docker\"\n",
    );
    assert_snapshot!(project.devdb(&["up"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:2: server.url contradicts devdb.toml:3: server.kind: a URL is only used with kind = "url", not "docker"
    hint: set kind = "url", or leave out the URL
    "#);
    project.file("devdb.toml", "[server]\nkind = \"url\"\n");
    assert_snapshot!(project.devdb(&["up"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:2: server.kind = "url", but server.url is missing
    hint: add url = "postgresql://user:password@host:5432/postgres" to [server]
    "#);
    project.file(
        "devdb.toml",
        "[server]\nkind = \"url\"\nurl = \"mysql://db/x\"\n",
    );
    assert_snapshot!(project.devdb(&["up"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:3: not a Postgres URL: its scheme is "mysql"
    hint: write it as postgresql://user:password@host:5432/database
    "#);
    project.file(
        "devdb.toml",
        "[migrations]\ntool = \"sqlx\"\ndir = \"nowhere\"\n",
    );
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:3: migrations.dir is [root]/nowhere, which is no folder
    hint: paths are relative to [root]
    ");
    project.file("devdb.toml", "[env]\nX = \"{hots}\"\n");
    assert_snapshot!(project.devdb(&["env"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:1: env.X = "{hots}" has the unknown part {hots}
    hint: the parts are {url}, {host}, {port}, {user}, {password}, {database}
    "#);
    project.file("devdb.toml", "[env]\n\"A B\" = \"postgresql\"\n");
    assert_snapshot!(project.devdb(&["env"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:1: "A B" cannot be the name of a variable
    hint: letters, digits and _ make a name
    "#);
    project.file("devdb.toml", "[database\n");
    assert_snapshot!(project.devdb(&["config"]).show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.toml:1: unclosed table, expected `]`
    hint: devdb.toml is TOML: see docs/configuration.md for every key
    ");
    project
        .file("devdb.toml", "name = \"x\"\n")
        .file(".env", "DEVDB_SERVER_PORT=many\n");
    assert_snapshot!(project.devdb(&["config"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: .env: DEVDB_SERVER_PORT: server.port = "many", but it must be "auto" or a number from 1 to 65535
    "#);
}

#[test]
fn a_project_without_migrations_says_so() {
    let project = Project::empty("none");
    project.file("devdb.toml", "name = \"none\"\n");
    assert_snapshot!(project.devdb(&["generate", "x"]).show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: no migrations found in [root]
    hint: set tool and dir under [migrations] in devdb.toml; `devdb init` writes one
    ");
    assert_snapshot!(project.devdb(&["generate", " "]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the message is empty
    hint: say what the migration does: devdb generate "add tags"
    "#);
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
    assert_snapshot!(stdout, @r#"
    name                 "shop"                           devdb.toml:1
    server.kind          "auto"                           default
    server.image         "x:1"                            --image
    server.port          5433                             devdb.toml:3
    server.data          "volume"                         default
    server.wait          5                                environment: DEVDB_SERVER_WAIT
    database.name        "from_env_file"                  .env: DEVDB_DATABASE_NAME
    database.user        "postgres"                       default
    database.password    "…"                              default
    database.extensions  ["vector"]                       devdb.toml:5
    migrations.tool      "sqlx"                           found: sqlx files in migrations
    migrations.dir       "migrations"                     found: sqlx files in migrations
    bake.image           "devdb/shop"                     default
    env                  { DATABASE_URL = "postgresql" }  default
    "#);
}

#[test]
fn init_writes_what_was_found() {
    let project = Project::empty("init");
    project
        .file("compose.yaml", "services:\n  db:\n    image: pgvector/pgvector:pg16\n    ports: [\"5499:5432\"]\n    environment: {POSTGRES_USER: me, POSTGRES_PASSWORD: pw, POSTGRES_DB: app}\n")
        .file("backend/alembic.ini", "[alembic]\nscript_location = alembic\n");
    assert_snapshot!(project.devdb(&["init"]).show(), @r#"
    exit: 0
    ----- stdout -----
    # devdb: see docs/configuration.md. Lines with # are the defaults.
    name = "[folder]"

    [server]
    # kind = "auto"
    compose = "compose.yaml:db"
    # data = "volume"
    # wait = 60

    [migrations]
    tool = "alembic"
    dir = "backend"

    [env]
    DATABASE_URL = "postgresql"
    ----- stderr -----
    ✓ [root]/devdb.toml is written
    "#);
    assert_snapshot!(project.devdb(&["init"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    error: [root]/devdb.toml is there already
    hint: --force replaces it
    ");
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
    assert_snapshot!(project.devdb(&["--help"]).ok().stdout, @r#"
    The right Postgres for every developer and every CI job, in one command

    Usage: devdb [OPTIONS] <COMMAND>

    Commands:
      ready        Server up, database there, every migration applied; prints the URL
      reset        Give the dev database the state that a wiped server and a full replay give
      undo         Bring back what the last reset put aside
      generate     Write a migration, autogenerated against a clean baseline and proved on a clone
                   [alias: gen]
      check        Whether the migrations are fit to be merged: the one command for a pipeline
      run          Run a command with a throw-away database at head
      serve        Lend clean databases at head over HTTP, to test runners in any language
      bake         Make an image whose server is at head from its first moment
      snapshot     Saved states of the dev database, with its data
      switch       Give each git branch a dev database of its own: park this one, bring back that one
      migrate      Apply pending migrations to the dev database
      rollback     Take migrations of the dev database back
      history      The chain of migrations, and what of it is applied
      heads        The migrations that nothing builds on, with who made them
      show         One migration: what it builds on, who made it, its text
      merge        Join the heads of an Alembic chain, and prove that they go together
      stamp        Say that the dev database is at a migration, without running anything
      status       The server, the dev database and how it stands to the chain
      drift        What the dev database has that no migration made, or lacks that one made
      diff         The SQL that leads from one schema to another
      schema       A schema as text or as a picture, the same for the same schema
      clone        Make a database at head that stays until `devdb drop`, and print its URL
      drop         Drop a database that `devdb clone` made
      baseline     What replays gave, kept on the server so that `reset` and `generate` are clones of it
      tidy         Drop what resets replaced long ago and keep the next reset ready; other commands have
                   this done in the background
      up           Start the server, without touching any database
      down         Stop the server; data stays unless --wipe
      logs         Show what the server logged
      url          Print the URL of the dev database
      env          Print the variables through which the project reads its database
      psql         Open psql in the dev database
      config       Print every setting with its origin
      init         Write a devdb.toml from what is found in the project
      completions  Print completions for a shell

    Options:
      -C, --project <DIR>  Work for the project in this folder
          --config <FILE>  Read this file instead of the nearest devdb.toml
          --json           Print the result as JSON on stdout
      -q, --quiet          Say only what went wrong
      -v, --verbose        Say more: decisions and the output of other programs
          --color <WHEN>   When to use colours (NO_COLOR is obeyed) [default: auto] [possible values:
                           auto, always, never]
      -h, --help           Print help
      -V, --version        Print version

    Settings:
          --server <KIND>    Where Postgres runs: auto, docker, local or url
          --image <IMAGE>    The image of the server
          --port <PORT>      The port of the server on 127.0.0.1, or auto
          --database <NAME>  The name of the dev database

    Examples:
      devdb ready                 server up, database there, every migration applied; prints the URL
      devdb generate "add tags"   a migration against a clean baseline, proved, without touching the dev
      database
      devdb reset                 the state that a wiped server and a full replay give; `devdb undo`
      takes it back

    Exit codes: 0 done, 1 error, 2 usage, 3 difference found, 4 not proved, 5 refused, 6 no server, 7
    migration failed
    "#);
}

#[tokio::test]
async fn a_proof_that_made_up_rows_are_in_the_way_of_is_repeated_without_them() {
    let wanted = "create table notes (id int primary key, status varchar(9) check (status in ('new', 'old')), n int check (n > 100));\n";
    let project = Project::sqlx(
        "rows_in_the_way",
        &[(
            "1_notes.sql",
            "create table notes (id int primary key, status varchar(9), n int);\n",
        )],
        wanted,
    );
    let run = project.devdb(&["generate", "checks", "--json"]).ok();
    let hazards = run.json()["hazards"].to_string();
    assert!(hazards.contains("proved on empty tables"), "{hazards}");
    assert!(hazards.contains("notes_n_check"), "{hazards}");
    // What Postgres prints of `varchar IN (…)` is another text once it has read it.
    let again = project.devdb(&["generate", "nothing", "--json"]).ok();
    assert_eq!(again.json()["files"], serde_json::json!([]));
}

#[tokio::test]
async fn an_online_migration_is_one_file_for_each_transaction_and_each_takes_itself_back() {
    let wanted = "create table users (id int primary key);\n\
         create table notes (id int primary key, n int references users);\n\
         create index notes_n on notes (n);\n";
    let project = Project::sqlx(
        "online",
        &[
            (
                "1_notes.up.sql",
                "create table users (id int primary key); create table notes (id int primary key, n int);\n",
            ),
            ("1_notes.down.sql", "drop table notes; drop table users;\n"),
        ],
        wanted,
    );
    project.devdb(&["ready"]).ok();
    let run = project
        .devdb(&["generate", "keys", "--online", "--json"])
        .ok();
    let files = run.json()["files"].as_array().unwrap().len();
    assert_eq!(files, 6, "three transactions, up and down");
    let both = |n: &str| {
        let up = project.read(&format!("migrations/{n}.up.sql"));
        let down = project.read(&format!("migrations/{n}.down.sql"));
        format!("{up}{down}")
    };
    assert_snapshot!(both("2_keys"), @"
    -- lock: share row exclusive on table public.notes, share row exclusive on table public.users
    ALTER TABLE public.notes ADD CONSTRAINT notes_n_fkey FOREIGN KEY (n) REFERENCES public.users(id) NOT VALID;
    -- lock: access exclusive on table public.notes, access exclusive on table public.users
    ALTER TABLE public.notes DROP CONSTRAINT notes_n_fkey;
    ");
    assert_snapshot!(both("3_keys_2"), @"
    -- no-transaction
    -- own-transaction: runs outside a transaction; where it fails, an invalid index stays
    CREATE INDEX CONCURRENTLY notes_n ON public.notes USING btree (n);
    -- no-transaction
    -- own-transaction: runs outside a transaction; where it fails, an invalid index stays
    DROP INDEX CONCURRENTLY public.notes_n;
    ");
    assert_snapshot!(both("4_keys_3"), @"
    -- depends-on-rows: fails where a row of table public.notes breaks it
    ALTER TABLE public.notes VALIDATE CONSTRAINT notes_n_fkey;
    -- lock: access exclusive on table public.notes, access exclusive on table public.users
    ALTER TABLE public.notes DROP CONSTRAINT notes_n_fkey;
    -- lock: share row exclusive on table public.notes, share row exclusive on table public.users
    ALTER TABLE public.notes ADD CONSTRAINT notes_n_fkey FOREIGN KEY (n) REFERENCES public.users(id) NOT VALID;
    ");
    project.devdb(&["ready"]).ok();
    project.devdb(&["rollback", "--steps", "1"]).ok();
    project.devdb(&["ready"]).ok();
    project
        .devdb(&["diff", "dev", "wanted", "--exit-code"])
        .ok();
}

#[tokio::test]
async fn a_loss_says_how_many_rows_it_is_about() {
    let project = Project::sqlx(
        "stakes",
        &[(
            "1_notes.sql",
            "create table notes (id int primary key, n int, gone text);\n",
        )],
        "create table notes (id int primary key, n int);\n",
    );
    project.devdb(&["ready"]).ok();
    let sql = "insert into notes values (1, 1, 'x'), (2, 2, null), (3, 3, 'y')";
    project.devdb(&["psql", "-c", sql]).ok();
    let run = project.devdb(&["diff", "dev", "wanted"]).ok();
    assert!(
        run.stdout
            .contains("every value of column public.notes.gone goes away (2 rows)"),
        "{}",
        run.stdout
    );
    let run = project.devdb(&["generate", "less", "--json"]).ok();
    let hazards = run.json()["hazards"].to_string();
    assert!(hazards.contains("(2 rows)"), "{hazards}");
    // The file is for everybody's database.
    assert!(!project.read(&written(&project)).contains("rows)"));
}

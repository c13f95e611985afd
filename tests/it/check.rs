//! `devdb check`: the one command for a pipeline.

use insta::assert_snapshot;

use devdb::postgres::{self, database};

use crate::support::project::Project;

const SCHEMA: &str = "create table users (id int primary key, name text);\n";

fn sqlx(name: &str) -> Project {
    let project = Project::sqlx(
        name,
        &[
            (
                "20260101000000_users.up.sql",
                "create table users (id int primary key);\n",
            ),
            ("20260101000000_users.down.sql", "drop table users;\n"),
            (
                "20260201000000_name.up.sql",
                "alter table users add name text;\n",
            ),
            (
                "20260201000000_name.down.sql",
                "alter table users drop name;\n",
            ),
        ],
        SCHEMA,
    );
    project.commit("main");
    project.git(&["switch", "--quiet", "--create", "work"]);
    project
}

fn alembic(name: &str) -> Project {
    let project = Project::alembic(name, "alembic_plain", "");
    project.commit("main");
    project.git(&["switch", "--quiet", "--create", "work"]);
    project
}

/// Without the commit's id.
fn shown(project: &Project, text: &str) -> String {
    let output = std::process::Command::new("git")
        .args(["rev-parse", "main"])
        .current_dir(project.root())
        .output()
        .unwrap();
    let commit = String::from_utf8(output.stdout).unwrap();
    text.replace(&commit[..9], "[commit]")
}

#[tokio::test]
async fn a_good_branch_passes() {
    let project = sqlx("check_good");
    project.devdb(&["ready"]).ok();
    project.sql("create table by_hand (id int)").await;
    project.file(
        "migrations/20260301000000_tags.up.sql",
        "alter table users add tags text; alter table users drop name;\n",
    );
    project.file(
        "migrations/20260301000000_tags.down.sql",
        "alter table users drop tags; alter table users add name text;\n",
    );
    project.file(
        "schema.sql",
        "create table users (id int primary key, tags text);\n",
    );
    let run = project.devdb(&["check"]);
    assert_snapshot!(shown(&project, &run.show()), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ chain: 3 migrations
    ✓ history: 1 new since main ([commit])
    ✓ replay: 3 migrations from nothing
    ✓ way-back: 1 new migration up, down and up again
    ✓ hazards: 1 in what is new
      warning: migrations/20260301000000_tags.up.sql: column public.users.name: data-loss: every value of column public.users.name goes away
    ✓ wanted: wanted schema and chain agree
    ✓ nothing is wrong
    ");
    // What is denied is an error, and has its own exit code.
    let denied = project.devdb(&["check", "--deny", "data-loss"]);
    assert_eq!(denied.code, 5, "{}", denied.show());
    // The dev database was not touched.
    let hand = project.value("select count(*)::text from by_hand").await;
    assert_eq!(hand.as_deref(), Some("0"));
    let json = project.devdb(&["check", "--json"]).ok().json();
    assert_eq!(json["new"].to_string(), r#"["20260301000000"]"#);
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_file() {
    let project = sqlx("check_bad");
    project.file(
        "migrations/20260201000000_name.up.sql",
        "alter table users add name varchar(10);\n",
    );
    project.file(
        "migrations/20260115000000_late.up.sql",
        "create index late on users (id);\n",
    );
    project.file("migrations/20260115000000_late.down.sql", "select 1;\n");
    let run = project.devdb(&["check"]);
    assert_snapshot!(shown(&project, &run.show()), @"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ chain: 3 migrations
    ✗ history: 1 new since main ([commit])
      error: migrations/20260201000000_name.up.sql: 20260201000000_name.up.sql was edited: main has another text
        hint: bring it back as it was, and put the change into a new migration
      error: migrations/20260115000000_late.up.sql: 20260115000000 is older than 20260201000000, which main has already
        hint: give it a newer number: where the other is applied, it comes too late
    ✓ replay: 3 migrations from nothing
    ✓ way-back: not tried: new migrations stand among those of the base
    ✓ hazards: none in what is new
    ✗ wanted: 2 differences to the wanted schema
      error: schema.sql: the wanted schema is not what the chain gives: ~ column public.users.name: type character varying(10) → text
      error: schema.sql: the wanted schema is not what the chain gives: - index public.late
        hint: `devdb generate` writes the migration
    ✗ 4 errors
    ");
    let github = project.devdb(&["check", "--format", "github"]);
    assert_eq!(github.code, 7);
    assert_snapshot!(shown(&project, &github.stdout), @"
    ::error file=migrations/20260201000000_name.up.sql,title=devdb history::20260201000000_name.up.sql was edited: main has another text%0Ahint: bring it back as it was, and put the change into a new migration
    ::error file=migrations/20260115000000_late.up.sql,title=devdb history::20260115000000 is older than 20260201000000, which main has already%0Ahint: give it a newer number: where the other is applied, it comes too late
    ::error file=schema.sql,title=devdb wanted::the wanted schema is not what the chain gives: ~ column public.users.name: type character varying(10) → text%0Ahint: `devdb generate` writes the migration
    ::error file=schema.sql,title=devdb wanted::the wanted schema is not what the chain gives: - index public.late%0Ahint: `devdb generate` writes the migration
    ");
    let junit = project.devdb(&["check", "--format", "junit"]);
    assert!(
        junit.stdout.starts_with("<?xml") && junit.stdout.contains("failures=\"2\""),
        "{}",
        junit.show()
    );
}

#[tokio::test]
async fn a_file_that_fails_is_named_with_its_line() {
    let project = sqlx("check_fails");
    project.file(
        "migrations/20260301000000_bad.up.sql",
        "create table t (id int);\nalter table users add tags nonsense;\n",
    );
    project.file("migrations/20260301000000_bad.down.sql", "drop table t;\n");
    let github = project.devdb(&["check", "--format", "github"]);
    assert_eq!(github.code, 7, "{}", github.show());
    assert!(
        github.stdout.contains(
            "::error file=migrations/20260301000000_bad.up.sql,line=2,title=devdb replay::"
        ),
        "{}",
        github.show()
    );
}

#[tokio::test]
async fn a_way_back_that_leads_elsewhere_is_an_error() {
    let project = sqlx("check_back");
    for (version, down) in [
        ("20260301000000", "drop table t;\n"),
        ("20260302000000", "select 1;\n"),
    ] {
        let table = if version.ends_with("301000000") {
            "t"
        } else {
            "u"
        };
        project.file(
            &format!("migrations/{version}_{table}.up.sql"),
            &format!("create table {table} (id int);\n"),
        );
        project.file(&format!("migrations/{version}_{table}.down.sql"), down);
    }
    project.file(
        "schema.sql",
        &format!("{SCHEMA}create table t (id int); create table u (id bigint);\n"),
    );
    let run = project.devdb(&["check"]);
    assert_snapshot!(shown(&project, &run.show()), @"
    exit: 4
    ----- stdout -----
    ----- stderr -----
    ✓ chain: 4 migrations
    ✓ history: 2 new since main ([commit])
    ✓ replay: 4 migrations from nothing
    ✗ way-back: 1 of 2 new migrations
      error: migrations/20260302000000_u.up.sql: after its way back the schema is not what it was
        - table public.u
    ✓ hazards: none in what is new
    ✗ wanted: 1 difference to the wanted schema
      error: schema.sql: the wanted schema is not what the chain gives: ~ column public.u.id: type integer → bigint
        hint: `devdb generate` writes the migration
    ✗ 2 errors
    ");
}

#[tokio::test]
async fn models_and_chain_have_to_agree() {
    let project = alembic("check_models");
    let good = project.devdb(&["check"]);
    assert_snapshot!(shown(&project, &good.show()), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    ✓ chain: 3 migrations
    ✓ history: 0 new since main ([commit])
    ✓ replay: 3 migrations from nothing
    ✓ way-back: nothing new
    ✓ hazards: none in what is new
    ✓ wanted: models and chain agree
    ✓ nothing is wrong
    ");
    let models = project.read("shop/models.py");
    project.file(
        "shop/models.py",
        &models.replacen(
            "class Customer(Base):",
            "class Customer(Base):\n    tags = Column(Text)",
            1,
        ),
    );
    let run = project.devdb(&["check"]);
    assert_eq!(run.code, 3, "{}", run.show());
    assert!(
        run.stderr.contains(
            "error: the models want more than the chain gives: add_column customers.tags"
        ),
        "{}",
        run.show()
    );
    project.devdb(&["generate", "tags"]).ok();
    project.devdb(&["check"]).ok();

    // On main somebody else adds a revision.
    project.commit("tags");
    project.git(&["switch", "--quiet", "main"]);
    project
        .devdb(&["generate", "theirs", "--empty", "--rev-id", "theirs"])
        .ok();
    project.commit("theirs");
    project.git(&["switch", "--quiet", "work"]);
    let run = project.devdb(&["check", "--base", "main"]);
    assert_eq!(run.code, 7, "{}", run.show());
    assert!(
        run.stderr
            .contains("main has gone on (theirs_theirs.py): together there would be two heads"),
        "{}",
        run.show()
    );
    let unknown = project.devdb(&["check", "--base", "nowhere"]);
    assert_eq!(unknown.code, 2, "{}", unknown.show());
}

/// Another database, which devdb is to leave alone.
struct Staging<'a> {
    project: &'a Project,
    name: String,
}

impl<'a> Staging<'a> {
    async fn of(project: &'a Project) -> Self {
        let name = format!("{}_staging", project.name);
        let mut connection = postgres::connect(&project.target().with_database("postgres"))
            .await
            .unwrap();
        database::drop(&mut connection, &name).await.unwrap();
        database::clone(&mut connection, &name, &project.name)
            .await
            .unwrap();
        connection.close().await;
        Staging { project, name }
    }

    fn url(&self) -> String {
        self.project
            .target()
            .with_database(&self.name)
            .url("postgresql")
    }

    async fn value(&self, sql: &str) -> String {
        let target = self.project.target().with_database(&self.name);
        let mut connection = postgres::connect(&target).await.unwrap();
        let value = connection.fetch_value::<String>(sql, &[]).await.unwrap();
        connection.close().await;
        value.unwrap_or_default()
    }

    async fn gone(self) {
        let mut connection = postgres::connect(&self.project.target().with_database("postgres"))
            .await
            .unwrap();
        database::drop(&mut connection, &self.name).await.unwrap();
        connection.close().await;
    }
}

const COLUMNS: &str =
    "select count(*)::text from information_schema.columns where table_schema = 'public'";

#[tokio::test]
async fn pending_migrations_are_tried_elsewhere_and_rolled_back() {
    let project = sqlx("check_against");
    project.devdb(&["ready"]).ok();
    project.sql("insert into users values (1)").await;
    let staging = Staging::of(&project).await;
    let before = staging.value(COLUMNS).await;
    let nothing = project.devdb(&["check", "--against", &staging.url()]).ok();
    assert!(
        nothing.stderr.contains("nothing is pending"),
        "{}",
        nothing.show()
    );

    let file = "migrations/20260301000000_tags.up.sql";
    project.file("migrations/20260301000000_tags.down.sql", "select 1;\n");
    // It is the rows there that decide.
    project.file(
        file,
        "select 1;\nalter table users alter name set not null;\n",
    );
    let fails = project.devdb(&["check", "--against", &staging.url()]);
    assert_eq!(fails.code, 7, "{}", fails.show());
    assert!(fails.stderr.contains("null values"), "{}", fails.show());
    project.file(file, "alter table users add tags text;\n");
    let works = project.devdb(&["check", "--against", &staging.url()]).ok();
    assert!(
        works
            .stderr
            .contains("in a transaction that was rolled back"),
        "{}",
        works.show()
    );
    assert_eq!(staging.value(COLUMNS).await, before);

    // A file that commits by itself is not run there.
    project.file(
        file,
        "alter table users add tags text;\ncommit;\nselect 1;\n",
    );
    let alone = project.devdb(&["check", "--against", &staging.url()]);
    assert!(
        alone.stderr.contains("EXECUTE of transaction commands"),
        "{}",
        alone.show()
    );
    assert_eq!(staging.value(COLUMNS).await, before);
    project.file(file, "alter table users add tags text;\n");

    let json = project
        .devdb(&["check", "--against", &staging.url(), "--apply", "--json"])
        .ok();
    assert_eq!(json.json()["applied"], true);
    assert_ne!(staging.value(COLUMNS).await, before);
    staging.gone().await;
}

#[tokio::test]
async fn alembic_revisions_are_tried_elsewhere_and_rolled_back() {
    let project = alembic("check_against_a");
    project.devdb(&["migrate", "--to", "b2"]).ok();
    let staging = Staging::of(&project).await;
    let before = staging.value(COLUMNS).await;
    let works = project.devdb(&["check", "--against", &staging.url()]).ok();
    assert!(
        works
            .stderr
            .contains("in a transaction that was rolled back"),
        "{}",
        works.show()
    );
    assert_eq!(staging.value(COLUMNS).await, before);
    assert_eq!(
        staging
            .value("select version_num::text from alembic_version")
            .await,
        "b2"
    );

    // What commits by itself is not tried there.
    let head = project.read("migrations/versions/c3_a_note_on_orders.py");
    for body in [
        "with op.get_context().autocommit_block():\n        op.execute(\"create table outside (id int)\")",
        "op.execute(\"create table outside (id int)\")\n    op.execute(\"COMMIT\")",
        "op.get_bind().exec_driver_sql(\"create table outside (id int); /* now */ commit\")",
    ] {
        project.file(
            "migrations/versions/c3_a_note_on_orders.py",
            &head.replace("def upgrade():\n", &format!("def upgrade():\n    {body}\n")),
        );
        let run = project.devdb(&["check", "--against", &staging.url()]).ok();
        assert!(
            run.stderr
                .contains("not in a transaction there: a migration"),
            "{}",
            run.show()
        );
        assert_eq!(staging.value(COLUMNS).await, before, "{}", run.show());
        assert_eq!(
            staging
                .value("select version_num::text from alembic_version")
                .await,
            "b2"
        );
    }
    staging.gone().await;
}

#[tokio::test]
async fn what_sqlite_cannot_do_is_named() {
    let project = alembic("check_sqlite");
    let fits = project.devdb(&["check", "--sqlite"]);
    assert!(
        fits.stderr.contains("✓ sqlite: the chain runs on SQLite"),
        "{}",
        fits.show()
    );
    for (file, body) in [
        (
            "d4_named.py",
            "revision = \"d4\"\ndown_revision = \"c3\"\n\n\ndef upgrade():\n    op.create_unique_constraint(\"one\", \"customers\", [\"name\"])\n\n\ndef downgrade():\n    op.drop_constraint(\"one\", \"customers\")\n",
        ),
        (
            "e5_function.py",
            "revision = \"e5\"\ndown_revision = \"d4\"\n\n\ndef upgrade():\n    op.execute(\"create function f() returns int language sql as 'select 1'\")\n\n\ndef downgrade():\n    op.execute(\"drop function f()\")\n",
        ),
    ] {
        let head = "from alembic import op\n\nbranch_labels = None\ndepends_on = None\n";
        project.file(
            &format!("migrations/versions/{file}"),
            &format!("{head}{body}"),
        );
    }
    let run = project.devdb(&["check", "--sqlite"]);
    // The models have no such constraint, either.
    assert_eq!(run.code, 3, "{}", run.show());
    for said in [
        "✗ sqlite: 2 revisions do not run on SQLite",
        "error: migrations/versions/d4_named.py:10: SQLite cannot do d4: No support for ALTER of constraints in SQLite dialect.",
        "error: migrations/versions/e5_function.py:10: SQLite cannot do e5:",
    ] {
        assert!(run.stderr.contains(said), "{said}\n{}", run.show());
    }
    // Where the variables do not lead to SQLite, that is said.
    project.file(
        "devdb.toml",
        &format!(
            "{}\n[sqlite]\nNOTHING = \"{{url}}\"\n",
            project.read("devdb.toml")
        ),
    );
    let mut command = project.command(&["check", "--sqlite"]);
    command.env("DATABASE_URL", project.target().url("postgresql+psycopg"));
    project.devdb(&["migrate", "--to", "b2"]).ok();
    let run = project.run(command);
    assert!(
        run.stderr
            .contains("env.py does not go to SQLite, but to postgresql"),
        "{}",
        run.show()
    );
    let at = project
        .value("select version_num::text from alembic_version")
        .await;
    assert_eq!(at.as_deref(), Some("b2"));
}

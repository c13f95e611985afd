//! What goes wrong in Alembic projects, as a user is told.

use std::fs;

use devdb::error::ErrorKind;
use devdb::event::Events;
use devdb::migrations::alembic::Alembic;
use devdb::migrations::{ProblemKind, Rollback};

use crate::migrations_alembic::{Fixture, ids, revision};
use crate::support::events::Recorded;
use crate::support::python;
use crate::support::server::TestDatabase;

async fn failed_migrate(fixture: &Fixture) -> String {
    let error = fixture
        .migrate(&mut fixture.alembic(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    fixture.shown(&error)
}

async fn tables(fixture: &Fixture) -> i64 {
    let mut connection = fixture.database.connect().await;
    let sql = "select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    connection.fetch_value(sql, &[]).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_statement_that_fails_is_shown_with_revision_file_and_line() {
    for (scheme, test) in [
        ("postgresql+psycopg", "sql_psycopg"),
        ("postgresql+pg8000", "sql_pg8000"),
    ] {
        let fixture = Fixture::new("alembic_plain", test, "DATABASE_URL", scheme).await;
        fixture.edit(
            "migrations/versions/b2_orders.py",
            "[\"customer_id\"]",
            "[\"client_id\"]",
        );
        let error = fixture
            .migrate(&mut fixture.alembic(), None)
            .await
            .unwrap_err();
        assert_eq!(error.sqlstate(), Some("42703"));
        insta::allow_duplicates! {
            insta::assert_snapshot!(fixture.shown(&error), @r#"
            b2_orders.py:23: revision b2 (Orders) failed: column "client_id" does not exist (42703)
              <project>/migrations/versions/b2_orders.py:23
              23 |     op.create_index("orders_customer_id_idx", "orders", ["client_id"])
              SQL:
                CREATE INDEX orders_customer_id_idx ON orders (client_id)
            hint: the chain stops here; what Alembic ran in the same transaction is gone
            "#);
        }
        assert_eq!(tables(&fixture).await, 0);
    }
}

#[tokio::test]
async fn python_that_fails_in_a_revision_is_shown_with_its_line() {
    let fixture = Fixture::plain("zero").await;
    fixture.edit(
        "migrations/versions/b2_orders.py",
        "def upgrade():",
        "def upgrade():\n    1 / 0",
    );
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    b2_orders.py:13: revision b2 (Orders) failed: ZeroDivisionError: division by zero
      <project>/migrations/versions/b2_orders.py:13
      13 |     1 / 0
    hint: the chain stops here; what Alembic ran in the same transaction is gone
    ");

    let fixture = Fixture::new(
        "alembic_prints",
        "noway",
        "LEGACY_PG_URI",
        "postgresql+pg8000",
    )
    .await;
    let mut alembic = fixture.alembic();
    fixture.migrate(&mut alembic, None).await.unwrap();
    let error = alembic
        .rollback(
            &fixture.database.target,
            &fixture.env(),
            &Rollback::Base,
            &Events::silent(),
        )
        .await
        .unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @r#"
    p2_second.py:17: the downgrade of p2 (Second) failed: NotImplementedError: there is no way back
      <project>/migrations/versions/p2_second.py:17
      17 |     raise NotImplementedError("there is no way back")
    hint: the chain stops here; what Alembic ran in the same transaction is gone
    "#);
}

#[tokio::test]
async fn a_revision_of_an_abandoned_branch_is_named() {
    let fixture = Fixture::plain("gone").await;
    let mut alembic = fixture.alembic();
    fixture.migrate(&mut alembic, None).await.unwrap();
    fs::remove_file(fixture.file("migrations/versions/c3_a_note_on_orders.py")).unwrap();
    // With and without knowing the version table, which only env.py can tell.
    let mut fresh = fixture.alembic();
    for alembic in [&mut alembic, &mut fresh] {
        let standing = fixture.standing(alembic).await.unwrap();
        assert_eq!(standing.problems[0].kind, ProblemKind::UnknownRevision);
        assert_eq!(standing.problems[0].id.as_deref(), Some("c3"));
    }
    let error = fixture.migrate(&mut fresh, None).await.unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @"
    the database is at revision c3, which no file has
    hint: check out the branch it came from and roll it back there, or `devdb reset`
    ");
    let mut fresh = fixture.alembic();
    let error = fixture.migrate(&mut fresh, Some("zzz")).await.unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @"
    Can't locate revision identified by 'zzz'
    hint: no file has this revision: another branch? `devdb history` lists those that exist
    ");
}

#[tokio::test]
async fn a_driver_that_is_not_installed() {
    let fixture = Fixture::new(
        "alembic_plain",
        "driver",
        "DATABASE_URL",
        "postgresql+psycopg2",
    )
    .await;
    insta::assert_snapshot!(failed_migrate(&fixture).await, @r#"
    the Postgres driver psycopg2, which the URL asks for, is not installed in <python>
    hint: install psycopg2-binary there, or give the URL a scheme under [env] whose driver is installed: "postgresql+psycopg", "postgresql+pg8000"
    "#);
}

#[tokio::test]
async fn a_driver_of_the_wrong_kind() {
    let fixture = Fixture::new(
        "alembic_async",
        "sync_driver",
        "ASYNC_URL",
        "postgresql+pg8000",
    )
    .await;
    insta::assert_snapshot!(failed_migrate(&fixture).await, @r#"
    env.py:21: InvalidRequestError: The asyncio extension requires an async driver to be used. The loaded 'pg8000' is not async.
      <project>/migrations/env.py:21
      21 |     engine = create_async_engine(os.environ["ASYNC_URL"], poolclass=pool.NullPool)
    hint: give its URL an async driver under [env]: "postgresql+asyncpg"
    "#);
    let fixture = Fixture::new("alembic_plain", "scheme", "DATABASE_URL", "postgres").await;
    insta::assert_snapshot!(failed_migrate(&fixture).await, @r#"
    env.py:9: NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:postgres
      <project>/migrations/env.py:9
      9 | engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
    hint: SQLAlchemy wants URLs as postgresql+driver://: set the scheme under [env], such as "postgresql"
    "#);
}

#[tokio::test]
async fn env_py_that_fails_is_shown_where_it_does() {
    let fixture = Fixture::new("alembic_plain", "variable", "OTHER_VARIABLE", "postgresql").await;
    insta::assert_snapshot!(failed_migrate(&fixture).await, @r#"
    env.py:9: the variable DATABASE_URL is not set
      <project>/migrations/env.py:9
      9 | engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
    hint: add DATABASE_URL under [env] in devdb.toml: DATABASE_URL = "postgresql" if it is the URL
    "#);

    let fixture = Fixture::plain("env_import").await;
    fixture.edit(
        "shop/models.py",
        "from sqlalchemy import",
        "import not_installed\nfrom sqlalchemy import",
    );
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    <project>/shop/models.py:1 imports not_installed, which <python> does not have
    hint: install the project's requirements there, or set `run` under [migrations]
    ");

    fixture.edit(
        "shop/models.py",
        "import not_installed",
        "raise ValueError('SECRET missing')",
    );
    let (recorded, events) = Recorded::new();
    let mut alembic = fixture.alembic();
    let error = alembic
        .migrate(&fixture.database.target, &fixture.env(), None, &events)
        .await
        .unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @"
    models.py:1: ValueError: SECRET missing
      <project>/shop/models.py:1
      1 | raise ValueError('SECRET missing')
    hint: --verbose shows the traceback
    ");
    // All of it is there for --verbose.
    assert!(
        recorded
            .output()
            .contains("Traceback (most recent call last)")
    );

    fixture.write("migrations/env.py", "import os\nif True\n    pass\n");
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    env.py:2: SyntaxError: expected ':' (env.py, line 2)
      <project>/migrations/env.py:2
      2 | if True
    hint: --verbose shows the traceback
    ");
    fixture.write(
        "migrations/env.py",
        "raise SystemExit('set APP_ENV first')\n",
    );
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    env.py:1: SystemExit: set APP_ENV first
      <project>/migrations/env.py:1
      1 | raise SystemExit('set APP_ENV first')
    hint: --verbose shows the traceback
    ");
    fixture.write(
        "migrations/env.py",
        "import os, sys\nprint('going down', file=sys.stderr)\nos._exit(9)\n",
    );
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    Python ended without an answer (exit status: 9)
      going down
    hint: run Alembic by hand in the same folder; `run` under [migrations] sets how
    ");
    fixture.write("migrations/env.py", "");
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    env.py ended without running any migrations
    hint: env.py has to call context.run_migrations(); see `alembic init` for its shape
    ");
}

#[tokio::test]
async fn another_database_is_noticed_before_anything_runs() {
    // The project falls back to SQLite when its variable is not set.
    let fixture = Fixture::new(
        "alembic_prints",
        "sqlite",
        "DATABASE_URL",
        "postgresql+pg8000",
    )
    .await;
    insta::assert_snapshot!(failed_migrate(&fixture).await, @r#"
    env.py connects to sqlite:///fallback.db, not to postgresql://postgres@<server>/<database>; nothing was run
    hint: set the variable that env.py reads its URL from under [env] in devdb.toml: DATABASE_URL = "postgresql"
    "#);

    let other = TestDatabase::new("alembic_elsewhere").await;
    let fixture = Fixture::plain("here").await;
    let mut alembic = fixture.alembic();
    let wrong = fixture.env_for(&other.target);
    let error = alembic
        .migrate(&fixture.database.target, &wrong, None, &Events::silent())
        .await
        .unwrap_err();
    let text = fixture
        .shown(&error)
        .replace(&other.target.database, "<other>");
    insta::assert_snapshot!(text, @r#"
    env.py connects to postgresql+psycopg://postgres:***@<server>/<other>, not to postgresql://postgres@<server>/<database>; nothing was run
    hint: set the variable that env.py reads its URL from under [env] in devdb.toml: DATABASE_URL = "postgresql"
    "#);
    let mut connection = other.connect().await;
    let tables: i64 = connection
        .fetch_value(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace",
            &[],
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(tables, 0);

    let mut nowhere = fixture.database.target.clone();
    nowhere.port = 1;
    let error = alembic
        .migrate(
            &fixture.database.target,
            &fixture.env_for(&nowhere),
            None,
            &Events::silent(),
        )
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .contains("the application cannot connect, while devdb reaches"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_not_committed_is_noticed() {
    let fixture = Fixture::plain("commit").await;
    fixture.write(
        "migrations/env.py",
        "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n\
         connection = create_engine(os.environ['DATABASE_URL']).connect()\n\
         transaction = connection.begin()\n\
         context.configure(connection=connection)\n\
         context.run_migrations()\n\
         transaction.rollback()\n",
    );
    insta::assert_snapshot!(failed_migrate(&fixture).await, @"
    Alembic ran, but a1 was not applied in postgresql://postgres@<server>/<database>: the transaction was not committed
    hint: let env.py run migrations inside `with context.begin_transaction():`
    ");
}

#[tokio::test]
async fn files_that_make_no_chain() {
    let fixture = Fixture::plain("files").await;
    let chain = async || {
        let error = fixture
            .alembic()
            .chain(&[], &Events::silent())
            .await
            .unwrap_err();
        fixture.shown(&error)
    };
    let versions = "migrations/versions";
    let c3 = "migrations/versions/c3_a_note_on_orders.py";
    fs::copy(fixture.file(c3), fixture.file(versions).join("copy.py")).unwrap();
    insta::assert_snapshot!(chain().await, @"
    two files have revision c3: c3_a_note_on_orders.py, copy.py
    hint: give the newer one another id, and correct what builds on it
    ");
    fs::remove_file(fixture.file(versions).join("copy.py")).unwrap();

    fixture.edit(c3, "down_revision = \"b2\"", "down_revision = \"x9\"");
    insta::assert_snapshot!(chain().await, @"
    the chain is broken: Revision x9 referenced from x9 -> c3 (head), A note on orders is not present
    hint: bring the file back (another branch?), or correct down_revision
    ");
    fixture.edit(c3, "down_revision = \"x9\"", "down_revision = \"b2\"");

    fixture.edit(
        "migrations/versions/a1_customers.py",
        "down_revision = None",
        "down_revision = \"c3\"",
    );
    insta::assert_snapshot!(chain().await, @"
    the chain is broken: Cycle is detected in revisions (a1, b2, c3)
    hint: correct down_revision or depends_on in one of these files
    ");
    fixture.edit(
        "migrations/versions/a1_customers.py",
        "down_revision = \"c3\"",
        "down_revision = None",
    );

    fixture.edit(c3, "def upgrade():", "def upgrade(:");
    insta::assert_snapshot!(chain().await, @"
    c3_a_note_on_orders.py:12: SyntaxError: invalid syntax (c3_a_note_on_orders.py, line 12)
      <project>/migrations/versions/c3_a_note_on_orders.py:12
      12 | def upgrade(:
    hint: --verbose shows the traceback
    ");
    fixture.edit(c3, "def upgrade(:", "def upgrade():");
    fixture.edit(
        c3,
        "revision = \"c3\"\n",
        "revision = \"c3\"\nimport not_installed\n",
    );
    insta::assert_snapshot!(chain().await, @"
    <project>/migrations/versions/c3_a_note_on_orders.py:7 imports not_installed, which <python> does not have
    hint: install the project's requirements there, or set `run` under [migrations]
    ");
}

#[tokio::test]
async fn an_interpreter_that_will_not_do() {
    let fixture = Fixture::plain("interpreter").await;
    let python = python::python().display().to_string();
    let open = async |run: &[&str]| {
        let mut config = fixture.config();
        config.run = run.iter().map(|part| part.to_string()).collect();
        let mut alembic = match Alembic::open(&config, None) {
            Ok(alembic) => alembic,
            Err(error) => return fixture.shown(&error),
        };
        let error = alembic.chain(&[], &Events::silent()).await.unwrap_err();
        fixture.shown(&error)
    };
    insta::assert_snapshot!(open(&[&python, "-S", "-m", "alembic"]).await, @r#"
    <python> has no module alembic (`<python> -S -m alembic` is configured)
    hint: install the project's requirements there, or set `run` under [migrations] to the command that runs Alembic, such as ["uv", "run", "alembic"]
    "#);
    insta::assert_snapshot!(open(&["/nowhere/python", "-m", "alembic"]).await, @r#"
    cannot run `/nowhere/python` (`/nowhere/python -m alembic` is configured): No such file or directory (os error 2)
    hint: set `run` under [migrations] to the command that runs Alembic, such as [".venv/bin/alembic"]
    "#);
    insta::assert_snapshot!(open(&["sh", "-c", "echo no such environment >&2; exit 3", "alembic"]).await, @"
    `sh -c echo no such environment >&2; exit 3 python` ended without an answer (exit status: 3)
      no such environment
    hint: run Alembic by hand in the same folder; `run` under [migrations] sets how
    ");
    insta::assert_snapshot!(open(&["make", "migrate"]).await, @r#"
    `run = ["make", "migrate"]` under [migrations]: it does not name alembic
    hint: write the command that runs Alembic, such as ["uv", "run", "alembic"] or [".venv/bin/alembic"]
    "#);

    fs::remove_file(fixture.file("alembic.ini")).unwrap();
    insta::assert_snapshot!(open(&[&python, "-m", "alembic"]).await, @"
    there is no alembic.ini in <project>
    hint: set `dir` under [migrations] to the folder of alembic.ini
    ");
}

#[tokio::test]
async fn the_database_must_be_at_head_to_generate() {
    let fixture = Fixture::plain("behind_head").await;
    let mut alembic = fixture.alembic();
    let ran = fixture.migrate(&mut alembic, Some("+1")).await.unwrap();
    assert_eq!(ids(&ran), "a1");
    let error = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("x", true),
            &Events::silent(),
        )
        .await
        .unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @"
    postgresql://postgres@<server>/<database> is not at head
    hint: migrate it first, with `devdb ready`
    ");
    assert_eq!(fixture.versions().len(), 3);
}

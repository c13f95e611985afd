//! sqlx projects: the same as sqlx-cli 0.9 where it works, and clear words where it would not.

use std::path::{Path, PathBuf};

use devdb::config::{Migrations, Tool};
use devdb::error::{Error, ErrorKind};
use devdb::event::Events;
use devdb::migrations::sqlx::{FileBody, Sqlx};
use devdb::migrations::{ProblemKind, Rollback, Standing};
use devdb::postgres::Connection;
use sqlx::migrate::{MigrateError, Migrator, ResolveConfig, ResolveWith};

use crate::support::events::Recorded;
use crate::support::server::TestDatabase;

/// A folder of migrations, and its devdb.
struct Project {
    root: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Project {
            root: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(project.dir()).unwrap();
        // Nothing above the temporary folder is looked at.
        project.file("../devdb.toml", "");
        for (name, text) in files {
            project.file(name, text);
        }
        project
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("migrations")
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.dir().join(name), text).unwrap();
    }

    fn devdb(&self) -> Sqlx {
        Sqlx::open(&Migrations {
            tool: Tool::Sqlx,
            dir: self.dir(),
            run: Vec::new(),
            schema: None,
            table: "_sqlx_migrations".into(),
            variables: Vec::new(),
            complete: false,
            role: None,
            up: None,
            generate: None,
        })
        .unwrap()
    }

    async fn library(&self) -> Migrator {
        Migrator::new(self.dir().as_path()).await.unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

async fn value(connection: &mut Connection, sql: &str) -> String {
    connection
        .fetch_value(sql, &[])
        .await
        .unwrap()
        .unwrap_or_default()
}

const TABLE: &str = "select coalesce(string_agg(concat_ws(' ', version, description, success, \
     encode(checksum, 'hex')), E'\\n' order by version), '') from _sqlx_migrations";

fn kinds(standing: &Standing) -> Vec<ProblemKind> {
    standing.problems.iter().map(|p| p.kind).collect()
}

fn ids<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.as_ref().to_string()).collect();
    ids.join(" ")
}

fn shown(error: &Error, project: &Project) -> String {
    let mut text = error.message().to_string();
    for line in error.detail_text().unwrap_or_default().lines() {
        text += &format!("\n  {line}");
    }
    if let Some(hint) = error.hint_text() {
        text += &format!("\nhint: {hint}");
    }
    text.replace(project.dir().to_str().unwrap(), "migrations")
}

const THREE: &[(&str, &str)] = &[
    ("1_users.sql", "create table users (id bigint primary key);"),
    (
        "2_tags.sql",
        "create table tags (id bigint primary key);\ncreate index on tags (id);",
    ),
    ("3_name.sql", "alter table users add name text;"),
];

#[tokio::test]
async fn the_table_is_what_sqlx_cli_writes() {
    let project = Project::new(&[
        (
            "1_users.sql",
            "create table users (id bigint primary key);\n",
        ),
        ("0002_add_a_tag.sql", "create table tags (id int);\r\n"),
        (
            "202401311200001_fifteen [digits] (x).sql",
            "-- no-transaction\ncreate table c (id int);\n",
        ),
    ]);
    let database = TestDatabase::new("sqlx_table").await;
    let (recorded, events) = Recorded::new();
    let ran = project
        .devdb()
        .migrate(&database.target, None, &events)
        .await
        .unwrap();
    assert_eq!(ids(ran.iter().map(|r| &r.id)), "1 2 202401311200001");
    assert_eq!(
        recorded.steps(),
        [
            "0/3 1 users",
            "1/3 2 add a tag",
            "2/3 202401311200001 fifteen [digits] (x)"
        ]
    );
    let mut connection = database.connect().await;
    // As `sqlx migrate run` of sqlx-cli 0.9.0 left it for the same three files.
    insta::assert_snapshot!(value(&mut connection, TABLE).await, @"
    1 users t c03b95f5b16222cef94167c90241c4fc7688bac67b0359c5a0bcbfaab2a8763e58c7ef5b1a900b7bb8a2e2558ad90fa9
    2 add a tag t d15d2197433c9a5abc1b9b41bdb7a12d0e08907646eebbc5a3cb0ea435b54d7b14112100b06ef58d515907bde8832d29
    202401311200001 fifteen [digits] (x) t ee9c201fbac4dde023fe0af52ce3ca6140acf973e8da3925970f9c80580e0947ecb3cad053d64a7b98a8f02c769bd446
    ");
    let columns = value(
        &mut connection,
        "select string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' \
         order by attnum) from pg_attribute where attrelid = '_sqlx_migrations'::regclass and attnum > 0",
    )
    .await;
    insta::assert_snapshot!(columns, @"version bigint t, description text t, installed_on timestamp with time zone t, success boolean t, checksum bytea t, execution_time bigint t");
    let unset = value(
        &mut connection,
        "select count(*)::text from _sqlx_migrations where execution_time <= 0",
    )
    .await;
    assert_eq!(unset, "0");
}

#[tokio::test]
async fn sqlx_continues_what_devdb_began_and_the_other_way_round() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_both").await;
    let mut connection = database.connect().await;
    let (devdb, library) = (project.devdb(), project.library().await);

    devdb
        .migrate(&database.target, Some("2"), &Events::silent())
        .await
        .unwrap();
    library.run(connection.driver()).await.unwrap();
    assert!(devdb.standing(&mut connection).await.unwrap().at_head());

    project.file("4_more.sql", "create table more (id int);");
    let ran = devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    assert_eq!(ids(ran.iter().map(|r| &r.id)), "4");
    project
        .library()
        .await
        .run(connection.driver())
        .await
        .unwrap();
}

#[tokio::test]
async fn every_file_is_read_as_sqlx_reads_it() {
    let project = Project::new(&[
        ("-5_negative.sql", "select 5"),
        ("+6_plus.sql", "select 6"),
        ("007_double.sql.sql", "select 7"),
        ("8_.sql", ""),
        ("9_a_b__c.up.sql", "-- no-transaction\nselect 9"),
        ("9_a_b__c.down.sql", ""),
        ("10_crlf.sql", "select 10;\r\n"),
        ("11_ümlaut [x] (y).sql", "select 11"),
        ("README.md", "# text"),
        ("12_notes.txt", "text"),
        ("plain.sql", "select 1"),
    ]);
    for ignored in ["", "\r\n 1"] {
        let quoted: Vec<String> = ignored
            .chars()
            .map(|c| format!("{:?}", c.to_string()))
            .collect();
        project.file(
            "../sqlx.toml",
            &format!("[migrate]\nignored-chars = [{}]\n", quoted.join(",")),
        );
        let mut config = ResolveConfig::new();
        config.ignore_chars(ignored.chars());
        let library = Migrator::new(ResolveWith(project.dir(), config))
            .await
            .unwrap();
        let expected: Vec<(String, String, String)> = library
            .iter()
            .filter(|m| m.migration_type.is_up_migration())
            .map(|m| {
                let hex = m.checksum.iter().map(|b| format!("{b:02x}")).collect();
                (m.version.to_string(), m.description.to_string(), hex)
            })
            .collect();
        let chain = project.devdb().chain().unwrap();
        let found: Vec<(String, String, String)> = chain
            .migrations
            .into_iter()
            .map(|m| (m.id, m.name, m.checksum))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 7);
    }
}

#[tokio::test]
async fn looking_makes_nothing() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_look").await;
    let mut connection = database.connect().await;
    let standing = project.devdb().standing(&mut connection).await.unwrap();
    assert_eq!(ids(standing.pending.iter().map(|m| &m.id)), "1 2 3");
    let tables = value(
        &mut connection,
        "select count(*)::text from pg_class where relname like '%sqlx%'",
    )
    .await;
    assert_eq!(tables, "0");
}

#[tokio::test]
async fn two_files_of_one_version_are_named() {
    let project = Project::new(THREE);
    project.file("002_labels.sql", "select 1");
    let error = project.devdb().chain().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    insta::assert_snapshot!(shown(&error, &project), @"
    two migrations have version 2: 002_labels.sql and 2_tags.sql
    hint: rename the newer one to a later version; nothing was run
    ");
}

#[tokio::test]
async fn names_and_bytes_that_sqlx_cannot_read_are_named() {
    let project = Project::new(&[("one_users.sql", "")]);
    insta::assert_snapshot!(shown(&project.devdb().chain().unwrap_err(), &project), @r#"
    migrations/one_users.sql does not begin with a version: "one" is not a whole number below 2^63
    hint: name it <version>_<description>.sql, such as 20240131120000_add_tags.sql
    "#);
    let project = Project::new(&[]);
    std::fs::write(
        project.dir().join("1_latin.sql"),
        b"select 1;\nselect '\xe4';",
    )
    .unwrap();
    insta::assert_snapshot!(shown(&project.devdb().chain().unwrap_err(), &project), @"
    migrations/1_latin.sql:2 is not UTF-8
    hint: save the file as UTF-8; sqlx reads nothing else
    ");
    let project = Project::new(&[]);
    std::fs::remove_dir(project.dir()).unwrap();
    insta::assert_snapshot!(shown(&project.devdb().chain().unwrap_err(), &project), @"
    cannot read migrations in migrations: No such file or directory (os error 2)
    hint: set `dir` under [migrations] in devdb.toml to the folder of the files
    ");
}

#[tokio::test]
async fn odd_files_are_warned_about() {
    let project = Project::new(&[
        ("1_a.up.sql", "select 1"),
        ("1_a.down.sql", ""),
        ("2_plain.sql", "select 1"),
        ("3_up.up.sql", "select 1"),
        ("4_down.down.sql", "select 1"),
        ("setup.sql", "select 1"),
    ]);
    let chain = project.devdb().chain().unwrap();
    let lines: Vec<String> = chain
        .problems
        .iter()
        .map(|p| format!("{p} [{}]", p.hint))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    setup.sql is not read: its name has no `_` after a version [name it <version>_<description>.sql, or move it out of the folder]
    2_plain.sql is a plain file among reversible ones: it cannot be rolled back [rename it to 2_plain.up.sql and write 2_plain.down.sql]
    3_up.up.sql has no .down.sql beside it [write 3_up.down.sql; it may be empty]
    4_down.down.sql has no .up.sql beside it [write the .up.sql file, or delete this one]
    ");
    chain.ensure_sound().unwrap();
}

#[tokio::test]
async fn an_edited_file_stops_everything_before_it_runs() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_edited").await;
    let mut connection = database.connect().await;
    project
        .devdb()
        .migrate(&database.target, Some("2"), &Events::silent())
        .await
        .unwrap();
    project.file("2_tags.sql", "create table tags (id int);");
    // sqlx itself would run this one before it notices.
    project.file("0_early.sql", "create table early (id int);");
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @"
    2_tags.sql was changed after it was applied
    hint: put it back and write a further migration; or `devdb reset` if it was not released yet
    ");
    let early = value(
        &mut connection,
        "select coalesce(to_regclass('early')::text, 'none')",
    )
    .await;
    assert_eq!(early, "none");
}

#[tokio::test]
async fn other_line_ends_are_told_from_an_edit() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_crlf").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    project.file("2_tags.sql", &THREE[1].1.replace('\n', "\r\n"));
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @r#"
    2_tags.sql has other line ends than when it was applied
    hint: write `*.sql text eol=lf` into .gitattributes and check it out again, or set ignored-chars = ["\r"] in sqlx.toml
    "#);
}

#[tokio::test]
async fn a_missing_file_stops_and_is_named() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_missing").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    std::fs::remove_file(project.dir().join("2_tags.sql")).unwrap();
    let standing = project
        .devdb()
        .standing(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(kinds(&standing), [ProblemKind::Missing]);
    assert_eq!(ids(standing.applied.iter().map(|a| &a.id)), "1 3 2");
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @"
    migration 2 (tags) is applied, but its file is gone
    hint: bring the file back (another branch?), or `devdb reset`
    ");
}

#[tokio::test]
async fn an_unfinished_migration_stops() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_dirty").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    let mut connection = database.connect().await;
    connection
        .execute("update _sqlx_migrations set success = false where version = 3")
        .await
        .unwrap();
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @"
    migration 3 (name) began and never finished
    hint: `devdb reset`, or repair by hand and delete its row from _sqlx_migrations
    ");
}

#[tokio::test]
async fn a_late_addition_is_named_and_runs_as_in_sqlx() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_order").await;
    let devdb = project.devdb();
    std::fs::rename(
        project.dir().join("2_tags.sql"),
        project.root.path().join("2_tags.sql"),
    )
    .unwrap();
    devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    std::fs::rename(
        project.root.path().join("2_tags.sql"),
        project.dir().join("2_tags.sql"),
    )
    .unwrap();
    let mut connection = database.connect().await;
    let standing = devdb.standing(&mut connection).await.unwrap();
    assert_eq!(kinds(&standing), [ProblemKind::OutOfOrder]);
    insta::assert_snapshot!(standing.problems[0].to_string(), @"2_tags.sql is not applied, though the later 3 is: it will run out of order");
    let ran = devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    assert_eq!(ids(ran.iter().map(|r| &r.id)), "2");
}

#[tokio::test]
async fn migrate_to_a_version_goes_there_and_no_further() {
    let project = Project::new(THREE);
    let database = TestDatabase::new("sqlx_to").await;
    let devdb = project.devdb();
    let ran = devdb
        .migrate(&database.target, Some("02"), &Events::silent())
        .await
        .unwrap();
    assert_eq!(ids(ran.iter().map(|r| &r.id)), "1 2");
    let older = devdb
        .migrate(&database.target, Some("1"), &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&older, &project), @"
    version 1 is older than 2, which is already applied
    hint: go back with `devdb rollback --to 1`
    ");
    let unknown = devdb
        .migrate(&database.target, Some("7"), &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&unknown, &project), @"
    no migration has version 7
    hint: the last one is 3; see `devdb history`
    ");
}

fn reversible() -> Project {
    let project = Project::new(&[]);
    for n in 1..=4 {
        project.file(
            &format!("{n}_t.up.sql"),
            &format!("create table t{n} (id int);"),
        );
        project.file(&format!("{n}_t.down.sql"), &format!("drop table t{n};"));
    }
    // An empty way back is legal.
    project.file("3_t.down.sql", "");
    project
}

#[tokio::test]
async fn rollback_by_steps_to_a_version_and_to_the_beginning() {
    let project = reversible();
    let database = TestDatabase::new("sqlx_rollback").await;
    let devdb = project.devdb();
    let silent = Events::silent();
    devdb
        .migrate(&database.target, None, &silent)
        .await
        .unwrap();
    let back = async |rollback| {
        let ran = devdb
            .rollback(&database.target, &rollback, &silent)
            .await
            .unwrap();
        ids(ran.iter().map(|r| &r.id))
    };
    assert_eq!(back(Rollback::Steps(1)).await, "4");
    assert_eq!(back(Rollback::To("1".into())).await, "3 2");
    assert_eq!(back(Rollback::To("1".into())).await, "");
    let not_there = devdb
        .rollback(&database.target, &Rollback::To("2".into()), &silent)
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&not_there, &project), @"
    version 2 is not applied yet
    hint: go forward with `devdb migrate --to 2`
    ");
    assert_eq!(back(Rollback::Base).await, "1");
    assert_eq!(back(Rollback::Steps(3)).await, "");
    let mut connection = database.connect().await;
    // The empty down file of 3 left its table, as in sqlx.
    let left = value(
        &mut connection,
        "select string_agg(relname, ' ') from pg_class where relkind = 'r' and relname ~ '^t\\d'",
    )
    .await;
    assert_eq!(left, "t3");
    assert_eq!(value(&mut connection, TABLE).await, "");
}

#[tokio::test]
async fn sqlx_takes_back_what_devdb_applied() {
    let project = reversible();
    let database = TestDatabase::new("sqlx_undo").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    let mut connection = database.connect().await;
    project
        .library()
        .await
        .undo(connection.driver(), 2)
        .await
        .unwrap();
    let standing = project.devdb().standing(&mut connection).await.unwrap();
    assert_eq!(ids(standing.pending.iter().map(|m| &m.id)), "3 4");
}

#[tokio::test]
async fn a_migration_without_a_way_back_is_not_skipped() {
    let project = reversible();
    let database = TestDatabase::new("sqlx_oneway").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    std::fs::remove_file(project.dir().join("3_t.down.sql")).unwrap();
    let error = project
        .devdb()
        .rollback(&database.target, &Rollback::Base, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @"
    3_t.up.sql cannot be rolled back: it has no down file; nothing was run
    hint: write the .down.sql file, or use `devdb reset`
    ");
    let standing = project
        .devdb()
        .standing(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(standing.applied.len(), 4);
}

#[tokio::test]
async fn an_edited_migration_can_be_taken_back() {
    let project = reversible();
    let database = TestDatabase::new("sqlx_rework").await;
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    project.file("4_t.up.sql", "create table t4 (id bigint);");
    project
        .devdb()
        .rollback(&database.target, &Rollback::Steps(1), &Events::silent())
        .await
        .unwrap();
    project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_failing_statement_is_shown_in_its_file() {
    let project = Project::new(THREE);
    project.file(
        "3_name.sql",
        "-- a comment: ä\r\nalter table users\r\n\tadd name textt;\r\n",
    );
    let database = TestDatabase::new("sqlx_fail").await;
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    assert_eq!(error.sqlstate(), Some("42704"));
    insta::assert_snapshot!(shown(&error, &project), @r#"
    3_name.sql:3: type "textt" does not exist (42704)
      migrations/3_name.sql:3:11
      2 | alter table users
      3 | 	add name textt;
        | 	         ^
    hint: nothing of this file was kept; those before it stay applied. Mend it and run again
    "#);
    let standing = project
        .devdb()
        .standing(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(ids(standing.applied.iter().map(|a| &a.id)), "1 2");
}

#[tokio::test]
async fn an_unfinished_statement_is_shown_where_the_file_ends() {
    let database = TestDatabase::new("sqlx_unfinished").await;
    for unfinished in [
        "create table a (\n  id int",
        "create function f() returns int language sql\nbegin atomic\n  select 1;",
        "create table b (id int); -- the end\nselect '",
    ] {
        let project = Project::new(&[("1_a.sql", unfinished)]);
        let error = project
            .devdb()
            .migrate(&database.target, None, &Events::silent())
            .await
            .unwrap_err();
        let alone = database.connect().await.execute(unfinished).await;
        let alone = alone.unwrap_err().message().to_owned();
        assert_eq!(error.kind(), ErrorKind::Migration);
        let last = unfinished.lines().count();
        assert_eq!(error.message(), format!("1_a.sql:{last}: {alone}"));
        let tables = "select count(*) from pg_class where relname in ('a', 'b')";
        let mut session = database.connect().await;
        let kept = session.fetch_value::<i64>(tables, &[]).await.unwrap();
        assert_eq!(kept, Some(0));
    }
}

#[tokio::test]
async fn a_failure_without_a_place_names_file_and_cause() {
    let project = Project::new(&[(
        "1_a.sql",
        "create table a (id int primary key);\ninsert into a values (1), (1);",
    )]);
    let database = TestDatabase::new("sqlx_fail_data").await;
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @r#"
    1_a.sql: duplicate key value violates unique constraint "a_pkey" (23505)
      migrations/1_a.sql
      Key (id)=(1) already exists.
    hint: nothing of this file was kept; those before it stay applied. Mend it and run again
    "#);
}

#[tokio::test]
async fn statements_that_hate_transactions() {
    let table = ("1_a.sql", "create table a (id int);");
    let project = Project::new(&[table, ("2_i.sql", "create index concurrently on a (id);")]);
    let database = TestDatabase::new("sqlx_notx").await;
    let devdb = project.devdb();
    let inside = devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&inside, &project), @"
    2_i.sql: CREATE INDEX CONCURRENTLY cannot run inside a transaction block (25001)
      migrations/2_i.sql
    hint: begin the file with `-- no-transaction` and leave this statement alone in it
    ");
    project.file(
        "2_i.sql",
        "-- no-transaction\ncreate index concurrently on a (id);\nselect 1;",
    );
    let several = devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&several, &project), @"
    2_i.sql: CREATE INDEX CONCURRENTLY cannot run inside a transaction block (25001)
      migrations/2_i.sql
    hint: Postgres runs several statements of one file in one transaction: leave this one alone in its file
    ");
    project.file(
        "2_i.sql",
        "-- no-transaction\ncreate index concurrently on a (id);",
    );
    devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_that_changes_the_search_path_is_explained() {
    let project = Project::new(&[(
        "1_dump.sql",
        "select pg_catalog.set_config('search_path', '', false);",
    )]);
    let database = TestDatabase::new("sqlx_path").await;
    let error = project
        .devdb()
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap_err();
    insta::assert_snapshot!(shown(&error, &project), @r#"
    1_dump.sql ran, but was not recorded: relation "_sqlx_migrations" does not exist (42P01)
    hint: the file changes search_path for the whole session, so that _sqlx_migrations is not found; delete that line, or use `set local`
    "#);
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_and_named() {
    let text = "\u{feff}create table a (id int);";
    let project = Project::new(&[("1_bom.sql", text)]);
    let database = TestDatabase::new("sqlx_bom").await;
    let devdb = project.devdb();
    let mut connection = database.connect().await;
    let standing = devdb.standing(&mut connection).await.unwrap();
    assert_eq!(kinds(&standing), [ProblemKind::ByteOrderMark]);
    devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    // sqlx finds its own checksum, mark included.
    project
        .library()
        .await
        .run(connection.driver())
        .await
        .unwrap();
    // Where sqlx is the first to run it, it fails: this is why it is warned about.
    let other = TestDatabase::new("sqlx_bom_other").await;
    let failed = project
        .library()
        .await
        .run(other.connect().await.driver())
        .await
        .unwrap_err();
    assert!(
        matches!(failed, MigrateError::ExecuteMigration(..)),
        "{failed}"
    );
}

#[tokio::test]
async fn sqlx_toml_is_respected() {
    let project = Project::new(&[("1_a.sql", "create table a (id int);\n")]);
    project.file(
        "../sqlx.toml",
        "[common]\ndatabase-url-var = \"X\"\n[migrate]\ntable-name = 'own.\"Ran\"'\ncreate-schemas = [\"own\"]\nignored-chars = [\"\\r\"]\n",
    );
    let database = TestDatabase::new("sqlx_toml").await;
    let devdb = project.devdb();
    devdb
        .migrate(&database.target, None, &Events::silent())
        .await
        .unwrap();
    let mut connection = database.connect().await;
    assert_eq!(
        value(&mut connection, "select count(*)::text from own.\"Ran\"").await,
        "1"
    );
    project.file("1_a.sql", "create table a (id int);\r\n");
    assert!(devdb.standing(&mut connection).await.unwrap().at_head());

    project.file("../sqlx.toml", "[migrate]\ntable_name = 'x'\n");
    let error = SqlxOpen::try_open(&project);
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.detail_text().unwrap().contains("table_name"),
        "{error:?}"
    );
}

struct SqlxOpen;
impl SqlxOpen {
    fn try_open(project: &Project) -> Error {
        Sqlx::open(&Migrations {
            tool: Tool::Sqlx,
            dir: project.dir(),
            run: Vec::new(),
            schema: None,
            table: "_sqlx_migrations".into(),
            variables: Vec::new(),
            complete: false,
            role: None,
            up: None,
            generate: None,
        })
        .unwrap_err()
    }
}

#[tokio::test]
async fn two_processes_take_turns() {
    let project = Project::new(&[(
        "1_slow.sql",
        "select pg_sleep(1.5); create table once (id int);",
    )]);
    let database = TestDatabase::new("sqlx_turns").await;
    let (first, second) = (project.devdb(), project.devdb());
    let (recorded, events) = Recorded::new();
    let (a, b) = tokio::join!(
        first.migrate(&database.target, None, &events),
        second.migrate(&database.target, None, &events)
    );
    assert_eq!(a.unwrap().len() + b.unwrap().len(), 1);
    assert_eq!(recorded.notes().len(), 1, "{:?}", recorded.notes());
}

fn body(up: &str) -> FileBody {
    FileBody {
        up: up.into(),
        down: format!("-- undo {up}"),
    }
}

#[test]
fn new_files_follow_the_style_of_the_chain() {
    let now = "20240131235959";
    let write = |project: &Project, bodies: &[FileBody]| {
        project.devdb().write(now, "Add tags!", bodies).unwrap();
        project.names().join(" ")
    };
    // Empty, and a folder that is not there yet.
    let project = Project::new(&[]);
    std::fs::remove_dir(project.dir()).unwrap();
    assert_eq!(write(&project, &[body("a")]), "20240131235959_add_tags.sql");

    let project = Project::new(&[
        ("20230101000000_a.up.sql", ""),
        ("20230101000000_a.down.sql", ""),
    ]);
    assert!(project.devdb().is_reversible().unwrap());
    insta::assert_snapshot!(write(&project, &[body("a"), body("b")]).replace(' ', "\n"), @"
    20230101000000_a.down.sql
    20230101000000_a.up.sql
    20240131235959_add_tags.down.sql
    20240131235959_add_tags.up.sql
    20240201000000_add_tags_2.down.sql
    20240201000000_add_tags_2.up.sql
    ");

    // sqlx-cli counts on where the last two versions are neighbours.
    let project = Project::new(&[("001_a.sql", ""), ("002_b.sql", "")]);
    assert_eq!(
        write(&project, &[body("a"), body("b")]),
        "001_a.sql 002_b.sql 003_add_tags.sql 004_add_tags_2.sql"
    );

    // A last version from the future, or with more digits, is not overtaken.
    let project = Project::new(&[("20991231235959_a.sql", "")]);
    assert_eq!(
        write(&project, &[body("a")]),
        "20991231235959_a.sql 21000101000000_add_tags.sql"
    );
    let project = Project::new(&[("202401311200001_a.sql", "")]);
    assert_eq!(
        write(&project, &[body("a")]),
        "202401311200001_a.sql 202401311200002_add_tags.sql"
    );

    let project = Project::new(&[]);
    project.file("../sqlx.toml", "[migrate.defaults]\nmigration-type = \"reversible\"\nmigration-versioning = \"sequential\"\n");
    assert_eq!(
        write(&project, &[body("a")]),
        "0001_add_tags.down.sql 0001_add_tags.up.sql"
    );
}

#[test]
fn a_written_file_holds_the_text_and_nothing_else_is_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::new(THREE);
    let paths = project
        .devdb()
        .write("20240101000000", "x", &[body("select 1;\n")])
        .unwrap();
    assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), "select 1;\n");
    assert_eq!(project.names().len(), THREE.len() + 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // Readable for others as far as the umask lets any new file be.
    assert_eq!(mode(&paths[0]), mode(&project.dir().join("1_users.sql")));
    let error = project.devdb().write("2024", "x", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

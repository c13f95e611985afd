//! `diff`, `drift` and `schema dump`, through the binary.

use insta::assert_snapshot;

use crate::support::project::Project;

const NOTES: (&str, &str) = (
    "20260101000000_notes.sql",
    "create table notes (id bigint primary key, body text);\ncreate view titles as select id, body from notes;\n",
);

fn notes(name: &str, schema: &str) -> Project {
    Project::sqlx(name, &[NOTES], schema)
}

#[tokio::test]
async fn drift_is_told_as_extra_missing_and_changed_and_can_be_removed() {
    let project = notes("drift", "");
    project.devdb(&["ready"]).ok();
    assert_snapshot!(project.devdb(&["drift"]).show(), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ replaying migrations: 1 migration
    ✓ no drift: the database is what the migrations up to 20260101000000 make
    ");
    project
        .sql(
            "create table by_hand (id int); drop view titles; alter table notes alter body set default 'x'",
        )
        .await;
    assert_snapshot!(project.devdb(&["drift"]).show(), @"
    exit: 3
    ----- stdout -----
    made by no migration:
      + table public.by_hand
      + column public.by_hand.id integer
      + default public.notes.body 'x'::text
    made by a migration, and not there:
      - view public.titles
    ----- stderr -----
    ✓ replaying migrations: 1 migration
      compared with the migrations up to 20260101000000; `devdb drift --sql remove` prints the cure, `devdb reset` is one
    ");
    let remove = project.devdb(&["drift", "--sql", "remove"]);
    assert_eq!(remove.code, 3);
    project.sql(&remove.stdout).await;
    assert_eq!(project.devdb(&["drift"]).code, 0);
}

#[tokio::test]
async fn what_is_ignored_is_no_drift() {
    let project = notes("ignored", "");
    let toml = project.read("devdb.toml");
    project.file(
        "devdb.toml",
        &format!("{toml}[drift]\nignore = [\"public.events_*\"]\n"),
    );
    project.devdb(&["ready"]).ok();
    project
        .sql("create table events_2026 (id int primary key)")
        .await;
    project.devdb(&["drift"]).ok();
    project.sql("create table other (id int)").await;
    assert_eq!(project.devdb(&["drift"]).code, 3);
    project.devdb(&["drift", "--filter", "!public.other"]).ok();
}

#[tokio::test]
async fn drift_can_be_kept_as_a_migration() {
    let project = notes("keep", "");
    project.devdb(&["ready"]).ok();
    project.sql("create index by_hand on notes (body)").await;
    let run = project
        .devdb(&["drift", "--as-migration", "index by hand"])
        .ok();
    assert!(
        run.stdout.trim().ends_with("_index_by_hand.sql"),
        "{}",
        run.show()
    );
    let text = project.read(run.stdout.trim());
    assert_snapshot!(text, @"
    -- index-build: table public.notes cannot be written to while the index is built
    -- lock: share on table public.notes
    CREATE INDEX by_hand ON public.notes USING btree (body);
    ");
    // The clean baseline has the index now; the dev database is one migration behind.
    let fresh = project
        .devdb(&["diff", "baseline", "dev", "--summary"])
        .ok();
    assert_eq!(fresh.stdout, "");
}

#[tokio::test]
async fn an_edited_migration_and_a_deleted_one_are_drift() {
    let project = notes("drift_edited", "");
    project.file(
        "migrations/20260102000000_more.sql",
        "create table more (id int);\n",
    );
    project.devdb(&["ready"]).ok();
    std::fs::remove_file(project.path("migrations/20260102000000_more.sql")).unwrap();
    assert_snapshot!(project.devdb(&["drift"]).show(), @"
    exit: 3
    ----- stdout -----
    made by no migration:
      + table public.more
      + column public.more.id integer
    migrations:
      migration 20260102000000 (more) is applied, but its file is gone
    ----- stderr -----
    ✓ replaying migrations: 1 migration
      compared with the migrations up to 20260101000000; `devdb drift --sql remove` prints the cure, `devdb reset` is one
    ");
}

#[tokio::test]
async fn diff_prints_sql_that_is_proved_and_can_be_denied() {
    let project = notes(
        "diff",
        "create table notes (id bigint primary key, title text);\n",
    );
    assert_snapshot!(project.devdb(&["diff", "baseline", "wanted"]).show(), @"
    exit: 0
    ----- stdout -----
    -- lock: access exclusive on view public.titles
    DROP VIEW public.titles;
    -- data-loss: every value of column public.notes.body goes away
    -- lock: access exclusive on table public.notes
    ALTER TABLE public.notes DROP COLUMN body;
    -- lock: access exclusive on table public.notes
    ALTER TABLE public.notes ADD COLUMN title text;
    ----- stderr -----
    ✓ replaying migrations: 1 migration
    ✓ proving the plan on a clone: it leads to the wanted schema, and rows stay
    hazard: column public.notes.body → title may be a rename: --rename public.notes.body=title keeps what is in it, a line public.notes.body!=title in devdb.renames says that it is none
    ✓ baseline → wanted: 3 steps; proved on a clone
    ");
    assert_snapshot!(project.devdb(&["diff", "baseline", "wanted", "--deny", "data-loss"]).show(), @"
    exit: 5
    ----- stdout -----
    ----- stderr -----
    ✓ replaying migrations: 1 migration
    error: the plan has a hazard that --deny forbids
      column public.notes.body: data-loss: every value of column public.notes.body goes away
    ");
    assert_snapshot!(project.devdb(&["diff", "wanted", "wanted", "--exit-code"]).show(), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ wanted → wanted: no difference
    ");
    assert_eq!(
        project
            .devdb(&["diff", "baseline", "wanted", "--exit-code", "--summary"])
            .code,
        3
    );
    assert_snapshot!(project.devdb(&["diff", "baseline", "nowhere.sql"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: "nowhere.sql" is neither a side nor a file
    hint: sides are dev, baseline, baseline:ID, wanted, snapshot:NAME, empty, git:REV, git:REV:PATH, a Postgres URL, an SQL file or folder
    "#);
    assert_snapshot!(project.devdb(&["diff", "dev", "wanted", "--deny", "dataloss"]).show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: --deny dataloss: there is no such hazard
    hint: hazards are data-loss, depends-on-rows, table-rewrite, full-scan, index-build, privilege, own-transaction, not-reversible, lock
    ");
    let json = project
        .devdb(&["diff", "baseline", "wanted", "--json"])
        .ok()
        .json();
    assert_eq!(json["format"], 1);
    assert_eq!(json["steps"][0]["transaction"], 1);
    let kinds: Vec<&str> = json["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"view") && kinds.contains(&"column"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn diff_reads_files_commits_and_urls() {
    let project = notes("sides", "");
    project.devdb(&["ready"]).ok();
    project.file(
        "old.sql",
        "\\restrict x\ncreate table a (id int);\n\\unrestrict x\n",
    );
    project.file("new/1.sql", "create table a (id int, b text);\n");
    let run = project.devdb(&["diff", "old.sql", "new", "--summary"]).ok();
    assert_eq!(run.stdout, "+ column public.a.b text\n");

    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "migrations"]);
    git(
        &project,
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "commit",
            "--quiet",
            "-m",
            "one",
        ],
    );
    project.file(
        "migrations/20260103000000_more.sql",
        "create table more (id int);\n",
    );
    let run = project
        .devdb(&["diff", "git:HEAD", "baseline", "--summary"])
        .ok();
    assert_eq!(
        run.stdout,
        "+ table public.more\n+ column public.more.id integer\n"
    );
    let url = project.target().url("postgresql");
    assert_eq!(
        project
            .devdb(&["diff", &url, "git:HEAD", "--exit-code"])
            .code,
        0
    );
    assert_eq!(project.devdb(&["diff", "git:nowhere", "dev"]).code, 2);
}

fn git(project: &Project, arguments: &[&str]) {
    let status = std::process::Command::new("git")
        .args(arguments)
        .current_dir(project.root())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_dump_is_the_same_for_the_same_schema_and_makes_it_again() {
    let project = notes("dump", "");
    project.devdb(&["ready"]).ok();
    let dump = project.devdb(&["schema", "dump"]).ok().stdout;
    assert_snapshot!(dump, @"
    CREATE TABLE public.notes (
        id bigint NOT NULL,
        body text,
        CONSTRAINT notes_pkey PRIMARY KEY (id)
    );
    CREATE VIEW public.titles AS
     SELECT id,
        body
       FROM public.notes;
    ");
    project.file("dump.sql", &dump);
    assert_eq!(
        project
            .devdb(&["diff", "dump.sql", "dev", "--exit-code"])
            .code,
        0
    );
    assert_eq!(
        project.devdb(&["schema", "dump", "baseline"]).ok().stdout,
        dump
    );
    project.devdb(&["schema", "dump", "--split", "parts"]).ok();
    assert!(
        project
            .read("parts/public/table.sql")
            .contains("CREATE TABLE public.notes")
    );
    let views = project.devdb(&[
        "schema",
        "dump",
        "--filter",
        "view",
        "--filter",
        "view column",
    ]);
    assert!(!views.ok().stdout.contains("CREATE TABLE"));
}

const PEOPLE: (&str, &str) = (
    "1_people.sql",
    "create type mood as enum ('ok', 'sad');\n\
     create table people (id bigint primary key, name text not null, mood mood);\n\
     create index people_name on people (name);\n\
     create view names as select name from people;\n\
     insert into people values (1, 'Ada', 'sad');\n",
);

#[tokio::test]
async fn a_rename_is_a_hazard_until_somebody_decides() {
    let wanted = "create type mood as enum ('ok', 'unhappy');\n\
         create table persons (id bigint primary key, full_name text not null, mood mood);\n\
         create index persons_full_name on persons (full_name);\n\
         create view names as select full_name as name from persons;\n";
    let project = Project::sqlx("rename", &[PEOPLE], wanted);
    let open = project
        .devdb(&["diff", "baseline", "wanted", "--no-proof"])
        .ok();
    assert_snapshot!(open.stderr.lines().filter(|l| l.starts_with("hazard")).collect::<Vec<_>>().join("\n"), @"hazard: table public.people → persons may be a rename: --rename public.people=persons keeps what is in it, a line public.people!=persons in devdb.renames says that it is none");

    let renames = [
        "people=persons",
        "public.persons.name=public.persons.full_name",
        "mood.sad=unhappy",
    ];
    let mut arguments = vec!["generate", "rename people", "--deny", "data-loss"];
    for rename in &renames {
        arguments.extend(["--rename", rename]);
    }
    let run = project.devdb(&arguments).ok();
    let text = project.read(run.stdout.trim());
    assert_snapshot!(text, @"
    -- lock: access exclusive on table public.people
    ALTER TABLE public.people RENAME TO persons;
    ALTER TYPE public.mood RENAME VALUE 'sad' TO 'unhappy';
    -- lock: access exclusive on table public.persons
    ALTER TABLE public.persons RENAME COLUMN name TO full_name;
    -- lock: access exclusive on table public.persons
    ALTER TABLE public.persons RENAME CONSTRAINT people_pkey TO persons_pkey;
    ALTER INDEX public.people_name RENAME TO persons_full_name;
    ");
    project.devdb(&["ready"]).ok();
    assert_eq!(
        project
            .value("select full_name || ' ' || mood from persons")
            .await
            .as_deref(),
        Some("Ada unhappy")
    );
}

#[tokio::test]
async fn a_rename_that_is_named_needs_no_likeness_and_one_that_fits_nothing_is_an_error() {
    let project = Project::sqlx("rename_named", &[], "");
    project
        .file("a.sql", "create type mood as enum ('ok', 'sad'); create table people (id int primary key, name text, age int, mood mood);\n")
        .file("b.sql", "create type mood as enum ('blue', 'fine', 'new'); create table users (id int primary key, title varchar(50), age bigint, mood mood);\n");
    let run = project
        .devdb(&[
            "diff",
            "a.sql",
            "b.sql",
            "--summary",
            "--deny",
            "data-loss",
            "--rename",
            "public.people=users",
            "--rename",
            "users.name=title",
            "--rename",
            "mood.sad=blue",
            "--rename",
            "mood.ok=fine",
        ])
        .ok();
    assert_snapshot!(run.stdout, @"
    ~ table public.people → users
    ~ value public.mood.ok → fine
    ~ value public.mood.sad → blue
    ~ column public.users.name → title
    ~ constraint public.users.people_pkey → users_pkey
    ~ enum public.mood: labels fine, blue → blue, fine, new
    ~ column public.users.age: type integer → bigint
    ~ column public.users.title: type text → character varying(50)
    ");
    let run = project.devdb(&["diff", "a.sql", "b.sql", "--rename", "x.y=z"]);
    assert_snapshot!(run.show(), @"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: --rename x.y=z: there is no such difference
    hint: a column is named under its table's new name (public.users.name), a value under its type (public.mood.sad)
    ");
}

#[tokio::test]
async fn renames_are_decided_in_a_file_and_taken_back_by_the_down_file() {
    let project = Project::sqlx(
        "rename_file",
        &[
            (
                "1_a.up.sql",
                "create table a (id int primary key, x text);\n",
            ),
            ("1_a.down.sql", "drop table a;\n"),
        ],
        "create table a (id int primary key, y text, z int);\n",
    );
    project.file("devdb.renames", "public.a.x = y\n");
    project
        .devdb(&["generate", "y", "--deny", "data-loss"])
        .ok();
    assert_snapshot!(project.read("migrations/2_y.up.sql"), @"
    -- lock: access exclusive on table public.a
    ALTER TABLE public.a RENAME COLUMN x TO y;
    -- lock: access exclusive on table public.a
    ALTER TABLE public.a ADD COLUMN z integer;
    ");
    assert_snapshot!(project.read("migrations/2_y.down.sql"), @"
    -- data-loss: every value of column public.a.z goes away
    -- lock: access exclusive on table public.a
    ALTER TABLE public.a DROP COLUMN z;
    -- lock: access exclusive on table public.a
    ALTER TABLE public.a RENAME COLUMN y TO x;
    ");

    project.file("devdb.renames", "what is this\n");
    assert_snapshot!(project.devdb(&["generate", "z"]).show(), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: devdb.renames:1: "what is this" is no decision
    hint: write old=new (public.users.name=full_name), or old!=new where they are two things
    "#);
}

#[tokio::test]
async fn a_page_is_written_although_the_plan_is_refused() {
    let project = Project::sqlx("page_refused", &[], "");
    project
        .file("a.sql", "create table t (id int, gone int);\n")
        .file("b.sql", "create table t (id int);\n");
    let run = project.devdb(&[
        "diff",
        "a.sql",
        "b.sql",
        "--deny",
        "data-loss",
        "--html",
        "page.html",
    ]);
    assert_eq!(run.code, 5, "{}", run.show());
    let page = project.read("page.html");
    assert!(page.contains("the plan has a hazard that --deny forbids"));
    assert!(page.contains("every value of column public.t.gone goes away"));
}

//! `history`, `heads`, `show`, `merge`, `stamp` and `--sql`, over both tools.

use insta::assert_snapshot;

use crate::support::project::Project;

fn sqlx(name: &str) -> Project {
    Project::sqlx(
        name,
        &[
            ("1_a.up.sql", "create table a (id int)"),
            ("1_a.down.sql", "drop table a;\n"),
            (
                "2_b.up.sql",
                "-- no-transaction\ncreate index concurrently i on a (id);\n",
            ),
            ("2_b.down.sql", "drop index i;\n"),
        ],
        "",
    )
}

#[tokio::test]
async fn two_heads_are_named_with_who_made_them_and_joined() {
    let project = Project::alembic("everyday_heads", "alembic_heads", "");
    let left = project.read("migrations/versions/left_ann_adds_tags.py");
    let right = project.read("migrations/versions/right_ben_adds_labels.py");
    for file in ["left_ann_adds_tags.py", "right_ben_adds_labels.py"] {
        std::fs::remove_file(project.path("migrations/versions").join(file)).unwrap();
    }
    project.commit("trunk");
    project.git(&["switch", "--quiet", "--create", "tags"]);
    project.file("migrations/versions/left_ann_adds_tags.py", &left);
    project.commit("tags");
    project.file("migrations/versions/right_ben_adds_labels.py", &right);
    let today = git_today(&project);
    let plain = |text: String| text.replace(&today, "[today]");

    assert_snapshot!(plain(project.devdb(&["ready"]).show()), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    error: the chain has 2 heads: left (Ann adds tags; by Ann on [today], in tags); right (Ben adds labels; not committed)
    hint: join them with `devdb merge "MESSAGE"`: it proves that they go together
    "#);
    assert_snapshot!(plain(project.devdb(&["heads"]).show()), @r#"
    exit: 0
    ----- stdout -----
    left (Ann adds tags; by Ann on [today], in tags)
    right (Ben adds labels; not committed)
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
      next: join them with `devdb merge "MESSAGE"`
    "#);
    assert_snapshot!(project.devdb(&["history"]).show(), @"
    exit: 0
    ----- stdout -----
    ○    trunk  Base             pending
    ├─╮
    │ ○  right  Ben adds labels  pending (head)
    ○    left   Ann adds tags    pending (head)
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    ");
    let merged = project.devdb(&["merge", "both"]).ok();
    assert!(
        merged.stderr.contains("one head again"),
        "{}",
        merged.show()
    );
    let file = merged.stdout.trim().to_owned();
    assert!(project.read(&file).contains("'left', 'right'"));
    project.devdb(&["ready"]).ok();
    let history = project.devdb(&["history"]).ok().stdout;
    let id = file.rsplit('/').next().unwrap().split('_').next().unwrap();
    assert_snapshot!(history.replace(id, "[merge]"), @"
    ●    trunk         Base             applied
    ├─╮
    │ ●  right         Ben adds labels  applied
    ● │  left          Ann adds tags    applied
    ├─╯
    ●    [merge]  both             applied (head)
    ");
    let refused = project.devdb(&["merge"]);
    assert_eq!(refused.code, 2, "{}", refused.show());
}

/// As git prints it.
fn git_today(project: &Project) -> String {
    let output = std::process::Command::new("git")
        .args(["log", "-1", "--format=%as"])
        .current_dir(project.root())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn branches_that_do_not_go_together_are_not_joined() {
    let project = Project::alembic("everyday_clash", "alembic_heads", "");
    let left = project.read("migrations/versions/left_ann_adds_tags.py");
    let name = "migrations/versions/right_ben_adds_labels.py";
    let right = left
        .replace("\"left\"", "\"right\"")
        .replace("'left'", "'right'");
    project.file(name, &right);
    let before = project.read_folder("migrations/versions");
    let run = project.devdb(&["merge", "both"]);
    assert_eq!(run.code, 4, "{}", run.show());
    assert!(
        run.stderr.contains("the branches do not go together")
            && run.stderr.contains("already exists"),
        "{}",
        run.show()
    );
    assert_eq!(project.read_folder("migrations/versions"), before);
}

#[tokio::test]
async fn one_migration_is_shown() {
    let project = Project::alembic("everyday_show", "alembic_plain", "");
    let shown = project.devdb(&["show", "head"]).ok().stdout;
    assert!(shown.starts_with("c3 A note on orders\n"), "{shown}");
    assert!(
        shown.contains("builds on b2") && shown.contains("def upgrade"),
        "{shown}"
    );
    let json = project.devdb(&["show", "orders", "--json"]);
    assert_eq!(json.code, 2, "{}", json.show());
    assert!(
        json.stderr.contains("fits several") && json.stderr.contains("b2 Orders"),
        "{}",
        json.show()
    );
    let b2 = project.devdb(&["show", "b", "--json"]).ok().json();
    assert_eq!(b2["children"].to_string(), r#"["c3"]"#);
    assert_eq!(project.devdb(&["show", "zzz"]).code, 2);
}

#[tokio::test]
async fn the_sql_of_alembic_does_what_the_migrations_do() {
    let project = Project::alembic("everyday_sql", "alembic_plain", "");
    let env = project.read("migrations/env.py");
    let (head, connected) = env.split_once("with engine.connect()").unwrap();
    let connected = format!("with engine.connect(){connected}").replace('\n', "\n    ");
    project.file(
        "migrations/env.py",
        &format!(
            "{head}if context.is_offline_mode():\n    context.configure(url=os.environ[\"DATABASE_URL\"], literal_binds=True)\n    \
             with context.begin_transaction():\n        context.run_migrations()\nelse:\n    {}\n",
            connected.trim_end()
        ),
    );
    let sql = project.devdb(&["migrate", "--sql", "-q"]).ok().stdout;
    assert!(
        sql.contains("CREATE TABLE customers") && sql.contains("INSERT INTO alembic_version"),
        "{sql}"
    );
    // Nothing was run, not even a database made.
    assert!(project.databases().await.is_empty());
    project.devdb(&["migrate", "--to", "b2"]).ok();
    let sql = project.devdb(&["migrate", "--sql"]).ok().stdout;
    assert!(!sql.contains("CREATE TABLE customers"), "{sql}");
    project.sql(&sql).await;
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["at"], "c3 A note on orders");
    let back = project
        .devdb(&["rollback", "--steps", "2", "--sql"])
        .ok()
        .stdout;
    project.sql(&back).await;
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["at"], "a1 Customers");
    let back = project.devdb(&["rollback", "--base", "--sql"]).ok().stdout;
    project.sql(&back).await;
    assert_eq!(
        project
            .value(
                "select count(*)::text from pg_tables where tablename in ('customers', 'orders')"
            )
            .await
            .as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn the_sql_of_sqlx_does_what_the_migrations_do() {
    let project = sqlx("everyday_sqlx");
    project.devdb(&["migrate", "--to", "1"]).ok();
    project.devdb(&["rollback", "--no-snapshot"]).ok();
    let sql = project.devdb(&["migrate", "--sql"]).ok().stdout;
    assert!(
        sql.contains("-- 1_a.up.sql\nBEGIN;\ncreate table a (id int)\n;\n"),
        "{sql}"
    );
    psql(&project, &sql);
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(
        (
            status["database"]["applied"].as_i64(),
            status["database"]["problems"].as_array().unwrap().len()
        ),
        (Some(2), 0)
    );
    let back = project.devdb(&["rollback", "--base", "--sql"]).ok().stdout;
    psql(&project, &back);
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["applied"].as_i64(), Some(0));
}

/// Statement by statement, as people run such a file.
fn psql(project: &Project, sql: &str) {
    use std::io::Write as _;
    let mut child = std::process::Command::new("psql")
        .args(["-X", "-v", "ON_ERROR_STOP=1"])
        .arg(project.target().url("postgresql"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(sql.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{sql}");
}

#[tokio::test]
async fn a_stamp_runs_nothing() {
    let project = sqlx("everyday_stamp");
    project.devdb(&["ready"]).ok();
    project.sql("drop table a").await;
    project.devdb(&["stamp", "1"]).ok();
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["at"], "1 a");
    project.devdb(&["stamp", "base"]).ok();
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["applied"].as_i64(), Some(0));
    project.devdb(&["stamp", "head"]).ok();
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["applied"].as_i64(), Some(2));
    assert_eq!(project.devdb(&["stamp", "7"]).code, 2);

    let project = Project::alembic("everyday_stamp_a", "alembic_plain", "");
    project.devdb(&["stamp", "b2"]).ok();
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["at"], "b2 Orders");
    project.devdb(&["stamp", "base"]).ok();
    project.devdb(&["ready"]).ok();
}

//! What a migration that commits inside leaves when it fails: nothing.

use crate::support::project::Project;

const COMMITS: &str = r#"
"""half of it is committed"""
from alembic import op

revision = "d4"
down_revision = "c3"


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("create table half (id int)")
        op.execute("update customers set name = 'changed'")
    op.execute("select 1 / (select count(*) from pg_class where relname = 'divisor')")


def downgrade():
    op.execute("drop table half")
"#;

/// Rows, a table that the failing migration would leave, and what is saved.
async fn state(project: &Project, sql: &str) -> (Option<String>, serde_json::Value) {
    let snapshots = project.devdb(&["snapshot", "list", "--json"]).ok().json();
    (project.value(sql).await, snapshots)
}

#[tokio::test]
async fn a_revision_that_fails_after_a_commit_leaves_the_dev_database_as_it_was() {
    let project = Project::alembic("guard", "alembic_plain", "");
    project.devdb(&["ready"]).ok();
    let psql = |sql: &str| project.devdb(&["psql", "-c", sql]).ok();
    psql("insert into customers (name) values ('kept')");
    let sql = "select concat_ws(' ', (select string_agg(name, ',') from customers), to_regclass('half'), \
               (select version_num from alembic_version))";
    let before = state(&project, sql).await;
    assert_eq!(before.0.as_deref(), Some("kept c3"));

    project.file("migrations/versions/d4_half.py", COMMITS);
    for arguments in [&["migrate"][..], &["ready"]] {
        let failed = project.devdb(arguments);
        assert_eq!(failed.code, 7, "{}", failed.show());
        assert!(
            failed.stderr.contains("is as it was before")
                && failed.stderr.contains("d4_half.py:13")
                && failed.stderr.contains("division by zero"),
            "{}",
            failed.stderr
        );
        assert_eq!(state(&project, sql).await, before);
    }

    psql("create table divisor ()");
    project.devdb(&["migrate"]).ok();
    let after = state(&project, sql).await;
    assert_eq!(after.0.as_deref(), Some("changed half d4"));
    assert_eq!(after.1, before.1, "no snapshot stays");
}

#[tokio::test]
async fn a_file_without_a_transaction_that_fails_leaves_the_dev_database_as_it_was() {
    let project = Project::sqlx("guard_sqlx", &[("1_a.sql", "create table a (id int)")], "");
    project.devdb(&["ready"]).ok();
    project
        .devdb(&["psql", "-c", "insert into a values (1), (1)"])
        .ok();
    let sql = "select concat_ws(' ', count(*), to_regclass('b'), to_regclass('once')) from a";
    let before = state(&project, sql).await;
    project
        .file("migrations/2_b.sql", "create table b ();\n")
        .file(
            "migrations/3_once.sql",
            "-- no-transaction\ncreate unique index concurrently once on a (id);\n",
        );
    // What comes before it runs in transactions of its own, and is not copied for.
    project.devdb(&["migrate", "--to", "2"]).ok();
    let before = (Some("2 b".to_owned()), before.1);
    let failed = project.devdb(&["migrate"]);
    assert_eq!(failed.code, 7, "{}", failed.show());
    assert!(
        failed.stderr.contains("is as it was before"),
        "{}",
        failed.stderr
    );
    // Postgres leaves an invalid index behind.
    assert_eq!(state(&project, sql).await, before);
}

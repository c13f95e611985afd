//! `devdb generate` in Alembic projects: what is left out, mended, named and added.

use crate::support::project::Project;

/// The file that a call of `generate` printed.
fn written(project: &Project, arguments: &[&str]) -> (String, String) {
    let run = project.devdb(&[&["generate"], arguments].concat()).ok();
    let file = run.stdout.trim().to_owned();
    assert!(file.ends_with(".py"), "{}", run.show());
    (project.read(&file), run.show())
}

fn edit(project: &Project, file: &str, from: &str, to: &str) {
    let text = project.read(file);
    assert!(text.contains(from), "{file} does not hold {from:?}");
    project.file(file, &text.replacen(from, to, 1));
}

/// Kinds of difference that models make; each is called like the object that shows it.
const MODELS: [&str; 57] = [
    "table_added",
    "table_removed",
    "schema_added",
    "column_added",
    "column_removed",
    "type_changed",
    "length_changed",
    "precision_changed",
    "timezone_changed",
    "array_changed",
    "nullable_changed",
    "default_added",
    "default_changed",
    "default_removed",
    "column_comment",
    "table_comment",
    "constraint_comment",
    "collation_changed",
    "generated_changed",
    "identity_added",
    "identity_changed",
    "index_added",
    "index_removed",
    "index_columns",
    "index_unique",
    "index_method",
    "index_opclass",
    "index_predicate",
    "index_include",
    "index_expression",
    "index_order",
    "index_options",
    "hnsw_parameters",
    "ivfflat_parameters",
    "unique_added",
    "unique_removed",
    "unique_columns",
    "unique_deferrable",
    "unique_nulls",
    "fk_added",
    "fk_removed",
    "fk_action",
    "fk_deferrable",
    "fk_unnamed_n_fkey",
    "check_added",
    "check_removed",
    "check_changed",
    "exclude_added",
    "exclude_removed",
    "primary_key_changed",
    "primary_key_added",
    "enum_grows",
    "enum_shrinks",
    "enum_order",
    "enum_goes",
    "enum_comes",
    "citext",
];

/// And some that are neither a table's nor a type's.
const MORE: [&str; 6] = [
    "partitioned",
    "public.unlogged",
    "storage_parameters",
    "sequence_added",
    "sequence_changed",
    "sequence_removed",
];

/// Kinds that only migrations and hands make: the line of `devdb drift`, and the SQL.
const DRIFT: [(&str, &str); 10] = [
    ("view public.d_view", "create view d_view as select 1 as x"),
    (
        "materialized view public.d_stored",
        "create materialized view d_stored as select 1 as x",
    ),
    (
        "function public.d_function()",
        "create function d_function() returns trigger language plpgsql as 'begin return new; end'",
    ),
    (
        "trigger public.column_added.d_trigger",
        "create trigger d_trigger before insert on column_added for each row execute function d_function()",
    ),
    (
        "row security",
        "alter table column_added enable row level security",
    ),
    (
        "policy public.column_added.d_policy",
        "create policy d_policy on column_added using (true)",
    ),
    ("acl", "grant select on column_removed to public"),
    (
        "domain public.d_domain",
        "create domain d_domain as int check (value > 0)",
    ),
    (
        "statistics public.d_statistics",
        "create statistics d_statistics on id, a from index_include",
    ),
    (
        "rule public.column_removed.d_rule",
        "create rule d_rule as on delete to column_removed do instead nothing",
    ),
];

#[tokio::test]
async fn every_kind_of_difference_is_noticed() {
    let project = Project::alembic("kinds", "alembic_kinds", "extensions = [\"vector\"]");
    project.commit("before");
    project.devdb(&["ready"]).ok();
    for (_, sql) in DRIFT {
        project.sql(sql).await;
    }
    let drift = project.devdb(&["drift"]);
    assert_eq!(drift.code, 3, "{}", drift.show());
    let drift = drift.show();

    project.file("models.py", &project.read("after.py"));
    let run = project
        .devdb(&["generate", "everything", "--complete", "--json"])
        .ok();
    let generated = run.json();
    assert_eq!(generated["proved"], true);
    assert_eq!(generated["missed"].as_array().unwrap().len(), 0);
    assert_eq!(generated["left_out"].as_array().unwrap().len(), 0);
    let mut all = generated["changes"].to_string();
    all.push_str(&generated["mended"].to_string());

    let noticed = MODELS
        .iter()
        .chain(&MORE)
        .filter(|kind| all.contains(**kind));
    let noticed = noticed.count()
        + DRIFT
            .iter()
            .filter(|(line, _)| drift.contains(line))
            .count();
    assert_eq!(
        noticed,
        MODELS.len() + MORE.len() + DRIFT.len(),
        "{all}\n{drift}"
    );
    // It is a migration like any other.
    project
        .sql("drop table column_added, column_removed cascade")
        .await;
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(project.devdb(&["drift"]).code, 0);
    let nothing = project.devdb(&["generate", "nothing", "--complete"]).ok();
    assert!(
        nothing.stderr.contains("nothing to generate"),
        "{}",
        nothing.show()
    );
}

#[tokio::test]
async fn a_vector_and_an_enum_work_at_once() {
    let project = Project::alembic("mends", "alembic_plain", "");
    project.commit("before");
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    mood = Column(Enum(\"calm\", \"cross\", name=\"mood\"))\n    taste = Column(Vector(3))",
    );
    let models = project.read("shop/models.py");
    let imports = "from pgvector.sqlalchemy import Vector\nfrom sqlalchemy import Enum\n";
    project.file("shop/models.py", &after_docstring(&models, imports));
    let (file, shown) = written(&project, &["mood and taste"]);
    for line in [
        "import pgvector.sqlalchemy",
        "op.execute(\"CREATE EXTENSION IF NOT EXISTS vector\")",
        "op.execute(\"CREATE TYPE mood AS ENUM ('calm', 'cross')\")",
        "postgresql.ENUM('calm', 'cross', name='mood', create_type=False)",
        "# devdb: what Alembic's way back leaves behind",
        "op.execute(\"DROP TYPE public.mood\")",
    ] {
        assert!(file.contains(line), "{line}\n{file}");
    }
    for said in [
        "mended: creates the extension vector",
        "mended: creates the type mood",
        "mended: takes back: - enum public.mood",
    ] {
        assert!(shown.contains(said), "{said}\n{shown}");
    }
    project.devdb(&["migrate"]).ok();
    project.devdb(&["rollback", "--no-snapshot"]).ok();
    project.devdb(&["migrate"]).ok();

    // A value more is a change that Alembic does not see, and that cannot be used before a commit.
    project.commit("mood");
    edit(
        &project,
        "shop/models.py",
        "\"cross\"",
        "\"cross\", \"glad\"",
    );
    // Also where env.py wants no revision without operations, as many do.
    edit(
        &project,
        "migrations/env.py",
        "target_metadata=Base.metadata",
        "target_metadata=Base.metadata, process_revision_directives=no_empty",
    );
    edit(
        &project,
        "migrations/env.py",
        "engine = ",
        "def no_empty(context, revision, directives):\n    if directives[0].upgrade_ops.is_empty():\n        directives[:] = []\n\n\nengine = ",
    );
    let (file, _) = written(&project, &["glad", "--rev-id", "glad"]);
    assert!(file.contains("ADD VALUE 'glad'"), "{file}");
    std::fs::remove_file(project.path("migrations/versions/glad_glad.py")).unwrap();
    edit(
        &project,
        "shop/models.py",
        "name=\"mood\")",
        "name=\"mood\"), server_default=\"glad\"",
    );
    let (file, shown) = written(&project, &["glad", "--complete"]);
    assert!(
        file.contains("autocommit_block():\n        op.execute(\"ALTER TYPE mood ADD VALUE 'glad' AFTER 'cross'\")"),
        "{file}"
    );
    assert!(shown.contains("add_enum_value mood.glad"), "{shown}");
    project.devdb(&["migrate"]).ok();
}

fn after_docstring(source: &str, line: &str) -> String {
    match source.strip_prefix("\"\"\"") {
        Some(rest) => {
            let end = rest.find("\"\"\"").unwrap() + 7;
            format!("{}{line}{}", &source[..end], &source[end..])
        }
        None => format!("{line}{source}"),
    }
}

#[tokio::test]
async fn what_comes_out_of_main_is_left_out() {
    let project = Project::alembic("inherited", "alembic_plain", "");
    // On main somebody changed a model and wrote no migration.
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    forgotten = Column(Text, unique=True)",
    );
    project.commit("forgotten");
    let all = project.devdb(&["generate", "nothing of mine"]).ok();
    assert!(
        all.stderr.contains("your changes need no migration"),
        "{}",
        all.show()
    );
    project.git(&["switch", "--quiet", "--create", "tags"]);
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text)",
    );
    let run = project.devdb(&["generate", "tags"]).ok();
    let file = project.read(run.stdout.trim());
    assert!(
        file.contains("'tags'") && !file.contains("forgotten"),
        "{file}"
    );
    let shown = run.show();
    assert!(
        shown.contains("left out, because it comes out of main (")
            && shown.contains("add_column customers.forgotten")
            && shown.contains("create_unique_constraint customers"),
        "{shown}"
    );
    assert!(
        shown.contains("looking at the models as of main"),
        "{shown}"
    );
    std::fs::remove_file(project.path(run.stdout.trim())).unwrap();

    // That is remembered for as long as main stays where it is.
    let (file, shown) = written(&project, &["tags", "--rev-id", "mine"]);
    assert!(file.contains("revision = 'mine'"), "{file}");
    assert!(!shown.contains("looking at the models"), "{shown}");
    std::fs::remove_file(project.path("migrations/versions/mine_tags.py")).unwrap();
    let (file, _) = written(&project, &["both", "--with-inherited"]);
    assert!(
        file.contains("'tags'") && file.contains("customers_forgotten_key"),
        "{file}"
    );
}

#[tokio::test]
async fn what_is_installed_to_be_edited_is_looked_for_in_the_other_checkout() {
    let project = Project::alembic("editable", "alembic_plain", "");
    // As an editable install does it: a path of the work tree stands in Python's search path.
    std::fs::create_dir(project.path("src")).unwrap();
    std::fs::rename(project.path("shop"), project.path("src/shop")).unwrap();
    project.commit("src");
    edit(
        &project,
        "src/shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text)",
    );
    let mut command = project.command(&["generate", "tags"]);
    command.env("PYTHONPATH", project.path("src"));
    let run = project.run(command).ok();
    let file = project.read(run.stdout.trim());
    assert!(file.contains("'tags'"), "{file}\n{}", run.show());

    // Where that does not help, it is said, and nothing is left out.
    std::fs::remove_file(project.path(run.stdout.trim())).unwrap();
    edit(
        &project,
        "migrations/env.py",
        "import os\n",
        &format!(
            "import os\nimport sys\nsys.path.insert(0, {:?})\n",
            project.path("src").canonicalize().unwrap()
        ),
    );
    project.git(&["add", "migrations/env.py"]);
    project.git(&["commit", "--quiet", "--message", "path"]);
    let run = project.devdb(&["generate", "tags"]).ok();
    assert!(
        run.stderr
            .contains("is not known, and is in the file too: Python imports [root]/src/shop"),
        "{}",
        run.show()
    );
    assert!(project.read(run.stdout.trim()).contains("'tags'"));
}

#[tokio::test]
async fn what_only_migrations_make_is_not_called_missing() {
    let project = Project::alembic("by_migration", "alembic_plain", "");
    project.file(
        "migrations/versions/d4_by_hand.py",
        r#""""By hand"""
from alembic import op

revision = "d4"
down_revision = "c3"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create function stamp() returns trigger language plpgsql as 'begin return new; end'")
    op.execute("create trigger stamp before insert on customers for each row execute function stamp()")
    op.execute("create view names as select name from customers")
    op.execute("create sequence tickets")
    op.execute("create type colour as enum ('red', 'blue')")
    op.execute("alter table customers add constraint named check (name <> '')")
    op.execute("create index by_length on customers (length(name)) where name is not null")
    op.execute("alter table customers enable row level security")
    op.execute("grant select on customers to public")


def downgrade():
    raise NotImplementedError
"#,
    );
    project.commit("before");
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text, CheckConstraint(r\"tags ~ '\\:tag'\", name=\"tagged\"))",
    );
    let models = project.read("shop/models.py");
    let import = "from sqlalchemy import CheckConstraint\n";
    project.file("shop/models.py", &after_docstring(&models, import));
    let run = project.devdb(&["generate", "tags", "--json"]).ok();
    let generated = run.json();
    assert_eq!(
        generated["missed"].to_string(),
        r#"["+ constraint public.customers.tagged CHECK ((tags ~ ':tag'::text))"]"#,
    );
    let file = generated["files"][0].as_str().unwrap().to_owned();
    let file = file.replace(
        "[root]",
        project.root().canonicalize().unwrap().to_str().unwrap(),
    );
    std::fs::remove_file(file).unwrap();

    // With `complete` it is in the file; a colon in it is no parameter.
    edit(
        &project,
        "devdb.toml",
        "tool = \"alembic\"",
        "tool = \"alembic\"\ncomplete = true",
    );
    let (file, _) = written(&project, &["tags"]);
    assert!(
        file.contains("\\\\:tag") || file.contains("\\:tag"),
        "{file}"
    );
    for kept in [
        "stamp", "names", "tickets", "colour", "named", "grant", "security",
    ] {
        assert!(!file.contains(kept), "{kept}\n{file}");
    }
    project.devdb(&["migrate"]).ok();
    let check = project
        .value("select pg_get_constraintdef(oid) from pg_constraint where conname = 'tagged'")
        .await;
    assert_eq!(check.as_deref(), Some("CHECK ((tags ~ ':tag'::text))"));
}

#[tokio::test]
async fn rows_in_the_way_are_named() {
    let project = Project::alembic("in_the_way", "alembic_plain", "");
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text, nullable=False)",
    );
    let (_, shown) = written(&project, &["tags"]);
    assert!(
        shown.contains("hazard: depends-on-rows: it fails where tables have rows:")
            && shown.contains("null values (23502)"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_revision_goes_where_it_is_told_to() {
    let project = Project::alembic("place", "alembic_plain", "");
    let (file, _) = written(&project, &["by hand", "--empty", "--rev-id", "e5"]);
    assert!(
        file.contains("revision = 'e5'") && file.contains("down_revision = 'c3'"),
        "{file}"
    );
    project.devdb(&["ready"]).ok();
    let unknown = project.devdb(&["generate", "x", "--empty", "--head", "nope"]);
    assert_eq!(unknown.code, 7, "{}", unknown.show());
    assert!(unknown.stderr.contains("nope"), "{}", unknown.show());
    let (file, _) = written(
        &project,
        &[
            "aside",
            "--empty",
            "--rev-id",
            "f6",
            "--head",
            "b2",
            "--splice",
            "--branch-label",
            "side",
        ],
    );
    assert!(
        file.contains("down_revision = 'b2'") && file.contains("branch_labels = ('side',)"),
        "{file}"
    );
    // One with operations is proved like any other: it alone goes down and up again.
    let files = project.read_folder("migrations/versions");
    let aside = files.iter().find(|file| file.contains("aside")).unwrap();
    std::fs::remove_file(project.path(&format!("migrations/versions/{aside}"))).unwrap();
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text)",
    );
    for at in [&["--head", "b2", "--splice"][..], &["--head", "base"]] {
        let run = project.devdb(&[&["generate", "tags"], at].concat()).ok();
        let file = run.stdout.trim();
        let text = project.read(file);
        assert!(text.contains("add_column('customers'"), "{text}");
        std::fs::remove_file(project.path(file)).unwrap();
    }
    let sqlx = Project::sqlx("place_sqlx", &[("1_a.sql", "create table a (id int)")], "");
    let refused = sqlx.devdb(&["generate", "x", "--complete"]);
    assert_eq!(refused.code, 2, "{}", refused.show());
}

#[tokio::test]
async fn version_files_may_lie_in_several_folders() {
    let project = Project::alembic("folders", "alembic_plain", "");
    edit(
        &project,
        "alembic.ini",
        "prepend_sys_path = .",
        "prepend_sys_path = .\npath_separator = os\nversion_locations = %(here)s/migrations/versions:%(here)s/billing/versions",
    );
    std::fs::create_dir_all(project.path("billing/versions")).unwrap();
    let first = &[
        "generate",
        "invoices",
        "--empty",
        "--rev-id",
        "bill1",
        "--head",
        "base",
        "--branch-label",
        "billing",
        "--version-path",
        "billing/versions",
    ];
    project.devdb(first).ok();
    let files = project.read_folder("billing/versions");
    let [file] = files.as_slice() else {
        panic!("{files:?}");
    };
    let text = project.read(&format!("billing/versions/{file}"));
    assert!(
        text.contains("down_revision = None") && text.contains("branch_labels = ('billing',)"),
        "{text}"
    );
    project.file(
        &format!("billing/versions/{file}"),
        &text
            .replacen(
                "    pass",
                "    op.create_table('invoices', sa.Column('id', sa.Integer, primary_key=True))",
                1,
            )
            .replacen("    pass", "    op.drop_table('invoices')", 1),
    );
    // Two heads, until they are joined.
    let two = project.devdb(&["ready"]);
    assert!(
        two.code == 7 && two.stderr.contains("2 heads"),
        "{}",
        two.show()
    );
    project.devdb(&["merge", "join"]).ok();
    project.devdb(&["ready"]).ok();
    assert!(
        project
            .value("select to_regclass('invoices')::text")
            .await
            .is_some()
    );
    // The next one is compared with all of it, and is the only thing that comes out.
    let models = project.read("shop/models.py");
    let invoice = "class Invoice(Base):\n    __tablename__ = \"invoices\"\n    id = Column(Integer, primary_key=True)\n";
    project.file("shop/models.py", &format!("{models}\n\n{invoice}"));
    edit(
        &project,
        "shop/models.py",
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text)",
    );
    let (file, _) = written(&project, &["tags"]);
    assert!(
        file.contains("add_column('customers'") && !file.contains("invoices"),
        "{file}"
    );
    project.devdb(&["reset", "--yes"]).ok();

    // And a URL with parameters reaches env.py as it is.
    let toml = project.read("devdb.toml");
    let url = format!("{}?sslmode=disable", crate::support::server::url());
    let toml = toml.replace(&crate::support::server::url(), &url);
    project.file("devdb.toml", &toml);
    let variables = project.devdb(&["env"]).ok().stdout;
    assert!(variables.contains("sslmode=disable"), "{variables}");
    project.devdb(&["ready"]).ok();
    project.devdb(&["generate", "nothing"]).ok();
}

//! The main job in an Alembic project, through the binary.

use insta::assert_snapshot;

use crate::support::project::Project;

#[tokio::test]
async fn the_main_job_in_an_alembic_project() {
    let project = Project::alembic("alembic_main", "alembic_plain", "");
    assert_snapshot!(project.devdb(&["ready"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    ✓ replaying migrations: 3 revisions
    ✓ [app] ready, 3 migrations applied
    ");
    project
        .sql("create table by_hand (id int); alter table customers add column leaked int")
        .await;
    let models = project.read("shop/models.py");
    project.file("shop/models.py", &add_tags(&models));
    let run = project.devdb(&["generate", "add tags"]);
    let file = run.stdout.trim().to_owned();
    assert_snapshot!(run.show().replace(&file, "[file]"), @"
    exit: 0
    ----- stdout -----
    [file]
    ----- stderr -----
    ✓ replaying migrations: 3 revisions
    ✓ comparing models and baseline: 1 operation
    ✓ proving the migration: up, down and up again; nothing more to autogenerate
      add_column customers.tags
    ✓ written and proved on a clone; the dev database was not touched
      next: look at the file, then `devdb migrate`
    ");
    let text = project.read(&file);
    assert!(
        text.contains("tags") && !text.contains("leaked") && !text.contains("by_hand"),
        "{text}"
    );
    assert_snapshot!(project.devdb(&["reset", "--yes"]).show(), @"
    exit: 0
    ----- stdout -----
    postgresql://postgres:postgres@127.0.0.1:[port]/[app]
    ----- stderr -----
    · only the dev database is replaced: roles and other databases of this server stay
    ✓ replaying migrations: 4 revisions
    ✓ [app] is clean: 4 migrations replayed
      the old data is kept aside (database devdb_[app]_[hash]_aside_[hash]): `devdb undo` brings it back
    ");
    assert_eq!(
        project
            .value("select count(*)::text from pg_tables where tablename = 'by_hand'")
            .await
            .as_deref(),
        Some("0")
    );
    let again = project.devdb(&["ready", "--json"]).ok().json();
    assert_eq!(again["was_ready"], true, "no Python is needed to know that");
}

/// A column more in the model of customers.
fn add_tags(models: &str) -> String {
    models.replacen(
        "class Customer(Base):",
        "class Customer(Base):\n    tags = Column(Text)",
        1,
    )
}

#[tokio::test]
async fn nothing_to_generate_leaves_no_file() {
    let project = Project::alembic("alembic_none", "alembic_plain", "");
    let before = versions(&project);
    let run = project.devdb(&["generate", "nothing"]);
    assert_snapshot!(run.show(), @"
    exit: 0
    ----- stdout -----
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    ✓ replaying migrations: 3 revisions
    ✓ comparing models and baseline: no difference
    ✓ nothing to generate: the chain already gives what is wanted
    ");
    assert_eq!(versions(&project), before);
}

#[tokio::test]
async fn a_revision_that_cannot_be_proved_is_not_kept() {
    let project = Project::alembic(
        "alembic_unproved",
        "alembic_vector",
        "extensions = [\"vector\"]",
    );
    // A type that no extension brings.
    let models = project.read("models.py");
    let more = "    embedding = Column(Vector(3))\n    summary = Column(Nothing())";
    let nothing = "from sqlalchemy.types import UserDefinedType\n\n\nclass Nothing(UserDefinedType):\n    def get_col_spec(self, **_kw):\n        return \"nothing\"\n\n\nclass ";
    let models = models.replacen("class ", nothing, 1);
    project.file(
        "models.py",
        &models.replace("    embedding = Column(Vector(3))", more),
    );
    let before = versions(&project);
    let run = project.devdb(&["generate", "broken"]);
    assert_eq!(run.code, 4, "{}", run.show());
    assert_eq!(versions(&project), before, "{}", run.show());
    let kept = project.devdb(&["generate", "broken", "--keep-unproved"]);
    assert_eq!(kept.code, 4, "{}", kept.show());
    assert_eq!(versions(&project).len(), before.len() + 1);
}

fn versions(project: &Project) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(project.path("migrations/versions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn two_heads_are_found_before_anything_runs() {
    let project = Project::alembic("alembic_two", "alembic_heads", "");
    assert_snapshot!(project.devdb(&["ready"]).show(), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    error: the chain has 2 heads: left (Ann adds tags; not committed); right (Ben adds labels; not committed)
    hint: join them with `devdb merge "MESSAGE"`: it proves that they go together
    "#);
    assert_snapshot!(project.devdb(&["generate", "x"]).show(), @r#"
    exit: 7
    ----- stdout -----
    ----- stderr -----
    ✓ reading the revisions: 3 revisions
    error: the chain has 2 heads: left (Ann adds tags; not committed); right (Ben adds labels; not committed)
    hint: join them with `devdb merge "MESSAGE"`: it proves that they go together
    "#);
    assert_eq!(
        project
            .devdb(&["history", "--json"])
            .ok()
            .json()
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn what_the_models_want_is_a_side() {
    let project = Project::alembic("alembic_wanted", "alembic_plain", "");
    let models = project.read("shop/models.py");
    project.file("shop/models.py", &add_tags(&models));
    let run = project
        .devdb(&["diff", "baseline", "wanted", "--summary"])
        .ok();
    assert!(
        run.stdout.contains("+ column public.customers.tags"),
        "{}",
        run.show()
    );
}

//! What Alembic projects differ in: a small project for each, taken the whole way.

use crate::support::project::Project;
use crate::support::python;

const BODY: &str = "    body = Column(Text)\n";

/// `tests/projects/alembic_notes` with the files of another one over it, whose Alembic is called with
/// these options and whose variables are these.
fn project(fixture: &str, options: &[&str], variables: &str) -> Project {
    let python = python::python().display().to_string();
    let run = [&[python.as_str(), "-m", "alembic"], options].concat();
    let toml = format!("[migrations]\ntool = \"alembic\"\nrun = {run:?}\n[env]\n{variables}\n");
    let project = Project::shared(fixture, &toml);
    python::copy_project("alembic_notes", project.root());
    python::copy_project(fixture, project.root());
    project
}

/// `ready`, a generated column, a step back and forward, `reset`. Gives the generated file.
fn whole_way(project: &Project, migrations: usize) -> String {
    let ready = project.devdb(&["ready", "--json"]).ok().json();
    assert_eq!(ready["applied"].as_array().unwrap().len(), migrations);
    let models = project.read("models.py");
    let more = models.replace(BODY, &format!("{BODY}    more = Column(Integer)\n"));
    assert_ne!(models, more);
    project.file("models.py", &more);
    let generated = project.devdb(&["generate", "more"]).ok();
    let file = generated.stdout.trim();
    let text = project.read(file);
    let operations = text.matches("op.").count();
    assert!(
        text.contains("op.add_column('notes'") && operations == 2,
        "{}\n{text}",
        generated.show()
    );
    project.devdb(&["ready"]).ok();
    project.devdb(&["rollback"]).ok();
    project.devdb(&["ready"]).ok();
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    let number = |name: &str| reset[name].as_u64().unwrap();
    assert_eq!(
        number("migrations") + number("from_baseline"),
        migrations as u64 + 1
    );
    text
}

const URL: &str = "DATABASE_URL = \"postgresql+psycopg\"";

#[test]
fn the_url_is_an_argument() {
    let url = "APP_URL = \"postgresql+psycopg\"";
    whole_way(
        &project("alembic_argument", &["-x", "url=$APP_URL"], url),
        1,
    );
}

#[test]
fn the_url_is_put_together_from_parts() {
    let parts = "APP_DB_HOST = \"{host}\"\nAPP_DB_PORT = \"{port}\"\nAPP_DB_USER = \"{user}\"\n\
                 APP_DB_PASSWORD = \"{password}\"\nAPP_DB_NAME = \"{database}\"";
    whole_way(&project("alembic_parts", &[], parts), 1);
}

#[tokio::test]
async fn one_section_of_several_and_a_version_table_elsewhere() {
    let url = "SHOP_URL = \"postgresql+psycopg\"";
    let project = project("alembic_sections", &["-n", "shop"], url);
    whole_way(&project, 1);
    let at = project.value("select count(*)::text from marks.done").await;
    assert_eq!(at.as_deref(), Some("1"));
}

#[tokio::test]
async fn two_bases_in_two_folders() {
    let project = project("alembic_bases", &[], URL);
    whole_way(&project, 3);
    let rows = project.value("select string_agg(body, ',') from notes");
    assert_eq!(rows.await.as_deref(), Some("billing begins"));
}

#[test]
fn a_project_that_falls_back_to_sqlite_is_noticed() {
    let project = project(
        "alembic_fallback",
        &[],
        "SHOP_PG_URI = \"postgresql+psycopg\"",
    );
    whole_way(&project, 1);
    let toml = project.read("devdb.toml").replace("SHOP_PG_URI", "OTHER");
    project.file("devdb.toml", &toml);
    let more = project.read("migrations/versions/n1_notes.py");
    let more = more
        .replace("\"n1\"", "\"z9\"")
        .replace("down_revision = None", "down_revision = \"n1\"");
    project.file("migrations/versions/z9.py", &more);
    for file in project.read_folder("migrations/versions") {
        if file.ends_with("more.py") {
            std::fs::remove_file(project.path("migrations/versions").join(file)).unwrap();
        }
    }
    let failed = project.devdb(&["reset", "--yes"]);
    assert!(
        failed.code == 7 && failed.stderr.contains("connects to sqlite:///"),
        "{}",
        failed.show()
    );
}

#[test]
fn a_hook_that_fails_leaves_no_file() {
    let project = project("alembic_hooks", &[], URL);
    let file = whole_way(&project, 1);
    assert!(file.ends_with("# formatted\n"), "{file}");
    let files = || project.read_folder("migrations/versions");
    let before = files();
    let models = project.read("models.py");
    project.file("models.py", &models.replace(BODY, ""));
    // Alembic itself does not heed a hook's exit code, as formatters have their own ideas of it.
    std::fs::remove_file(project.path("format.sh")).unwrap();
    let failed = project.devdb(&["generate", "less"]);
    assert!(
        failed.code != 0 && failed.stderr.contains("format"),
        "{}",
        failed.show()
    );
    assert_eq!(files(), before);
}

#[tokio::test]
async fn a_data_migration_that_fails_is_named_with_its_line() {
    let project = project("alembic_data", &[], URL);
    let more = whole_way(&project, 2);
    let rows = "select count(*)::text from notes";
    assert_eq!(project.value(rows).await.as_deref(), Some("50000"));
    let bad = project.read("migrations/versions/n2_rows.py");
    let last = more.split('\'').nth(1).unwrap();
    let bad = bad
        .replace("\"n2\"", "\"n9\"")
        .replace("\"n1\"", &format!("{last:?}"))
        .replace("'note ' || n", "'note ' || 1 / (n - 30000)");
    project.file("migrations/versions/n9_bad.py", &bad);
    let failed = project.devdb(&["migrate"]);
    assert!(
        failed.code == 7
            && failed.stderr.contains("n9_bad.py:13")
            && failed.stderr.contains("division by zero")
            && failed.stderr.contains("insert into notes"),
        "{}",
        failed.show()
    );
    assert_eq!(project.value(rows).await.as_deref(), Some("50000"));
}

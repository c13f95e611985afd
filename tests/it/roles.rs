//! Projects whose migrations run as one role and whose application works as another.

use devdb::postgres::{self, Target};

use crate::support::project::Project;
use crate::support::python;

/// Roles are the server's: dropped when the test is done.
struct Roles {
    owner: String,
    user: String,
}

impl Roles {
    fn new(test: &str) -> Self {
        let id = std::process::id();
        Roles {
            owner: format!("{test}_migrates_{id}"),
            user: format!("{test}_works_{id}"),
        }
    }

    fn toml(&self, scheme: &str) -> String {
        format!(
            "[roles]\n{} = \"ddl\"\n{} = \"dml\"\n[env]\nDATABASE_URL_MIGRATIONS = \"{scheme} as {}\"\nDATABASE_URL = \"postgresql as {}\"\n",
            self.owner, self.user, self.owner, self.user
        )
    }

    async fn gone(self, project: Project) {
        let admin = project.target().with_database("postgres");
        drop(project);
        let mut connection = postgres::connect(&admin).await.unwrap();
        let sql = format!("drop role {}; drop role {}", self.user, self.owner);
        connection.execute(&sql).await.unwrap();
    }
}

async fn owner_of(project: &Project, table: &str) -> Option<String> {
    let sql = format!("select tableowner::text from pg_tables where tablename = '{table}'");
    project.value(&sql).await
}

/// What the application may do is read and write.
async fn ensure_works(project: &Project, table: &str) {
    let env = project.devdb(&["env", "--json"]).ok().json();
    let url = env["DATABASE_URL"].as_str().unwrap();
    let port = project.target().port.to_string();
    let url = url.replace("[port]", &port).replace("[app]", &project.name);
    let mut connection = postgres::connect(&Target::parse(&url).unwrap())
        .await
        .unwrap();
    let insert = format!("insert into {table} (id, name) values (1, 'x'); delete from {table}");
    connection.execute(&insert).await.unwrap();
    let refused = connection
        .execute("create table mine (id int)")
        .await
        .unwrap_err();
    assert_eq!(refused.sqlstate(), Some("42501"), "{refused}");
    connection.close().await;
}

#[tokio::test]
async fn alembic_migrates_as_one_role_and_the_application_works_as_another() {
    let roles = Roles::new("alembic");
    let toml = format!(
        "[migrations]\ntool = \"alembic\"\nrun = [{:?}, \"-m\", \"alembic\"]\n{}",
        python::python().display().to_string(),
        roles.toml("postgresql+psycopg")
    );
    let project = Project::shared("roles_alembic", &toml);
    python::copy_project("alembic_plain", project.root());
    let env = project.read("migrations/env.py");
    project.file(
        "migrations/env.py",
        &env.replace("DATABASE_URL", "DATABASE_URL_MIGRATIONS"),
    );
    project.devdb(&["ready"]).ok();
    assert_eq!(
        owner_of(&project, "customers").await,
        Some(roles.owner.clone())
    );
    ensure_works(&project, "customers").await;

    let models = project.read("shop/models.py");
    project.file(
        "shop/models.py",
        &models.replacen(
            "class Customer(Base):",
            "class Customer(Base):\n    tags = Column(Text)",
            1,
        ),
    );
    project.devdb(&["generate", "tags"]).ok();
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(
        owner_of(&project, "customers").await,
        Some(roles.owner.clone())
    );
    ensure_works(&project, "customers").await;
    assert_eq!(project.devdb(&["drift"]).code, 0);
    roles.gone(project).await;
}

#[tokio::test]
async fn sqlx_migrates_as_one_role_too() {
    let roles = Roles::new("sqlx");
    let toml = format!(
        "[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\nschema = \"schema.sql\"\n{}",
        roles.toml("postgresql")
    );
    let project = Project::shared("roles_sqlx", &toml);
    let table = "create table users (id int primary key, name text);\n";
    project.file("migrations/1_users.sql", table);
    project.file(
        "schema.sql",
        &format!("{table}create table more (id int);\n"),
    );
    project.devdb(&["ready"]).ok();
    assert_eq!(owner_of(&project, "users").await, Some(roles.owner.clone()));
    ensure_works(&project, "users").await;
    project.devdb(&["generate", "more"]).ok();
    project.devdb(&["migrate"]).ok();
    assert_eq!(owner_of(&project, "more").await, Some(roles.owner.clone()));
    let run = project
        .devdb(&["run", "--", "sh", "-c", "echo $DATABASE_URL"])
        .ok();
    assert!(run.stdout.contains(&roles.user), "{}", run.show());
    roles.gone(project).await;
}

#[test]
fn a_role_that_is_not_there_is_named() {
    let project = Project::shared(
        "roles_wrong",
        "[env]\nDATABASE_URL = \"postgresql as nobody\"",
    );
    let run = project.devdb(&["env"]);
    assert_eq!(run.code, 2, "{}", run.show());
    assert!(
        run.stderr.contains("there is no role nobody under [roles]"),
        "{}",
        run.show()
    );
    project.file(
        "devdb.toml",
        &format!("{}[roles]\nnobody = \"all\"\n", project.read("devdb.toml")),
    );
    let run = project.devdb(&["env"]);
    assert!(
        run.stderr.contains("must be \"ddl\" or \"dml\""),
        "{}",
        run.show()
    );
}

//! Alembic projects: forward, back, autogenerate, through one Python process.

use std::fs;
use std::path::{Path, PathBuf};

use devdb::config::{Migrations, Tool};
use devdb::error::Error;
use devdb::event::Events;
use devdb::migrations::alembic::{Alembic, AlembicCache, Revision};
use devdb::migrations::{Ran, Rollback, Standing};
use devdb::postgres::{Connection, Target};

use crate::support::events::Recorded;
use crate::support::python;
use crate::support::server::TestDatabase;

/// A copy of a fixture project and a database for it.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub database: TestDatabase,
    pub variable: &'static str,
    pub scheme: &'static str,
}

impl Fixture {
    /// `name` of the project; the variable it reads its URL from, and the scheme.
    pub async fn new(name: &str, test: &str, variable: &'static str, scheme: &'static str) -> Self {
        Fixture {
            folder: python::project(name),
            database: TestDatabase::new(&format!("alembic_{test}")).await,
            variable,
            scheme,
        }
    }

    pub async fn plain(test: &str) -> Self {
        Self::new("alembic_plain", test, "DATABASE_URL", "postgresql+psycopg").await
    }

    pub fn config(&self) -> Migrations {
        Migrations {
            tool: Tool::Alembic,
            dir: self.folder.path().into(),
            run: vec![
                python::python().display().to_string(),
                "-m".into(),
                "alembic".into(),
            ],
            schema: None,
            table: String::new(),
            variables: Vec::new(),
            complete: false,
            role: None,
            up: None,
            generate: None,
        }
    }

    pub fn alembic(&self) -> Alembic {
        Alembic::open(&self.config(), None).unwrap()
    }

    pub fn env_for(&self, target: &Target) -> Vec<(String, String)> {
        vec![(self.variable.to_string(), target.url(self.scheme))]
    }

    pub fn env(&self) -> Vec<(String, String)> {
        self.env_for(&self.database.target)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(from), "{name} does not hold {from:?}");
        self.write(name, &text.replace(from, to));
    }

    pub async fn migrate(
        &self,
        alembic: &mut Alembic,
        to: Option<&str>,
    ) -> Result<Vec<Ran>, Error> {
        alembic
            .migrate(&self.database.target, &self.env(), to, &Events::silent())
            .await
    }

    pub async fn standing(&self, alembic: &mut Alembic) -> Result<Standing, Error> {
        let mut connection = self.database.connect().await;
        alembic
            .standing(&mut connection, &self.env(), &Events::silent())
            .await
    }

    pub fn versions(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.file("migrations/versions"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py"))
            .collect();
        names.sort();
        names
    }

    /// An error as a user sees it, with what changes from run to run taken out.
    pub fn shown(&self, error: &Error) -> String {
        let mut text = error.message().to_string();
        for line in error.detail_text().unwrap_or_default().lines() {
            text += &format!("\n  {line}");
        }
        if let Some(hint) = error.hint_text() {
            text += &format!("\nhint: {hint}");
        }
        let target = &self.database.target;
        for (from, to) in [
            (self.folder.path().to_str().unwrap(), "<project>"),
            (python::python().to_str().unwrap(), "<python>"),
            (target.database.as_str(), "<database>"),
            (&format!("{}:{}", target.host, target.port), "<server>"),
        ] {
            text = text.replace(from, to);
        }
        text
    }
}

/// What is asked of autogenerate: a message, and whether a file is written.
pub fn revision(message: &str, write: bool) -> Revision<'_> {
    Revision {
        message,
        write,
        ..Revision::default()
    }
}

pub fn ids<'a>(ran: impl IntoIterator<Item = &'a Ran>) -> String {
    let ids: Vec<&str> = ran.into_iter().map(|ran| ran.id.as_str()).collect();
    ids.join(" ")
}

fn pending(standing: &Standing) -> String {
    let ids: Vec<&str> = standing.pending.iter().map(|m| m.id.as_str()).collect();
    ids.join(" ")
}

async fn value(connection: &mut Connection, sql: &str) -> String {
    let value: Option<String> = connection.fetch_value(sql, &[]).await.unwrap();
    value.unwrap_or_default()
}

const TABLES: &str = "select coalesce(string_agg(relname::text, ' ' order by relname), '') from pg_class \
     where relkind = 'r' and relnamespace = 'public'::regnamespace";

#[tokio::test]
async fn the_chain_is_read_without_running_env_py() {
    let fixture = Fixture::plain("chain").await;
    fixture.write("migrations/env.py", "raise SystemExit('env.py was run')");
    let mut alembic = fixture.alembic();
    let chain = alembic.chain(&[], &Events::silent()).await.unwrap();
    let lines: Vec<String> = chain
        .migrations
        .iter()
        .map(|m| {
            let file = m.file.file_name().unwrap().to_string_lossy();
            format!(
                "{} {:?} {file} {:?} {}",
                m.id,
                m.name,
                m.parents,
                m.checksum.len()
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    a1 "Customers" a1_customers.py [] 64
    b2 "Orders" b2_orders.py ["a1"] 64
    c3 "A note on orders" c3_a_note_on_orders.py ["b2"] 64
    "#);
    assert_eq!(chain.head().unwrap(), Some("c3"));
    // Nor is it run for a database that has no version table at all.
    let standing = fixture.standing(&mut alembic).await.unwrap();
    assert_eq!(pending(&standing), "a1 b2 c3");
}

#[tokio::test]
async fn forward_and_back() {
    let fixture = Fixture::plain("way").await;
    let mut alembic = fixture.alembic();
    let (recorded, events) = Recorded::new();
    let target = fixture.database.target.clone();
    let env = fixture.env();

    let ran = alembic
        .migrate(&target, &env, Some("b2"), &events)
        .await
        .unwrap();
    assert_eq!(ids(&ran), "a1 b2");
    assert_eq!(ran[1].name, "Orders");
    assert!(ran.iter().all(|ran| ran.took.as_nanos() > 0));
    assert_eq!(recorded.steps(), ["0/2 a1 Customers", "1/2 b2 Orders"]);
    let standing = fixture.standing(&mut alembic).await.unwrap();
    assert_eq!(pending(&standing), "c3");

    assert_eq!(
        ids(&fixture.migrate(&mut alembic, None).await.unwrap()),
        "c3"
    );
    assert_eq!(ids(&fixture.migrate(&mut alembic, None).await.unwrap()), "");
    assert!(fixture.standing(&mut alembic).await.unwrap().at_head());

    let mut back = async |rollback| {
        let ran = alembic
            .rollback(&target, &env, &rollback, &events)
            .await
            .unwrap();
        ids(&ran)
    };
    assert_eq!(back(Rollback::Steps(0)).await, "");
    assert_eq!(back(Rollback::Steps(1)).await, "c3");
    assert_eq!(back(Rollback::To("a1".into())).await, "b2");
    assert_eq!(back(Rollback::Steps(7)).await, "a1");
    assert_eq!(back(Rollback::Base).await, "");
    let mut connection = fixture.database.connect().await;
    assert_eq!(value(&mut connection, TABLES).await, "alembic_version");
}

#[tokio::test]
async fn one_process_serves_a_workflow_and_its_output_becomes_events() {
    let fixture = Fixture::new(
        "alembic_prints",
        "prints",
        "LEGACY_PG_URI",
        "postgresql+pg8000",
    )
    .await;
    let (recorded, events) = Recorded::new();
    let mut alembic = fixture.alembic();
    let target = &fixture.database.target;
    alembic
        .migrate(target, &fixture.env(), Some("p1"), &events)
        .await
        .unwrap();
    alembic
        .migrate(target, &fixture.env(), None, &events)
        .await
        .unwrap();
    alembic
        .autogenerate(target, &fixture.env(), &revision("x", false), &events)
        .await
        .unwrap();
    let output = recorded.output();
    assert_eq!(
        output.matches("importing the application").count(),
        1,
        "{output}"
    );
    assert_eq!(output.matches("Using database:").count(), 3, "{output}");
    assert!(output.contains("Running upgrade p1 -> p2"), "{output}");
    // Passwords in URLs are hidden.
    assert!(output.contains(":***@"), "{output}");
    // Nobody is connected any more, though the application keeps a pool: the database can be renamed.
    let mut connection = fixture.database.connect().await;
    let others = value(
        &mut connection,
        "select count(*)::text from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'devdb'",
    )
    .await;
    assert_eq!(others, "0");
    // Where the versions are was learned from env.py.
    let cache = alembic.cache().unwrap().clone();
    assert!(
        cache
            .standing(&mut connection)
            .await
            .unwrap()
            .unwrap()
            .at_head()
    );
}

#[tokio::test]
async fn other_variables_mean_another_process() {
    let fixture = Fixture::new(
        "alembic_prints",
        "swap_a",
        "LEGACY_PG_URI",
        "postgresql+pg8000",
    )
    .await;
    let other = TestDatabase::new("alembic_swap_b").await;
    let (recorded, events) = Recorded::new();
    let mut alembic = fixture.alembic();
    for target in [&fixture.database.target, &other.target] {
        // The application keeps what it read when it was imported.
        let ran = alembic
            .migrate(target, &fixture.env_for(target), None, &events)
            .await
            .unwrap();
        assert_eq!(ids(&ran), "p1 p2");
    }
    assert_eq!(
        recorded
            .output()
            .matches("importing the application")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_database_may_be_swapped_behind_its_url() {
    let fixture = Fixture::new(
        "alembic_prints",
        "behind",
        "LEGACY_PG_URI",
        "postgresql+pg8000",
    )
    .await;
    let (recorded, events) = Recorded::new();
    let mut alembic = fixture.alembic();
    let target = &fixture.database.target;
    alembic
        .migrate(target, &fixture.env(), None, &events)
        .await
        .unwrap();
    let mut admin = devdb::postgres::connect(&target.with_database("postgres"))
        .await
        .unwrap();
    devdb::postgres::database::drop(&mut admin, &target.database)
        .await
        .unwrap();
    devdb::postgres::database::create(&mut admin, &target.database)
        .await
        .unwrap();
    let ran = alembic
        .migrate(target, &fixture.env(), None, &events)
        .await
        .unwrap();
    assert_eq!(ids(&ran), "p1 p2");
    assert_eq!(
        recorded
            .output()
            .matches("importing the application")
            .count(),
        1
    );
}

#[tokio::test]
async fn an_async_env_py() {
    let fixture = Fixture::new("alembic_async", "async", "ASYNC_URL", "postgresql+psycopg").await;
    let mut alembic = fixture.alembic();
    assert_eq!(
        ids(&fixture.migrate(&mut alembic, None).await.unwrap()),
        "n1"
    );
    let found = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("bodies", true),
            &Events::silent(),
        )
        .await
        .unwrap();
    let operations: Vec<String> = found.operations.iter().map(|o| o.to_string()).collect();
    assert_eq!(operations, ["add_column notes.body"]);
    assert_eq!(fixture.migrate(&mut alembic, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn autogenerate_writes_only_what_is_needed() {
    let fixture = Fixture::plain("auto").await;
    let mut alembic = fixture.alembic();
    let target = fixture.database.target.clone();
    let (env, silent) = (fixture.env(), Events::silent());
    fixture.migrate(&mut alembic, None).await.unwrap();
    let before = fixture.versions();

    let clean = alembic
        .autogenerate(&target, &env, &revision("nothing", true), &silent)
        .await
        .unwrap();
    assert_eq!((clean.files.len(), clean.operations.len()), (0, 0));
    assert_eq!(fixture.versions(), before);

    // The application is imported already: another process sees the new model.
    let models = "\n\nclass Tag(Base):\n    __tablename__ = \"tags\"\n\n    id = Column(Integer, primary_key=True)\n";
    let text = fs::read_to_string(fixture.file("shop/models.py")).unwrap();
    let text = text.replace("note = Column(Text)", "note = Column(Text, nullable=False, server_default=\"\")\n    tag = Column(Text, index=True)");
    fixture.write("shop/models.py", &(text + models));
    let mut alembic = fixture.alembic();
    let looked = alembic
        .autogenerate(&target, &env, &revision("tags", false), &silent)
        .await
        .unwrap();
    let operations: Vec<String> = looked.operations.iter().map(|o| o.to_string()).collect();
    insta::assert_snapshot!(operations.join("\n"), @"
    create_table tags
    add_column orders.tag
    alter_column orders.note (nullable)
    create_index orders.orders_tag_idx
    ");
    assert_eq!(fixture.versions(), before);

    let written = alembic
        .autogenerate(&target, &env, &revision("--add \"tags\": x", true), &silent)
        .await
        .unwrap();
    assert_eq!(written.operations, looked.operations);
    let text = fs::read_to_string(&written.files[0]).unwrap();
    assert!(
        text.contains("op.create_table('tags'") && text.contains("down_revision = 'c3'"),
        "{text}"
    );
    // The new file belongs to the chain at once, and nothing is left to generate.
    assert_eq!(fixture.migrate(&mut alembic, None).await.unwrap().len(), 1);
    let again = alembic
        .autogenerate(&target, &env, &revision("again", true), &silent)
        .await
        .unwrap();
    assert_eq!(again.operations, []);
}

#[tokio::test]
async fn a_message_that_breaks_the_template_leaves_no_file() {
    let fixture = Fixture::plain("message").await;
    fixture.edit(
        "shop/models.py",
        "    note =",
        "    extra = Column(Text)\n    note =",
    );
    let mut alembic = fixture.alembic();
    fixture.migrate(&mut alembic, None).await.unwrap();
    let (target, env) = (&fixture.database.target, fixture.env());
    let error = alembic
        .autogenerate(
            target,
            &env,
            &revision("add \"x\"", true),
            &Events::silent(),
        )
        .await
        .unwrap_err();
    assert!(error.message().contains("SyntaxError"), "{error}");
    assert_eq!(fixture.versions().len(), 3);
    alembic
        .autogenerate(target, &env, &revision("add x", true), &Events::silent())
        .await
        .unwrap();
    assert_eq!(fixture.versions().len(), 4);
}

#[tokio::test]
async fn env_py_has_the_last_word_on_what_is_generated() {
    let fixture = Fixture::plain("hooks").await;
    fixture.edit(
        "migrations/env.py",
        "target_metadata=Base.metadata",
        "target_metadata=Base.metadata, process_revision_directives=drop_all",
    );
    fixture.edit("migrations/env.py", "engine =", "def drop_all(context, revision, directives):\n    assert context.config.cmd_opts.autogenerate\n    directives[:] = []\n\n\nengine =");
    fixture.edit(
        "shop/models.py",
        "    note =",
        "    extra = Column(Text)\n    note =",
    );
    let mut alembic = fixture.alembic();
    fixture.migrate(&mut alembic, None).await.unwrap();
    let found = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("x", true),
            &Events::silent(),
        )
        .await
        .unwrap();
    assert_eq!(found.operations, []);
    assert_eq!(fixture.versions().len(), 3);
}

#[tokio::test]
async fn a_formatter_that_fails_leaves_no_file() {
    let fixture = Fixture::plain("formatter").await;
    fixture.edit(
        "shop/models.py",
        "    note =",
        "    extra = Column(Text)\n    note =",
    );
    let ini = fs::read_to_string(fixture.file("alembic.ini")).unwrap();
    fixture.write("alembic.ini", &(ini + "\n[post_write_hooks]\nhooks = broken\nbroken.type = console_scripts\nbroken.entrypoint = nothing-of-this-name\n"));
    let mut alembic = fixture.alembic();
    fixture.migrate(&mut alembic, None).await.unwrap();
    let error = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("x", true),
            &Events::silent(),
        )
        .await
        .unwrap_err();
    assert!(error.message().contains("nothing-of-this-name"), "{error}");
    assert_eq!(fixture.versions().len(), 3);
}

#[tokio::test]
async fn several_heads_are_found_before_anything_runs() {
    let fixture = Fixture::new(
        "alembic_heads",
        "heads",
        "DATABASE_URL",
        "postgresql+psycopg",
    )
    .await;
    let mut alembic = fixture.alembic();
    let chain = alembic.chain(&[], &Events::silent()).await.unwrap();
    assert_eq!(chain.heads.len(), 2);
    let error = fixture.migrate(&mut alembic, None).await.unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @r#"
    the chain has 2 heads: left (Ann adds tags), right (Ben adds labels)
    hint: join them with `alembic merge -m "merge" left right`
    "#);
    let mut connection = fixture.database.connect().await;
    assert_eq!(value(&mut connection, TABLES).await, "");

    assert_eq!(
        fixture
            .migrate(&mut alembic, Some("heads"))
            .await
            .unwrap()
            .len(),
        3
    );
    let standing = fixture.standing(&mut alembic).await.unwrap();
    assert_eq!(
        (standing.applied.len(), pending(&standing).as_str()),
        (3, "")
    );
    let refused = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("x", true),
            &Events::silent(),
        )
        .await;
    assert_eq!(refused.unwrap_err().message(), error.message());
}

#[tokio::test]
async fn bases_branches_and_dependencies() {
    let fixture = Fixture::new(
        "alembic_heads",
        "branches",
        "DATABASE_URL",
        "postgresql+psycopg",
    )
    .await;
    let right = "migrations/versions/right_ben_adds_labels.py";
    fixture.edit(right, "down_revision = \"trunk\"", "down_revision = None");
    fixture.edit(right, "branch_labels = None", "branch_labels = (\"ben\",)");
    fixture.edit(right, "depends_on = None", "depends_on = \"trunk\"");
    let mut alembic = fixture.alembic();
    let chain = alembic.chain(&[], &Events::silent()).await.unwrap();
    let right = chain.get("right").unwrap();
    assert_eq!(
        (right.parents.len(), right.labels.as_slice()),
        (0, ["ben".to_string()].as_slice())
    );
    assert_eq!(right.depends_on, ["trunk"]);
    let ran = fixture
        .migrate(&mut alembic, Some("ben@head"))
        .await
        .unwrap();
    assert_eq!(ids(&ran), "trunk right");
    // The database names only `right`: what it depends on counts as applied.
    let standing = fixture.standing(&mut alembic).await.unwrap();
    assert_eq!(pending(&standing), "left");
    assert!(!standing.at_head());
}

#[tokio::test]
async fn options_of_alembic_in_run_are_passed_on() {
    let fixture = Fixture::plain("options").await;
    fs::rename(fixture.file("alembic.ini"), fixture.file("other.ini")).unwrap();
    fixture.edit("other.ini", "[alembic]", "[tenant]");
    fixture.edit("migrations/env.py", "import os", "import os\n\nfrom alembic import context\n\nassert context.get_x_argument(as_dictionary=True) == {\"who\": \"devdb\"}");
    let mut config = fixture.config();
    config
        .run
        .extend(["-c", "other.ini", "-n", "tenant", "-x", "who=devdb"].map(String::from));
    let mut alembic = Alembic::open(&config, None).unwrap();
    assert_eq!(fixture.migrate(&mut alembic, None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_ready_database_needs_no_python() {
    let fixture = Fixture::plain("cache").await;
    let mut alembic = fixture.alembic();
    assert!(alembic.cache().is_none());
    fixture.migrate(&mut alembic, Some("b2")).await.unwrap();
    let path = fixture.file("state/alembic.json");
    alembic.cache().unwrap().save(&path).unwrap();

    // No such program: whoever starts Python fails.
    let mut config = fixture.config();
    config.run = vec!["/nowhere/python".into(), "-m".into(), "alembic".into()];
    let mut without = Alembic::open(&config, None)
        .unwrap()
        .with_cache(AlembicCache::load(&path));
    let standing = fixture.standing(&mut without).await.unwrap();
    assert_eq!(pending(&standing), "c3");
    fixture.migrate(&mut alembic, None).await.unwrap();
    assert!(fixture.standing(&mut without).await.unwrap().at_head());
    assert_eq!(fixture.migrate(&mut without, None).await.unwrap(), []);

    // Any change of the files makes it stale: content, a new file, a file that is gone, env.py.
    let stale = |change: &dyn Fn(&Path)| {
        assert!(AlembicCache::load(&path).is_some());
        change(&fixture.file("migrations/versions"));
        assert!(AlembicCache::load(&path).is_none());
        alembic.cache().is_none().then_some(()).unwrap();
    };
    let file = "c3_a_note_on_orders.py";
    let text = fs::read_to_string(fixture.file("migrations/versions").join(file)).unwrap();
    stale(&|dir| fs::write(dir.join(file), text.replace("note", "memo")).unwrap());
    fs::write(fixture.file("migrations/versions").join(file), &text).unwrap();
    stale(&|dir| fs::write(dir.join("d4.py"), "").unwrap());
    fs::remove_file(fixture.file("migrations/versions/d4.py")).unwrap();
    stale(&|dir| fs::rename(dir.join(file), dir.join("renamed.py")).unwrap());
    fs::rename(
        fixture.file("migrations/versions/renamed.py"),
        fixture.file("migrations/versions").join(file),
    )
    .unwrap();
    fixture.edit("migrations/env.py", "NullPool", "StaticPool");
    assert!(AlembicCache::load(&path).is_none());
    let error = fixture.standing(&mut without).await.unwrap_err();
    assert!(error.message().contains("/nowhere/python"), "{error}");
}

#[tokio::test]
async fn a_version_table_of_another_project_is_not_ours() {
    let fixture = Fixture::new(
        "alembic_prints",
        "foreign",
        "LEGACY_PG_URI",
        "postgresql+pg8000",
    )
    .await;
    let mut connection = fixture.database.connect().await;
    connection
        .execute("create table alembic_version (version_num varchar(32)); insert into alembic_version values ('theirs')")
        .await
        .unwrap();
    let mut alembic = fixture.alembic();
    let standing = fixture.standing(&mut alembic).await.unwrap();
    assert_eq!(
        (pending(&standing).as_str(), standing.problems.len()),
        ("p1 p2", 0)
    );
}

#[tokio::test]
async fn stamping_runs_nothing() {
    let fixture = Fixture::plain("stamp").await;
    let mut alembic = fixture.alembic();
    alembic
        .stamp(
            &fixture.database.target,
            &fixture.env(),
            "b2",
            &Events::silent(),
        )
        .await
        .unwrap();
    let mut connection = fixture.database.connect().await;
    assert_eq!(value(&mut connection, TABLES).await, "alembic_version");
    assert_eq!(
        pending(&fixture.standing(&mut alembic).await.unwrap()),
        "c3"
    );
}

#[tokio::test]
async fn a_call_that_is_given_up_commits_nothing() {
    let fixture = Fixture::plain("killed").await;
    fixture.edit(
        "migrations/versions/b2_orders.py",
        "def upgrade():",
        "def upgrade():\n    op.execute('select pg_sleep(2)')",
    );
    let mut alembic = fixture.alembic();
    let (recorded, events) = Recorded::new();
    let (target, env) = (fixture.database.target.clone(), fixture.env());
    {
        let call = alembic.migrate(&target, &env, None, &events);
        tokio::pin!(call);
        while recorded.steps().len() < 2 {
            tokio::select! {
                ended = &mut call => panic!("{ended:?}"),
                () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
            }
        }
    }
    let mut connection = fixture.database.connect().await;
    let others = "select count(*)::text from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let begun = std::time::Instant::now();
    while value(&mut connection, others).await != "0" {
        assert!(begun.elapsed().as_secs() < 10);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(value(&mut connection, TABLES).await, "");
    // The next call starts another process.
    fixture.edit(
        "migrations/versions/b2_orders.py",
        "    op.execute('select pg_sleep(2)')",
        "",
    );
    assert_eq!(fixture.migrate(&mut alembic, None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn vectors_are_compared_like_any_column() {
    let fixture = Fixture::new(
        "alembic_vector",
        "vector",
        "DATABASE_URL",
        "postgresql+psycopg",
    )
    .await;
    let mut alembic = fixture.alembic();
    let error = fixture.migrate(&mut alembic, None).await.unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @r#"
    v1_passages.py:14: revision v1 (Passages) failed: type "vector" does not exist (42704)
      <project>/migrations/versions/v1_passages.py:14
      14 |     op.create_table(
      SQL:
        CREATE TABLE passages (
        	id SERIAL NOT NULL, 
        	embedding VECTOR(3), 
        	PRIMARY KEY (id)
        )
    hint: add `extensions = ["vector"]` under [database] in devdb.toml
    "#);
    let mut connection = fixture.database.connect().await;
    connection.execute("create extension vector").await.unwrap();
    fixture.migrate(&mut alembic, None).await.unwrap();
    let found = alembic
        .autogenerate(
            &fixture.database.target,
            &fixture.env(),
            &revision("x", true),
            &Events::silent(),
        )
        .await
        .unwrap();
    assert_eq!(found.operations, []);
}

#[tokio::test]
async fn a_long_revision_tells_what_it_is_at() {
    let fixture = Fixture::plain("long").await;
    fixture.edit(
        "migrations/versions/c3_a_note_on_orders.py",
        "def upgrade():\n",
        "def upgrade():\n    import time\n\n    \
         op.execute(\"insert into customers (id, name) select n, 'x' from generate_series(1, 500) n\")\n    \
         for _ in range(8):\n        op.execute(\"update customers set name = 'y'\")\n        time.sleep(0.1)\n    \
         op.execute(\"select pg_sleep(1.7)\")\n",
    );
    let (recorded, events) = Recorded::new();
    let mut alembic = fixture.alembic();
    alembic
        .migrate(&fixture.database.target, &fixture.env(), None, &events)
        .await
        .unwrap();
    let steps = recorded.steps();
    let told = |text: &str| steps.iter().any(|step| step.contains(text));
    assert!(
        told("2/3 c3 A note on orders: ") && told("00 rows"),
        "{steps:?}"
    );
    assert!(told("4500 rows; 1 s: select pg_sleep(1.7)"), "{steps:?}");
}

#[tokio::test]
async fn a_section_a_schema_and_a_percent_sign() {
    let fixture = Fixture::plain("section").await;
    let ini = fs::read_to_string(fixture.file("alembic.ini")).unwrap();
    fixture.write(
        "alembic.ini",
        &format!("{ini}\n[other]\nscript_location = migrations\nprepend_sys_path = .\nsqlalchemy.url = sqlite://\n"),
    );
    // The URL goes through the ConfigParser, as `alembic init` suggests it.
    fixture.write(
        "migrations/env.py",
        r#"
import os

from alembic import context
from sqlalchemy import engine_from_config, pool, text

config = context.config
config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"])
engine = engine_from_config(config.get_section(config.config_ini_section), poolclass=pool.NullPool)
with engine.connect() as connection:
    connection.execute(text("create schema if not exists marks"))
    connection.commit()
    context.configure(connection=connection, version_table="done", version_table_schema="marks")
    with context.begin_transaction():
        context.run_migrations()
"#,
    );
    let mut config = fixture.config();
    config.run.extend(["-n", "other"].map(String::from));
    let mut alembic = Alembic::open(&config, None).unwrap();
    let mut connection = fixture.database.connect().await;
    let role = format!("percent_{}", std::process::id());
    connection
        .execute(&format!(
            "create role {role} login superuser password 'p%s 100%'"
        ))
        .await
        .unwrap();
    let mut target = fixture.database.target.clone();
    target.user = role.clone();
    target.password = Some("p%s 100%".into());
    let migrated = alembic
        .migrate(&target, &fixture.env_for(&target), None, &Events::silent())
        .await;
    let at = value(
        &mut connection,
        "select max(version_num)::text from marks.done",
    )
    .await;
    connection
        .execute(&format!(
            "reassign owned by {role} to current_user; drop role {role}"
        ))
        .await
        .unwrap();
    assert_eq!(migrated.unwrap().len(), 3);
    assert_eq!(at, "c3");
    let cache = alembic.cache().unwrap();
    assert!(
        cache
            .standing(&mut connection)
            .await
            .unwrap()
            .unwrap()
            .at_head()
    );
}

//! The pairs of `../shared/corpus` and of `tests/corpus`, forward and backward, on every version
//! that devdb knows. The verdict is that version's own pg_dump's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use devdb::postgres::{Connection, Row as _, Target, database};
use devdb::schema::{self, Id, Kind, Schema};

use crate::schema_coverage;
use crate::support::dump::{Dumper, difference};
use crate::support::server;
use crate::support::versions::TestServer;

/// How many pairs a server can make: an older one lacks features, a smaller one extensions. All of
/// them must converge, both ways. May only rise.
const FLOORS: [(u32, usize); 4] = [(15, 211), (16, 205), (17, 223), (18, 212)];

/// On this one the plans are those that let others write meanwhile: `Plan::online`.
const ONLINE: u32 = 16;

const AT_A_TIME: usize = 6;

fn corpus() -> PathBuf {
    let folder = std::env::var_os("DEVDB_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    assert!(
        folder.is_dir(),
        "no corpus at {}: clone the repository beside `shared`, or set DEVDB_CORPUS",
        folder.display()
    );
    folder
}

struct Pair {
    name: String,
    /// Why there is no way back: the text of a file `no-way-back`.
    no_way_back: Option<String>,
    a: String,
    b: String,
}

fn own_corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn pairs(corpus: &Path) -> Vec<Pair> {
    let only = std::env::var("DEVDB_CORPUS_ONLY").unwrap_or_default();
    let mut pairs: Vec<Pair> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| Pair {
            no_way_back: std::fs::read_to_string(path.join("no-way-back")).ok(),
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            a: std::fs::read_to_string(path.join("a.sql")).unwrap(),
            b: std::fs::read_to_string(path.join("b.sql")).unwrap(),
        })
        .filter(|pair| only.is_empty() || only.split(',').any(|name| name == pair.name))
        .collect();
    pairs.sort_by(|x, y| x.name.cmp(&y.name));
    pairs
}

/// What a pair came to: nothing where it converged, else why not.
struct Verdict {
    /// The server can make both sides; an older or smaller one cannot always.
    loads: bool,
    name: String,
    forward: Result<(), String>,
    backward: Result<(), String>,
}

/// One worker's means: a session for whole databases, a pg_dump, dumps that are known already.
struct Worker {
    admin: Target,
    run: String,
    number: usize,
    dumper: Dumper,
    /// Whether the plans are those that let others write meanwhile.
    online: bool,
    dumps: Arc<Mutex<HashMap<String, String>>>,
}

impl Worker {
    fn name(&self, what: &str) -> String {
        format!("{}_{}_{what}", self.run, self.number)
    }

    async fn load(&self, what: &str, sql: &str) -> Result<Connection, String> {
        let name = self.name(what);
        let mut admin = server::connect(&self.admin).await;
        database::drop(&mut admin, &name).await.unwrap();
        database::clone(&mut admin, &name, &template(&self.run))
            .await
            .unwrap();
        admin.close().await;
        let mut session = server::connect(&self.admin.with_database(&name)).await;
        for transaction in sql.split("-- commit") {
            if let Err(error) = session.execute(transaction).await {
                return Err(format!("{what}.sql does not load: {error}"));
            }
        }
        Ok(session)
    }

    /// The dump of a database into which nothing but `sql` was loaded.
    fn known_dump(&mut self, what: &str, sql: &str) -> String {
        let statements: Vec<&str> = sql.lines().filter(|l| !l.starts_with("--")).collect();
        let key = statements.join("\n");
        if let Some(dump) = self.dumps.lock().unwrap().get(&key) {
            return dump.clone();
        }
        let dump = self.dumper.dump(&self.name(what));
        self.dumps.lock().unwrap().insert(key, dump.clone());
        dump
    }

    async fn try_pair(&mut self, pair: &Pair) -> Verdict {
        let loaded = (self.load("a", &pair.a).await, self.load("b", &pair.b).await);
        let (mut a, mut b) = match loaded {
            (Ok(a), Ok(b)) => (a, b),
            (Err(why), _) | (_, Err(why)) => {
                return Verdict {
                    loads: false,
                    name: pair.name.clone(),
                    forward: Err(why.clone()),
                    backward: Err(why),
                };
            }
        };
        let dump_a = self.known_dump("a", &pair.a);
        let dump_b = self.known_dump("b", &pair.b);
        let schema_a = schema::read(&mut a).await;
        let schema_b = schema::read(&mut b).await;
        let (forward, backward) = match (&schema_a, &schema_b) {
            (Ok(schema_a), Ok(schema_b)) => (
                self.go("a", &mut a, schema_a, schema_b, &dump_b).await,
                match pair.no_way_back {
                    Some(_) => Ok(()),
                    None => self.go("b", &mut b, schema_b, schema_a, &dump_a).await,
                },
            ),
            (Err(error), _) | (_, Err(error)) => (Err(error.to_string()), Err(error.to_string())),
        };
        a.close().await;
        b.close().await;
        Verdict {
            loads: true,
            name: pair.name.clone(),
            forward,
            backward,
        }
    }

    /// Applies the plan to the database `what` and compares.
    async fn go(
        &mut self,
        what: &str,
        session: &mut Connection,
        from: &Schema,
        to: &Schema,
        wanted: &str,
    ) -> Result<(), String> {
        let make = || match self.online {
            true => schema::plan(from, to).online(from, to),
            false => schema::plan(from, to),
        };
        let plan = make();
        let sql = plan.to_sql();
        if make().to_sql() != sql {
            return Err(format!("the plan is not the same twice:\n{sql}"));
        }
        for transaction in plan.transactions() {
            let statements = transaction.to_sql();
            if let Err(error) = session.execute_transaction(&statements).await {
                let detail = error.detail_text().unwrap_or_default();
                return Err(format!("{error}\n{detail}\n{sql}"));
            }
        }
        let dump = self.dumper.dump(&self.name(what));
        if dump != wanted {
            return Err(format!("{}\n{sql}", difference(&dump, wanted)));
        }
        let after = schema::read(session).await.map_err(|e| e.to_string())?;
        indexes_are_as_printed(session, &after).await?;
        let again = schema::plan(&after, to);
        if !again.is_empty() {
            return Err(format!(
                "the second plan is not empty:\n{}\nafter:\n{sql}",
                again.to_sql()
            ));
        }
        Ok(())
    }
}

/// The simplest indexes are printed by devdb itself, to the letter as the server does.
async fn indexes_are_as_printed(session: &mut Connection, schema: &Schema) -> Result<(), String> {
    session.execute("set search_path = ''").await.unwrap();
    let sql = "select n.nspname::text, c.relname::text, pg_get_indexdef(c.oid) from pg_class c \
               join pg_namespace n on n.oid = c.relnamespace \
               where c.relkind in ('i', 'I') and c.reloptions is null and n.nspname !~ '^pg_'";
    let rows = session.fetch(sql, &[]).await.unwrap();
    session.execute("reset search_path").await.unwrap();
    for row in rows {
        let text = |at: usize| row.get::<String, _>(at);
        let id = Id::new(Kind::Index, &text(0), &text(1), "");
        // Those of constraints are no objects of their own.
        if let Some(index) = schema.get(&id)
            && index.get("definition") != text(2)
        {
            let (ours, theirs) = (index.get("definition"), text(2));
            return Err(format!("{id} is printed as\n{ours}\nnot as\n{theirs}"));
        }
    }
    Ok(())
}

fn template(run: &str) -> String {
    format!("{run}_template")
}

/// Tries all pairs, several at a time. What the server can make must converge both ways.
async fn converge(server: &TestServer, major: u32) {
    let mut pairs = pairs(&corpus());
    pairs.extend(self::pairs(&own_corpus()));
    let run = format!("pair_{}", std::process::id());
    let template = template(&run);
    let admin = server.admin.clone();
    let mut session = server::connect(&admin).await;
    schema_coverage::ensure_listed(&mut session).await;
    database::drop(&mut session, &template).await.unwrap();
    database::create(&mut session, &template).await.unwrap();
    let mut prepare = server::connect(&admin.with_database(&template)).await;
    for extension in ["vector", "pg_trgm", "btree_gist"] {
        // Not every server has them: the floors know.
        let sql = format!("create extension {extension}");
        let _ = prepare.execute(&sql).await;
    }
    prepare.close().await;

    let count = pairs.len();
    let todo = Arc::new(Mutex::new(pairs));
    let dumps = Arc::default();
    let mut workers = Vec::new();
    for number in 0..AT_A_TIME.min(count) {
        let todo = todo.clone();
        let mut worker = Worker {
            admin: admin.clone(),
            run: run.clone(),
            number,
            dumper: server.dumper(),
            online: major == ONLINE,
            dumps: Arc::clone(&dumps),
        };
        workers.push(tokio::spawn(async move {
            let mut verdicts = Vec::new();
            loop {
                let Some(pair) = todo.lock().unwrap().pop() else {
                    break;
                };
                verdicts.push(worker.try_pair(&pair).await);
            }
            let mut admin = server::connect(&worker.admin).await;
            for what in ["a", "b"] {
                database::drop(&mut admin, &worker.name(what))
                    .await
                    .unwrap();
            }
            verdicts
        }));
    }
    let mut verdicts: Vec<Verdict> = Vec::new();
    for worker in workers {
        verdicts.extend(worker.await.unwrap());
    }
    database::drop(&mut session, &template).await.unwrap();
    session.close().await;

    verdicts.sort_by(|x, y| x.name.cmp(&y.name));
    let mut failed = 0;
    for verdict in &verdicts {
        if !verdict.loads {
            println!("-- {}: {}", verdict.name, why(&verdict.forward));
            continue;
        }
        for (way, result) in [("a → b", &verdict.forward), ("b → a", &verdict.backward)] {
            if result.is_err() {
                failed += 1;
                println!("== {} {way}\n{}\n", verdict.name, why(result));
            }
        }
    }
    let loading = verdicts.iter().filter(|v| v.loads).count();
    println!("{major}: {loading} of {count} pairs load; {failed} ways of theirs fail");
    assert_eq!(failed, 0, "ways that do not converge");
    if std::env::var_os("DEVDB_CORPUS_ONLY").is_none() {
        let floor = FLOORS.iter().find(|f| f.0 == major).unwrap().1;
        assert!(
            loading >= floor,
            "{loading} pairs load, the floor is {floor}"
        );
    }
}

fn why(result: &Result<(), String>) -> &str {
    result.as_ref().err().map_or("", String::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpora_converge_on_15() {
    converge(&TestServer::of_version(15).await, 15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpora_converge_on_16() {
    converge(&TestServer::of_version(16).await, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpora_converge_on_17() {
    converge(&TestServer::shared(), 17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpora_converge_on_18() {
    converge(&TestServer::of_version(18).await, 18).await;
}

//! Random schemas and mutations of them, there and back: the plan applies, what it promises is
//! there afterwards, nothing is left to do, and nothing that stands on both sides was dropped.
//!
//! `DEVDB_PROPERTY_CASES=5000` tries more of them, `DEVDB_PROPERTY_SEED=7` begins with that one (and
//! ends with it where no number is asked for), `DEVDB_PROPERTY_SEED=7,31` tries just these. A case that
//! fails is made smaller, as long as it fails in the same way, and printed as SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use devdb::postgres::{Connection, Target, database};
use devdb::schema::{self, Action, HazardKind, Id, Kind, Object, Plan, Schema};

use crate::support::dump::{Dumper, difference};
use crate::support::random_schema::Model;
use crate::support::server;

/// How many cases an ordinary run tries, always the same.
const CASES: u64 = 50;

const AT_A_TIME: usize = 4;

/// How long a case that fails is made smaller.
const SHRINKING: Duration = Duration::from_secs(60);

/// After so many failures it is known that there are some; `DEVDB_PROPERTY_FAILURES` asks for more.
const FAILURES: u64 = 5;

/// One pair as statements, those that the server refuses included.
#[derive(Clone)]
struct Case {
    a: Vec<String>,
    b: Vec<String>,
    /// What is put into side a.
    rows: Vec<String>,
    /// Whether pg_dump is asked as well.
    dump: bool,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let size = rng.usize(1..60);
        let model = Model::random(&mut rng, size);
        let a = model.statements();
        let other = match rng.u8(0..20) {
            0 => Model::random(&mut rng, size),
            _ => {
                let mutations = rng.usize(1..12);
                model.mutated(&mut rng, mutations)
            }
        };
        let b = other.statements();
        let rows = match rng.u8(0..3) {
            0 => model.rows(),
            _ => Vec::new(),
        };
        let (a, b, rows) = match rng.u8(0..40) {
            0 => (Vec::new(), a, Vec::new()),
            1 => (b, a, Vec::new()),
            _ => (a, b, rows),
        };
        Case {
            a,
            b,
            rows,
            dump: seed.is_multiple_of(10),
        }
    }
}

/// Leaves of a database what its template has: several times as fast as a new clone.
const CLEAR: &str = r#"do $clear$
declare statement text;
begin
  for statement in
    select format('drop event trigger %I', evtname) from pg_event_trigger union all
    select format('drop publication %I', pubname) from pg_publication union all
    select format('drop schema %I cascade', nspname) from pg_namespace
      where nspname !~ '^pg_' and nspname not in ('ext', 'information_schema') union all
    select format('drop foreign data wrapper %I cascade', fdwname) from pg_foreign_data_wrapper union all
    select format('drop access method %I cascade', amname) from pg_am a where oid >= 16384
      and not exists (select from pg_depend d where d.objid = a.oid and d.deptype = 'e')
  loop
    execute statement;
  end loop;
  delete from pg_shdepend where classid = 'pg_default_acl'::regclass
    and dbid = (select oid from pg_database where datname = current_database());
  delete from pg_default_acl;
  create schema public;
  alter schema public owner to pg_database_owner;
  grant usage on schema public to public;
  comment on schema public is 'standard public schema';
end $clear$"#;

struct Failure {
    /// What kind of failure it is: the same for the same fault.
    class: String,
    /// What happened, with the plan.
    text: String,
}

impl Failure {
    fn new(class: impl Into<String>, text: impl Into<String>) -> Self {
        Failure {
            class: class.into(),
            text: text.into(),
        }
    }
}

/// Why a way did not end where it should.
enum Stop {
    Fault(Failure),
    /// A row that the wanted schema does not allow, and the plan said so.
    Row,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Fault(failure)
    }
}

#[derive(Default, Debug)]
struct Counts {
    cases: u64,
    statements: usize,
    refused: usize,
    steps: usize,
    /// Cases with rows, and those where rows stood in the way.
    with_rows: u64,
    rows_in_the_way: u64,
    dumps: u64,
    objects: BTreeMap<&'static str, usize>,
}

struct Worker {
    admin: Target,
    run: String,
    number: usize,
    dumper: Dumper,
    sessions: BTreeMap<&'static str, Connection>,
    counts: Counts,
}

impl Worker {
    fn name(&self, what: &str) -> String {
        format!("{}_{}_{what}", self.run, self.number)
    }

    /// The session of a database that has in it whatever of the statements the server accepts, and
    /// nothing else.
    async fn load(&mut self, what: &'static str, sql: &[String]) -> (Connection, Vec<String>) {
        let mut session = match self.sessions.remove(what) {
            Some(mut session) => match session.execute(CLEAR).await {
                Ok(()) => session,
                Err(error) => panic!("{} is not cleared: {error}", self.name(what)),
            },
            None => self.clone_template(what).await,
        };
        let mut accepted = Vec::new();
        for statement in sql {
            match session.execute(statement).await {
                Ok(()) => accepted.push(statement.clone()),
                Err(error) if std::env::var_os("DEVDB_PROPERTY_REFUSED").is_some() => {
                    println!("refused: {error}: {statement}");
                }
                Err(_) => {}
            }
        }
        (session, accepted)
    }

    async fn clone_template(&self, what: &str) -> Connection {
        let name = self.name(what);
        let mut admin = server::connect(&self.admin).await;
        database::drop(&mut admin, &name).await.unwrap();
        let template = format!("{}_template", self.run);
        database::clone(&mut admin, &name, &template).await.unwrap();
        admin.close().await;
        let target = self.admin.with_database(&name);
        let mut session = server::connect(&target).await;
        let settings = "set client_min_messages = error";
        session.execute(settings).await.unwrap();
        session
    }

    async fn try_case(&mut self, case: &Case) -> Result<(), Failure> {
        match self.there_and_back(case, &case.rows).await {
            Ok(()) => Ok(()),
            Err(Stop::Fault(failure)) => Err(failure),
            Err(Stop::Row) => {
                self.counts.rows_in_the_way += 1;
                match self.there_and_back(case, &[]).await {
                    Ok(()) | Err(Stop::Row) => Ok(()),
                    Err(Stop::Fault(failure)) => Err(failure),
                }
            }
        }
    }

    async fn there_and_back(&mut self, case: &Case, rows: &[String]) -> Result<(), Stop> {
        let (mut a, accepted_a) = self.load("a", &case.a).await;
        let (mut b, accepted_b) = self.load("b", &case.b).await;
        let refused = case.a.len() + case.b.len() - accepted_a.len() - accepted_b.len();
        self.counts.cases += 1;
        self.counts.statements += case.a.len() + case.b.len();
        self.counts.refused += refused;
        self.counts.with_rows += u64::from(!rows.is_empty());
        for row in rows {
            let _ = a.execute(row).await;
        }
        let (from, to) = (read(&mut a).await, read(&mut b).await);
        let way = self.way(case, &mut a, from, to).await;
        self.sessions.insert("a", a);
        self.sessions.insert("b", b);
        way
    }

    async fn way(
        &mut self,
        case: &Case,
        a: &mut Connection,
        from: Result<Schema, Failure>,
        to: Result<Schema, Failure>,
    ) -> Result<(), Stop> {
        let (from, to) = (from?, to?);
        for object in from.objects() {
            *self
                .counts
                .objects
                .entry(object.id.kind().name())
                .or_default() += 1;
        }
        let dumps = case.dump.then(|| {
            self.counts.dumps += 1;
            let mut dump = |what| {
                let name = self.name(what);
                self.dumper.dump(&name)
            };
            (dump("a"), dump("b"))
        });
        let (dump_a, dump_b) = dumps.unzip();
        let there = self.go(a, &from, &to, dump_b.as_deref()).await?;
        let back = self.go(a, &there, &from, dump_a.as_deref()).await;
        match back {
            Err(Stop::Fault(failure)) => Err(Stop::Fault(Failure::new(
                format!("back: {}", failure.class),
                format!("on the way back: {}", failure.text),
            ))),
            Err(Stop::Row) => Err(Stop::Row),
            Ok(_) => Ok(()),
        }
    }

    /// Applies the plan to the database a, looks at what came of it, and gives that.
    async fn go(
        &mut self,
        session: &mut Connection,
        from: &Schema,
        to: &Schema,
        dump: Option<&str>,
    ) -> Result<Schema, Stop> {
        let plan = schema::plan(from, to);
        let sql = plan.to_sql();
        self.counts.steps += plan.steps.len();
        if schema::plan(from, to).to_sql() != sql {
            return Err(Failure::new("not the same twice", sql).into());
        }
        keeps_what_stays(from, to, &plan)?;
        let before = contents(session, from, to).await;
        for transaction in plan.transactions() {
            let statements = transaction.to_sql();
            if let Err(error) = session.execute_transaction(&statements).await {
                return Err(refusal(&error, &plan, &statements));
            }
        }
        let after = read(session).await?;
        let again = schema::plan(&after, to);
        if let Some(step) = again.steps.first() {
            let class = format!("not empty: {:?} {}", step.action, step.kind());
            let text = format!(
                "the second plan is not empty:\n{}\nafter\n{sql}",
                again.to_sql()
            );
            return Err(Failure::new(class, text).into());
        }
        let changes = schema::diff(&after, to);
        if let Some(change) = changes.first() {
            let text = format!("a difference without a step: {change}\n{sql}");
            return Err(Failure::new(format!("difference: {}", change.kind), text).into());
        }
        let kept = contents(session, from, to).await;
        if before != kept {
            let text = format!("rows are not as they were: {before:?}\n{kept:?}\n{sql}");
            return Err(Failure::new("rows", text).into());
        }
        if let Some(wanted) = dump {
            let name = self.name("a");
            let is = self.dumper.dump(&name);
            // Whether a child says an inherited part itself can be seen there, and not be changed.
            let mut parts = after.objects().filter_map(|o| Some((o, to.get(&o.id)?)));
            let alike = parts.all(|(is, wanted)| is.text("_local") == wanted.text("_local"));
            if is != wanted && alike {
                let text = format!("pg_dump says:\n{}\n{sql}", difference(&is, wanted));
                return Err(Failure::new("pg_dump", text).into());
            }
        }
        Ok(after)
    }

    /// The case without whatever is not needed for a failure of the same kind.
    async fn shrink(&mut self, mut case: Case, class: &str) -> Case {
        let end = Instant::now() + SHRINKING;
        case.a = self.load("a", &case.a).await.1;
        case.b = self.load("b", &case.b).await.1;
        let all: BTreeSet<&String> = case.a.iter().chain(&case.b).chain(&case.rows).collect();
        let mut all: Vec<String> = all.into_iter().cloned().collect();
        let mut size = all.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < all.len() && Instant::now() < end {
                let chunk = &all[at..(at + size).min(all.len())];
                let without = |list: &[String]| -> Vec<String> {
                    list.iter()
                        .filter(|s| !chunk.contains(s))
                        .cloned()
                        .collect()
                };
                let smaller = Case {
                    a: without(&case.a),
                    b: without(&case.b),
                    rows: without(&case.rows),
                    dump: case.dump,
                };
                let same = |failure: Failure| failure.class == class;
                if self.try_case(&smaller).await.is_err_and(same) {
                    all.drain(at..(at + size).min(all.len()));
                    case = smaller;
                } else {
                    at += size;
                }
            }
            size = match size {
                1 => 0,
                _ => size.div_ceil(2),
            };
        }
        case
    }
}

async fn read(session: &mut Connection) -> Result<Schema, Failure> {
    let schema = schema::read(session).await;
    let schema = schema.map_err(|error| Failure::new("read", error.to_string()))?;
    // What an extension makes has the privileges by default of that moment: it is named, no more.
    let at_birth =
        |u: &&schema::Unmodelled| u.kind == "grants" && u.name.contains(", of extension ");
    match schema.unmodelled.iter().find(|u| !at_birth(u)) {
        Some(unmodelled) => Err(Failure::new("not modelled", unmodelled.to_string())),
        None => Ok(schema),
    }
}

/// What the server says about a statement that it refuses, unless a row is to blame.
fn refusal(error: &devdb::error::Error, plan: &Plan, statements: &str) -> Stop {
    let message = error.to_string();
    let code = message.rsplit(['(', ')']).nth(1).unwrap_or_default();
    // What cannot be read as a tsvector is called a syntax error.
    let blames_rows =
        code.starts_with("22") || code.starts_with("23") || message.contains("in tsvector");
    if blames_rows
        && plan
            .hazards()
            .any(|(_, hazard)| hazard.kind == HazardKind::DependsOnRows)
    {
        return Stop::Row;
    }
    let mut class = String::new();
    for (i, piece) in message.split('"').enumerate() {
        class.push_str(if i % 2 == 0 { piece } else { "…" });
    }
    let class = class.lines().next().unwrap_or_default().to_owned();
    let detail = error.detail_text().unwrap_or_default();
    let mut text = format!(
        "{message}\n{detail}\nin\n{statements}\nof\n{}",
        plan.to_sql()
    );
    if let Some(postgres) = error.postgres()
        && let Some(position) = postgres.position
    {
        let rest: String = statements
            .chars()
            .skip(position.saturating_sub(1))
            .take(80)
            .collect();
        text = format!("at: {rest}\n{text}");
    }
    Stop::Fault(Failure::new(class, text))
}

/// No table and no column that stands on both sides is dropped where it could be altered.
fn keeps_what_stays(from: &Schema, to: &Schema, plan: &Plan) -> Result<(), Failure> {
    let made_anew = |table: &Id| {
        let properties = ["form", "partition_key", "server"];
        let (Some(old), Some(new)) = (from.get(table), to.get(table)) else {
            return true;
        };
        // A server cannot change its wrapper or type, nor a foreign table its server.
        let wrapper = |schema: &Schema, table: &Object| {
            let server = Id::new(Kind::Server, "", table.text("server")?, "");
            let server = schema.get(&server)?;
            let fixed = ["wrapper", "server_type"];
            Some(fixed.map(|name| server.text(name).map(str::to_owned)))
        };
        if wrapper(from, old) != wrapper(to, new) {
            return true;
        }
        // Where attributes of its type stand in another order, its rows are carried over.
        new.text("of_type").is_some()
            || properties
                .iter()
                .any(|name| old.value(name) != new.value(name))
    };
    for step in &plan.steps {
        for id in step
            .destroys
            .iter()
            .filter(|id| from.contains(id) && to.contains(id))
        {
            let table = id.beside(Kind::Table, "");
            let right = match id.kind() {
                Kind::Table => made_anew(id),
                Kind::Column => {
                    let generated = |schema: &Schema| {
                        schema
                            .get(id)
                            .and_then(|c| c.text("generated").map(str::to_owned))
                    };
                    made_anew(&table) || generated(from).is_some() || generated(to).is_some()
                }
                _ => true,
            };
            if !right && step.action == Action::Drop {
                return Err(Failure::new(
                    format!("drops a {} that stays", id.kind()),
                    format!("{id} stays but is dropped:\n{}", plan.to_sql()),
                ));
            }
        }
    }
    Ok(())
}

/// The values of each column that stands on both sides with one type.
async fn contents(
    session: &mut Connection,
    from: &Schema,
    to: &Schema,
) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    for column in from.objects().filter(|o| o.id.kind() == Kind::Column) {
        let table = column.id.beside(Kind::Table, "");
        let (Some(other), Some(old), Some(new)) =
            (to.get(&column.id), from.get(&table), to.get(&table))
        else {
            continue;
        };
        let comparable = old.get("form") == "plain"
            && new.get("form") == "plain"
            && column.text("generated").is_none()
            && other.text("generated").is_none()
            && column.text("type") == other.text("type")
            && !column.get("type").contains('.');
        if !comparable {
            continue;
        }
        let name = devdb::postgres::quote_ident(column.id.part());
        let sql = format!(
            // A prepared statement remembers collations: here all have the same.
            "select coalesce(string_agg(coalesce({name}::text collate \"C\", 'null'), ' ' order by {name}::text collate \"C\"), '') from only {}",
            table.path()
        );
        let values = session.fetch_value::<String>(&sql, &[]).await;
        let values = values
            .expect("every column can be read")
            .unwrap_or_default();
        if !values.is_empty() {
            contents.insert(column.id.to_string(), values);
        }
    }
    contents
}

/// What all databases start from: the extensions apart from everything else, and the roles.
async fn prepare(run: &str, admin: &Target) {
    let mut session = server::connect(admin).await;
    let template = format!("{run}_template");
    session
        .execute(
            "do $$ begin create role \"Odd \"\"Role\" nologin; \
             exception when duplicate_object or unique_violation then end $$",
        )
        .await
        .unwrap();
    database::drop(&mut session, &template).await.unwrap();
    database::create(&mut session, &template).await.unwrap();
    session.close().await;
    let mut session = server::connect(&admin.with_database(&template)).await;
    session.execute("create schema ext").await.unwrap();
    for extension in ["vector", "pg_trgm", "btree_gist"] {
        let created = session
            .execute(&format!("create extension {extension} schema ext"))
            .await;
        assert!(
            created.is_ok() || std::env::var_os("DEVDB_TEST_URL").is_some(),
            "{created:?}"
        );
    }
    session.close().await;
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect(name))
}

/// The seeds of a run: those that are asked for; new ones where only a number is; else always the
/// same.
fn seeds() -> Vec<u64> {
    let count = number("DEVDB_PROPERTY_CASES");
    match (std::env::var("DEVDB_PROPERTY_SEED"), count) {
        (Ok(list), _) if list.contains(',') => {
            let seeds = list.split(',').map(|seed| seed.parse().expect("a seed"));
            seeds.collect()
        }
        (Ok(seed), _) => {
            let seed: u64 = seed.parse().expect("a seed");
            (seed..seed + count.unwrap_or(1)).collect()
        }
        (Err(_), Some(count)) => {
            let new = fastrand::u64(1_000_000..1_000_000_000);
            println!("new seeds from {new}");
            (new..new + count).collect()
        }
        (Err(_), None) => (0..CASES).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_schemas_converge() {
    let run = format!("property_{}", std::process::id());
    let admin = Target::parse(&server::url()).unwrap();
    prepare(&run, &admin).await;
    let started = Instant::now();
    let mut todo = seeds();
    todo.reverse();
    let todo = Arc::new(Mutex::new(todo));
    let failures: Arc<Mutex<BTreeMap<String, Vec<u64>>>> = Arc::default();
    let mut workers = Vec::new();
    for worker in 0..AT_A_TIME {
        let mut worker = Worker {
            admin: admin.clone(),
            run: run.clone(),
            number: worker,
            dumper: Dumper::new(),
            sessions: BTreeMap::new(),
            counts: Counts::default(),
        };
        let (todo, failures) = (todo.clone(), failures.clone());
        workers.push(tokio::spawn(async move {
            loop {
                let failed: usize = failures.lock().unwrap().values().map(Vec::len).sum();
                let enough = failed as u64 >= number("DEVDB_PROPERTY_FAILURES").unwrap_or(FAILURES);
                let Some(seed) = todo.lock().unwrap().pop().filter(|_| !enough) else {
                    break;
                };
                let case = Case::of(seed);
                let Err(failure) = worker.try_case(&case).await else {
                    continue;
                };
                let class = failure.class.clone();
                let known = {
                    let mut failures = failures.lock().unwrap();
                    let seeds = failures.entry(class.clone()).or_default();
                    seeds.push(seed);
                    seeds.len() > 1
                };
                if known {
                    println!("seed {seed}: {class}");
                    continue;
                }
                let counts = std::mem::take(&mut worker.counts);
                let small = worker.shrink(case, &class).await;
                let again = worker.try_case(&small).await.err();
                worker.counts = counts;
                let text = again.map_or(failure.text, |failure| failure.text);
                let sql = |list: &[String]| list.iter().map(|s| format!("{s};\n")).collect::<String>();
                println!(
                    "== DEVDB_PROPERTY_SEED={seed}: {class}\n-- a\n{}-- rows\n{}-- b\n{}-- {text}\n",
                    sql(&small.a),
                    sql(&small.rows),
                    sql(&small.b)
                );
            }
            let mut admin = server::connect(&worker.admin).await;
            for what in ["a", "b"] {
                database::drop(&mut admin, &worker.name(what)).await.unwrap();
            }
            worker.counts
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        all.push(worker.await.unwrap());
    }
    let mut session = server::connect(&admin).await;
    database::drop(&mut session, &format!("{run}_template"))
        .await
        .unwrap();
    session.close().await;
    let sum = |of: fn(&Counts) -> u64| all.iter().map(of).sum::<u64>();
    println!(
        "{} cases in {:.0} s: {} of {} statements refused, {} steps, {} with rows ({} in the way), {} compared by pg_dump",
        sum(|c| c.cases),
        started.elapsed().as_secs_f64(),
        sum(|c| c.refused as u64),
        sum(|c| c.statements as u64),
        sum(|c| c.steps as u64),
        sum(|c| c.with_rows),
        sum(|c| c.rows_in_the_way),
        sum(|c| c.dumps),
    );
    let mut objects: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, count) in all.iter().flat_map(|c| &c.objects) {
        *objects.entry(kind).or_default() += count;
    }
    println!("objects: {objects:?}");
    let failures = failures.lock().unwrap();
    assert!(failures.is_empty(), "failures, by seed: {failures:#?}");
}

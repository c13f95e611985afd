//! What becomes of rows when a plan is applied, and what a plan says about it.

use devdb::postgres::Connection;
use devdb::schema::{self, HazardKind, Plan};

use crate::support::server::TestDatabase;

/// Loads `a` and rows, plans the way to `b`, and applies it.
async fn go(name: &str, a: &str, rows: &str, b: &str) -> (TestDatabase, Connection, Plan) {
    let present = TestDatabase::new(name).await;
    let wanted = TestDatabase::new(&format!("{name}_wanted")).await;
    let mut session = present.connect().await;
    session.execute(a).await.unwrap();
    session.execute(rows).await.unwrap();
    let mut other = wanted.connect().await;
    other.execute(b).await.unwrap();
    let from = schema::read(&mut session).await.unwrap();
    let to = schema::read(&mut other).await.unwrap();
    other.close().await;
    let plan = schema::plan(&from, &to);
    for transaction in plan.transactions() {
        let sql = transaction.to_sql();
        session
            .execute_transaction(&sql)
            .await
            .unwrap_or_else(|e| panic!("{e}\n{sql}"));
    }
    let after = schema::read(&mut session).await.unwrap();
    assert_eq!(schema::plan(&after, &to).to_sql(), "");
    (present, session, plan)
}

/// All rows of a query, each as text.
async fn rows(session: &mut Connection, query: &str) -> String {
    let sql =
        format!("select coalesce(string_agg(r::text, ' ' order by r::text), '') from ({query}) r");
    session
        .fetch_value::<String>(&sql, &[])
        .await
        .unwrap()
        .unwrap()
}

fn hazards(plan: &Plan, kind: HazardKind) -> Vec<String> {
    plan.hazards()
        .filter(|(_, hazard)| hazard.kind == kind)
        .map(|(step, _)| step.object.to_string())
        .collect()
}

#[tokio::test]
async fn rows_kept_in_columns_elsewhere_follow_their_table() {
    let a = "create type mood as enum ('sad', 'ok', 'glad'); \
             create table person (id integer, feels mood, old text); \
             create table diary (day integer, who person, others person[]); \
             create table page (diary diary)";
    let b = "create type mood as enum ('glad', 'ok'); \
             create table person (id bigint, feels mood, new integer); \
             create table diary (day integer, who person, others person[]); \
             create table page (diary diary)";
    let filled = "insert into diary values \
                  (1, row(1, 'ok', 'x'), array[row(2, 'glad', 'a, \"b\"'), null]::person[]), (2, null, '{}'); \
                  insert into page select d from diary d";
    let (_keep, mut session, _) = go("rows_elsewhere", a, filled, b).await;
    let kept = r#"(1,"(1,ok,)","{""(2,glad,)"",NULL}") (2,,{})"#;
    let plain = "select * from diary order by day";
    assert_eq!(rows(&mut session, plain).await, kept);
    let inside = "select (diary).* from page order by 1";
    assert_eq!(rows(&mut session, inside).await, kept);
}

#[tokio::test]
async fn an_enum_made_anew_keeps_its_rows() {
    let (_database, mut session, plan) = go(
        "enum_rows",
        "create type e as enum ('a', 'b', 'c'); create domain d as e; \
         create table t(id int, x e default 'a', xs e[], y d)",
        "insert into t values (1, 'b', '{a,b}', 'b'), (2, default, '{}', null)",
        "create type e as enum ('b', 'a'); create domain d as e; \
         create table t(id int, x e default 'a', xs e[], y d)",
    )
    .await;
    assert_eq!(
        rows(&mut session, "select * from t").await,
        "(1,b,\"{a,b}\",b) (2,a,{},)"
    );
    assert!(hazards(&plan, HazardKind::DataLoss).is_empty());
    assert!(!hazards(&plan, HazardKind::DependsOnRows).is_empty());
}

#[tokio::test]
async fn a_new_type_converts_what_is_there() {
    let (_database, mut session, plan) = go(
        "type_rows",
        "create table t(a text, b int, c varchar(5), d int default 7); create view v as select a from t",
        "insert into t values ('12', 3, 'abc', default)",
        "create table t(a int, b bigint, c text, d text default 'x'); create view v as select a from t",
    )
    .await;
    assert_eq!(rows(&mut session, "select * from t").await, "(12,3,abc,7)");
    let sql = plan.to_sql();
    assert!(
        sql.contains("ALTER COLUMN a TYPE integer USING a::integer"),
        "{sql}"
    );
    assert!(sql.contains("ALTER COLUMN b TYPE bigint;"), "{sql}");
    assert_eq!(hazards(&plan, HazardKind::TableRewrite).len(), 3, "{sql}");
}

#[tokio::test]
async fn partitions_keep_their_rows_when_the_key_changes() {
    let (_database, mut session, plan) = go(
        "partition_rows",
        "create table m(id int, d date) partition by range (d); \
         create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01')",
        "insert into m values (1, '2024-05-05'), (2, '2024-06-06')",
        "create table m(id int, d date) partition by list (id); \
         create table m1 partition of m for values in (1, 2)",
    )
    .await;
    assert_eq!(
        rows(&mut session, "select * from m").await,
        "(1,2024-05-05) (2,2024-06-06)"
    );
    assert!(hazards(&plan, HazardKind::DataLoss).is_empty());
}

#[tokio::test]
async fn what_loses_rows_says_so() {
    let (_database, _session, plan) = go(
        "loss_rows",
        "create table gone(a int); create table t(a int, b int, g int generated always as (a * 2) stored)",
        "insert into gone values (1)",
        "create table t(a int)",
    )
    .await;
    let lost = hazards(&plan, HazardKind::DataLoss);
    assert_eq!(lost, ["column public.t.b", "table public.gone"]);
}

#[tokio::test]
async fn a_value_is_used_only_after_it_was_committed() {
    let (_database, _session, plan) = go(
        "enum_commit",
        "create type e as enum ('a'); create table t(x e default 'a')",
        "insert into t default values",
        "create type e as enum ('a', 'it''s'); create table t(x e default 'it''s', y int)",
    )
    .await;
    assert_eq!(
        plan.to_sql(),
        "BEGIN;\n\
         -- not-reversible: an enum value can be taken away only with a new type\n\
         ALTER TYPE public.e ADD VALUE 'it''s';\n\
         -- lock: access exclusive on table public.t\n\
         ALTER TABLE public.t ADD COLUMN y integer;\n\
         COMMIT;\n\nBEGIN;\n\
         -- lock: access exclusive on table public.t\n\
         ALTER TABLE public.t ALTER COLUMN x SET DEFAULT 'it''s'::public.e;\n\
         COMMIT;\n"
    );
}

#[tokio::test]
async fn a_sequence_goes_on_counting() {
    let (_database, mut session, plan) = go(
        "sequence_rows",
        "create table t(id serial primary key, v text)",
        "insert into t(v) values ('a'), ('b'), ('c')",
        "create table t(id bigserial primary key, v text)",
    )
    .await;
    session
        .execute("insert into t(v) values ('d')")
        .await
        .unwrap();
    assert_eq!(
        rows(&mut session, "select id from t where v = 'd'").await,
        "(4)",
        "{}",
        plan.to_sql()
    );
}

#[tokio::test]
async fn what_is_left_out_takes_its_dependents_along() {
    let database = TestDatabase::new("without").await;
    let mut session = database.connect().await;
    session
        .execute("create table _m(id serial primary key); create view v as select id from _m; create table t(a int)")
        .await
        .unwrap();
    let all = schema::read(&mut session).await.unwrap();
    let rest = all
        .clone()
        .without(|id| id.kind() == schema::Kind::Table && id.name() == "_m");
    let names: Vec<String> = schema::diff(&rest, &all)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        names.contains(&"+ table public._m".to_string()),
        "{names:?}"
    );
    assert!(
        names.contains(&"+ sequence public._m_id_seq bigint".to_string())
            || names
                .iter()
                .any(|n| n.starts_with("+ sequence public._m_id_seq")),
        "{names:?}"
    );
    assert!(
        rest.objects()
            .all(|o| !o.id.name().starts_with("_m") && o.id.name() != "v")
    );
    assert!(
        rest.objects()
            .any(|o| o.id.to_string() == "column public.t.a")
    );
}

#[tokio::test]
async fn changes_read_like_lines() {
    let (_database, mut session, _plan) = go(
        "lines",
        "create table t(a int, b int)",
        "select 1",
        "create table t(a bigint not null); create index i on t(a)",
    )
    .await;
    let after = schema::read(&mut session).await.unwrap();
    session
        .execute("drop index i; alter table t alter a type int; alter table t alter a drop not null; alter table t add tags text[]")
        .await
        .unwrap();
    let drifted = schema::read(&mut session).await.unwrap();
    let lines: Vec<String> = schema::diff(&after, &drifted)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "~ column public.t.a: type bigint → integer; no longer not null",
            "+ column public.t.tags text[]",
            "- index public.i",
        ]
    );
}

#[tokio::test]
async fn what_is_modelled_is_not_named() {
    let database = TestDatabase::new("unmodelled").await;
    let mut session = database.connect().await;
    let statements = [
        "create type mybase",
        "create function mybase_in(cstring) returns mybase language internal immutable strict as 'int4in'",
        "create function mybase_out(mybase) returns cstring language internal immutable strict as 'int4out'",
        "create type mybase (input = mybase_in, output = mybase_out, like = int4)",
        "create extension pg_trgm",
        "create table t(a int not null, t text, c mybase)",
    ];
    for statement in statements {
        session.execute(statement).await.unwrap();
    }
    let read = schema::read(&mut session).await.unwrap();
    assert_eq!(read.unmodelled, []);
}

#[tokio::test]
async fn a_base_type_with_values_is_never_dropped_for_another_definition() {
    let base = |category: char| {
        format!(
            "create type b; \
             create function b_in(cstring) returns b language internal strict immutable as 'int4in'; \
             create function b_out(b) returns cstring language internal strict immutable as 'int4out'; \
             create type b (input = b_in, output = b_out, like = int4, category = '{category}'); \
             create table t(x b)"
        )
    };
    let present = TestDatabase::new("base_rows").await;
    let wanted = TestDatabase::new("base_rows_wanted").await;
    let (mut a, mut b) = (present.connect().await, wanted.connect().await);
    a.execute(&base('X')).await.unwrap();
    b.execute(&base('Y')).await.unwrap();
    let (a, b) = (schema::read(&mut a).await, schema::read(&mut b).await);
    let (a, b) = (a.unwrap(), b.unwrap());
    // Only its functions know what the bytes mean: the difference stays, and the diff shows it.
    assert_eq!(schema::plan(&a, &b).to_sql(), "");
    assert_eq!(schema::diff(&a, &b).len(), 1);
}

#[tokio::test]
async fn a_table_keeps_its_rows_when_it_becomes_partitioned_and_back() {
    let plain = "create table m(id int generated always as identity primary key, v text, old int)";
    let parts = "create table m(id int generated always as identity, v varchar(9), primary key (id)) \
                 partition by range (id); \
                 create table m1 partition of m for values from (minvalue) to (2); \
                 create table m2 partition of m for values from (2) to (maxvalue)";
    let rows_in = "insert into m(v) values ('a'), ('b')";
    for (name, a, b) in [("parted", plain, parts), ("parted_back", parts, plain)] {
        let (_database, mut session, plan) = go(name, a, rows_in, b).await;
        let found = rows(&mut session, "select id, v from m").await;
        assert_eq!(found, "(1,a) (2,b)");
        session
            .execute("insert into m(v) values ('c')")
            .await
            .unwrap();
        assert_eq!(rows(&mut session, "select max(id) from m").await, "(3)");
        let lost = hazards(&plan, HazardKind::DataLoss);
        let wanted: &[&str] = if a == plain { &["table public.m"] } else { &[] };
        assert_eq!(lost, wanted, "the values of `old`, and nothing else");
    }
}

/// What each step of an online plan runs in, and its statement without its hazards.
fn outline(plan: &Plan) -> String {
    let line = |step: &schema::Step| match step.transaction {
        Some(number) => format!("{number}: {}", step.sql),
        None => format!("-: {}", step.sql),
    };
    let lines: Vec<String> = plan.steps.iter().map(line).collect();
    lines.join("\n")
}

#[tokio::test]
async fn an_online_plan_lets_others_write() {
    let a = "create table t (id int not null, a text, b text not null, c int); \
             create table p (id int primary key); create index old on t (a)";
    let b = "create table p (id int primary key); \
             create table t (id int not null primary key, a text not null, b text not null, c int, \
               constraint b_once unique nulls not distinct (b) include (c) with (fillfactor = 70) deferrable, \
               constraint c_fits check (c < 100), constraint c_of foreign key (c) references p); \
             create unique index fresh on t (lower(a)) where c > 0";
    let present = TestDatabase::new("online").await;
    let wanted = TestDatabase::new("online_wanted").await;
    let mut session = present.connect().await;
    session.execute(a).await.unwrap();
    session
        .execute("insert into p values (1); insert into t values (1, 'x', 'y', 1)")
        .await
        .unwrap();
    let mut other = wanted.connect().await;
    other.execute(b).await.unwrap();
    let from = schema::read(&mut session).await.unwrap();
    let to = schema::read(&mut other).await.unwrap();
    other.close().await;
    let plan = schema::plan(&from, &to).online(&from, &to);
    insta::assert_snapshot!(outline(&plan));
    for transaction in plan.transactions() {
        let sql = transaction.to_sql();
        session.execute_transaction(&sql).await.unwrap();
    }
    let after = schema::read(&mut session).await.unwrap();
    assert_eq!(schema::plan(&after, &to).to_sql(), "");
    assert_eq!(rows(&mut session, "select * from t").await, "(1,x,y,1)");
    // Long work holds no lock that keeps writers out.
    for step in plan
        .steps
        .iter()
        .filter(|s| s.transaction.is_none() || s.sql.contains("VALIDATE"))
    {
        let weak = |lock: &schema::Lock| lock.mode == schema::LockMode::ShareUpdateExclusive;
        assert!(step.locks.iter().all(weak), "{}", step.sql);
    }
}

/// Waits until another session of the database waits for a lock.
async fn wait_for_waiting(session: &mut Connection, count: usize) {
    let sql = "select 1 from pg_locks l join pg_stat_activity a using (pid) \
               where not l.granted and a.datname = current_database()";
    while session.fetch(sql, &[]).await.unwrap().len() != count {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_transaction_that_gives_way_in_a_deadlock_runs_again() {
    let database = TestDatabase::new("deadlock").await;
    let mut gate = database.connect().await;
    let tables = "create table a (id int); create table b (id int)";
    gate.execute(tables).await.unwrap();
    gate.execute("select pg_advisory_lock(1)").await.unwrap();

    let mut giving_way = database.connect().await;
    let mut other = database.connect().await;
    for (session, patience) in [(&mut giving_way, "1ms"), (&mut other, "1h")] {
        let sql = format!("set deadlock_timeout = '{patience}'");
        session.execute(&sql).await.unwrap();
    }
    other.execute("begin; lock table b").await.unwrap();
    let plan = tokio::spawn(async move {
        let sql =
            "alter table a add x int; select pg_advisory_xact_lock(1); alter table b add x int";
        giving_way.execute_transaction(sql).await
    });
    wait_for_waiting(&mut gate, 1).await;
    let circle = tokio::spawn(async move {
        other.execute("lock table a").await.unwrap();
        other.execute("commit").await.unwrap();
    });
    wait_for_waiting(&mut gate, 2).await;
    // Now each waits for the other, and the patient one does not give way.
    gate.execute("select pg_advisory_unlock(1)").await.unwrap();
    circle.await.unwrap();
    plan.await.unwrap().unwrap();
    let columns = "select (select x from a) is null and (select x from b) is null";
    assert_eq!(rows(&mut gate, columns).await, "(t)");
}

#[tokio::test]
async fn partitions_that_outlive_their_parent_keep_their_rows() {
    let a = "create table t (part integer, id bigint) partition by hash (part); \
             create table p partition of t for values with (modulus 2, remainder 1) partition by hash (part); \
             create table p1 partition of p for values with (modulus 1, remainder 0); \
             create table q partition of t for values with (modulus 2, remainder 0)";
    let b = "create table p (part integer, id bigint) with (fillfactor = 70); \
             create table q (part integer, id bigint)";
    let filled = "insert into t select n, n * 10 from generate_series(1, 20) n";
    let (_keep, mut session, _) = go("parent_goes", a, filled, b).await;
    let both =
        "select count(*), sum(part), sum(id) from (select * from p union all select * from q) s";
    assert_eq!(rows(&mut session, both).await, "(20,210,2100)");
    let each = "select (select count(*) > 0 from p) and (select count(*) > 0 from q)";
    assert_eq!(rows(&mut session, each).await, "(t)");
}

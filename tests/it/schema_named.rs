//! What devdb does not model is named: nothing is left out in silence.

use devdb::postgres::Connection;
use devdb::schema;

use crate::support::server::TestDatabase;

async fn names(session: &mut Connection) -> Vec<String> {
    let schema = schema::read(session).await.unwrap();
    schema.unmodelled.iter().map(ToString::to_string).collect()
}

/// Reads, changes something, and gives what is named since.
async fn named(name: &str, before: &str, change: &str) -> Vec<String> {
    let database = TestDatabase::new(name).await;
    let mut session = database.connect().await;
    session.execute(before).await.unwrap();
    assert_eq!(names(&mut session).await, [""; 0], "before");
    session.execute(change).await.unwrap();
    names(&mut session).await
}

#[tokio::test]
async fn what_was_done_to_members_of_an_extension() {
    let found = named(
        "named_members",
        // ltree has types, functions and operators; the others make tables and grants.
        "create extension ltree; create extension postgres_fdw; create extension pg_stat_statements",
        "create function f() returns trigger language plpgsql as 'begin return new; end'; \
         comment on function nlevel(ltree) is 'mine'; \
         grant execute on function lca(ltree[]) to r_app; \
         revoke execute on function lca(ltree[]) from public; \
         grant usage on type lquery to r_app; \
         alter function subltree(ltree, integer, integer) owner to r_app; \
         alter function subpath(ltree, integer) cost 7; \
         grant select on pg_stat_statements to r_app; \
         create rule mine as on delete to pg_stat_statements do instead nothing",
    )
    .await;
    let expected = [
        "comment function public.nlevel(public.ltree), of extension ltree",
        "definition function public.subpath(public.ltree,integer), of extension ltree",
        "grants function public.lca(public.ltree[]), of extension ltree",
        "grants type public.lquery, of extension ltree",
        "grants view public.pg_stat_statements, of extension pg_stat_statements",
        "owner function public.subltree(public.ltree,integer,integer), of extension ltree",
        "rule mine on public.pg_stat_statements, of extension pg_stat_statements",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_was_put_on_a_table_of_an_extension() {
    let found = named(
        "named_parts",
        // In one transaction, as an extension's script: what it makes with its table is its own.
        "create extension ltree; \
         create table t(a int primary key, b int check (b > 0)); create index own_index on t(b); \
         create type e as enum ('a'); \
         create function f() returns trigger language plpgsql as 'begin return new; end'; \
         create trigger own_trigger before insert on t execute function f(); \
         create policy own_policy on t; comment on column t.a is 'own'; \
         alter extension ltree add table t; alter extension ltree add type e; \
         alter extension ltree add function f()",
        "create index index_mine on t(a, b); alter table t add constraint check_mine check (a > 0); \
         create trigger trigger_mine before update on t execute function f(); \
         create policy policy_mine on t; alter table t add column c int; \
         create statistics s on a, b from t; comment on column t.b is 'mine'; \
         grant select (a) on t to r_app; alter type e add value 'b'; \
         alter table t set (fillfactor = 70)",
    )
    .await;
    let expected = [
        "column public.t.c, of extension ltree",
        "comment table column public.t.b, of extension ltree",
        "constraint check_mine on public.t, of extension ltree",
        "enum value b of public.e, of extension ltree",
        "grants table column public.t.a, of extension ltree",
        "index public.index_mine, of extension ltree",
        "policy policy_mine on public.t, of extension ltree",
        "settings table public.t, of extension ltree",
        "statistics public.s, of extension ltree",
        "trigger trigger_mine on public.t, of extension ltree",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn grants_by_another_than_the_owner() {
    let database = TestDatabase::new("named_grants").await;
    let mut session = database.connect().await;
    session
        .execute(
            "create table t(a int); grant select on t to r_app with grant option; \
             set role r_app; grant select on t to public",
        )
        .await
        .unwrap();
    session.execute("reset role").await.unwrap();
    assert_eq!(
        names(&mut session).await,
        ["grant by another than the owner SELECT on table public.t by r_app"]
    );
}

#[tokio::test]
async fn security_labels() {
    let database = TestDatabase::new("named_labels").await;
    let mut session = database.connect().await;
    // No provider is there to ask: the row is put where a provider's label would be.
    session
        .execute(
            "create table t(a int); set allow_system_table_mods = on; \
             insert into pg_seclabel select 't'::regclass, 'pg_class'::regclass, 0, 'provider', 'secret'",
        )
        .await
        .unwrap();
    assert_eq!(names(&mut session).await, ["security label table public.t"]);
}

#[tokio::test]
async fn a_password_of_a_subscription_is_never_read() {
    let database = TestDatabase::new("named_secrets").await;
    let mut session = database.connect().await;
    for (name, connection) in [
        ("a", r"host=h password=pa$$1 user=u"),
        ("b", r"password = 'pa$$1 it\'s pa$$1' host=h user=u"),
        ("c", r"host=h user=u password=pa$$1\ pa$$1"),
        ("d", "postgresql://u:pa$$1@h"),
        ("e", "postgres://u:pa/$$1@h/?password=pa$$1&sslmode=require"),
        ("f", "host=h user=u sslpassword=pa'$$1"),
    ] {
        let sql = format!(
            "create subscription {name} connection '{}' publication p with (connect = false, slot_name = none)",
            connection.replace('\'', "''")
        );
        session.execute(&sql).await.unwrap();
    }
    let schema = schema::read(&mut session).await.unwrap();
    let plan = schema::plan(&schema::Schema::default(), &schema);
    let connections: Vec<&str> = schema
        .objects()
        .filter(|o| o.id.kind() == schema::Kind::Subscription)
        .map(|o| o.get("connection"))
        .collect();
    let open = ["host=h user=u", "host=h user=u", "host=h user=u"];
    let url = ["postgresql://u@h", "postgres://u@h/?sslmode=require"];
    assert_eq!(connections, [&open[..], &url[..], &open[..1]].concat());
    assert!(!plan.to_sql().contains("$$1"), "{}", plan.to_sql());

    // Somebody else sees no connection at all, and that is no reason to fail.
    session.execute("set role r_app").await.unwrap();
    let theirs = schema::read(&mut session).await.unwrap();
    session.execute("reset role").await.unwrap();
    let there = |o: &&schema::Object| o.id.kind() == schema::Kind::Subscription;
    assert_eq!(theirs.objects().filter(there).count(), 6);
    assert!(
        theirs
            .objects()
            .filter(there)
            .all(|o| o.text("connection").is_none())
    );
}

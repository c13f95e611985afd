//! Roles that stand on the server of one side only.

use devdb::postgres;
use devdb::schema::{self, Kind};

use crate::support::server::{self, TestDatabase};
use crate::support::versions::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_another_server_are_made_by_name() {
    let elsewhere = TestServer::of_version(18).await;
    let here = TestDatabase::new("roles").await;
    let tag = format!("role_{}", std::process::id());
    let roles = [
        "owner",
        "grantee",
        "policy",
        "by_default",
        "Mapped \"q",
        "unused",
    ];
    let mut there = postgres::connect(&elsewhere.admin).await.unwrap();
    for role in roles {
        let sql = format!(
            "create role {} login password 'secret'",
            postgres::quote_ident(&format!("{tag}_{role}"))
        );
        there.execute(&sql).await.unwrap();
    }
    there
        .execute(&format!(
            "create table t(a int); alter table t owner to {tag}_owner; grant select (a) on t to {tag}_grantee; \
             create policy p on t to {tag}_policy, r_app; \
             alter default privileges for role {tag}_by_default grant select on tables to public; \
             create foreign data wrapper w; create server s foreign data wrapper w; \
             create user mapping for \"{tag}_Mapped \"\"q\" server s"
        ))
        .await
        .unwrap();
    let mut session = here.connect().await;
    let to = schema::read(&mut there).await.unwrap();
    let from = schema::read(&mut session).await.unwrap();
    let plan = schema::plan(&from, &to);
    let made = || plan.steps.iter().filter(|s| s.object.kind() == Kind::Role);
    let names: Vec<&str> = made().map(|s| s.object.name()).collect();
    let wanted: Vec<String> = ["Mapped \"q", "by_default", "grantee", "owner", "policy"]
        .iter()
        .map(|role| format!("{tag}_{role}"))
        .collect();
    assert_eq!(names, wanted);
    assert!(made().all(|s| s.hazards[0].kind == schema::HazardKind::Privilege));
    assert!(!plan.to_sql().contains("secret"));

    for transaction in plan.transactions() {
        let sql = transaction.to_sql();
        session.execute_transaction(&sql).await.unwrap();
    }
    let after = schema::read(&mut session).await.unwrap();
    let again = schema::plan(&after, &to).to_sql();
    session
        .execute("drop table t; drop foreign data wrapper w cascade")
        .await
        .unwrap();
    for role in wanted {
        let role = postgres::quote_ident(&role);
        session
            .execute(&format!("drop owned by {role}; drop role {role}"))
            .await
            .unwrap();
    }
    assert_eq!(again, "");
}

/// From 17 on `GRANT ALL` includes a privilege that older servers do not have.
#[tokio::test(flavor = "multi_thread")]
async fn grants_of_an_older_server_are_the_same() {
    let older = TestServer::of_version(15).await;
    let database = TestDatabase::new("grants_newer").await;
    let sql = "create table t (id int); grant all on t to r_app; \
               alter default privileges grant all on tables to r_app";
    let mut there = server::connect(&older.admin).await;
    let mut here = database.connect().await;
    let mut sides = Vec::new();
    for session in [&mut there, &mut here] {
        session.execute(sql).await.unwrap();
        sides.push(schema::read(session).await.unwrap());
    }
    let (new, old) = (sides.pop().unwrap(), sides.pop().unwrap());
    assert!(!schema::diff(&old, &new).is_empty());
    let (on_old, on_new) = (old.version(), new.version());
    let (old, new) = (old.as_on(on_new), new.as_on(on_old));
    let changes: Vec<String> = schema::diff(&old, &new)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changes, [""; 0]);
    assert_eq!(schema::plan(&new, &old).to_sql(), "");
}

//! What steps claim about locks and rewrites, beside what the server shows: every step of every
//! plan between the pairs of the corpora runs by itself, and `pg_locks` and `relfilenode` are read
//! before its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use devdb::postgres::{Connection, Row};
use devdb::schema::{self, Id, Kind, LockMode, Step};

use crate::support::server::TestDatabase;

/// A table or view as the server knows it: oid, id and where its rows are.
type Relations = BTreeMap<i64, (Id, i64)>;

async fn relations(session: &mut Connection) -> Relations {
    let rows = session
        .fetch(
            "select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relfilenode::int8 \
             from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where c.relkind in ('r', 'p', 'f', 'm', 'v') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' \
               and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e')",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let kind = match row.get::<String, _>(3).as_str() {
                "v" => Kind::View,
                "m" => Kind::MaterializedView,
                _ => Kind::Table,
            };
            let id = Id::new(kind, row.get(1), row.get(2), "");
            (row.get(0), (id, row.get(4)))
        })
        .collect()
}

/// The strongest lock of this session on each relation, of those that block writers or schema
/// changes.
async fn locks(session: &mut Connection, known: &Relations) -> BTreeMap<Id, LockMode> {
    let rows = session
        .fetch(
            "select relation::int8, mode from pg_catalog.pg_locks \
             where pid = pg_catalog.pg_backend_pid() and locktype = 'relation' and granted",
            &[],
        )
        .await
        .unwrap();
    let mut result: BTreeMap<Id, LockMode> = BTreeMap::new();
    for row in rows {
        let mode = match row.get::<String, _>(1).as_str() {
            "ShareUpdateExclusiveLock" => LockMode::ShareUpdateExclusive,
            "ShareLock" => LockMode::Share,
            "ShareRowExclusiveLock" => LockMode::ShareRowExclusive,
            "AccessExclusiveLock" | "ExclusiveLock" => LockMode::AccessExclusive,
            _ => continue,
        };
        if let Some((id, _)) = known.get(&row.get::<i64, _>(0)) {
            let known = result.entry(id.clone()).or_insert(mode);
            *known = mode.max(*known);
        }
    }
    result
}

/// Runs the step by itself; what it claims and is not so, or does and has not claimed. `old` is
/// what stood before the plan began: what it made itself is nobody else's yet.
async fn judge(session: &mut Connection, step: &Step, old: &BTreeSet<i64>) -> Vec<String> {
    if step.transaction.is_none() {
        session.execute(&step.sql).await.unwrap();
        return Vec::new();
    }
    let mut before = relations(session).await;
    before.retain(|oid, _| old.contains(oid));
    session.execute("begin").await.unwrap();
    session
        .execute(&step.sql)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{}", step.sql));
    let seen = locks(session, &before).await;
    let after = relations(session).await;
    session.execute("commit").await.unwrap();
    let claims: BTreeMap<Id, LockMode> = step
        .locks
        .iter()
        .map(|lock| (lock.on.clone(), lock.mode))
        .collect();
    let mut wrong = Vec::new();
    if seen != claims {
        wrong.push(format!("locks {seen:?}, claims {claims:?}"));
    }
    let rewritten: BTreeSet<Id> = before
        .iter()
        .filter(|(oid, (_, file))| after.get(oid).is_some_and(|(_, now)| now != file))
        .map(|(_, (id, _))| id.clone())
        .collect();
    let claims: BTreeSet<Id> = step.rewrites.iter().cloned().collect();
    if rewritten != claims {
        wrong.push(format!("rewrites {rewritten:?}, claims {claims:?}"));
    }
    wrong
}

async fn judge_pairs(corpus: &Path, label: &str) {
    let only = std::env::var("DEVDB_CORPUS_ONLY").unwrap_or_default();
    let mut folders: Vec<_> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .filter(|path| only.is_empty() || path.ends_with(&only))
        .collect();
    folders.sort();
    let template = TestDatabase::new(&format!("locks_{label}")).await;
    let mut session = template.connect().await;
    let extensions =
        "create extension vector; create extension pg_trgm; create extension btree_gist";
    session.execute(extensions).await.unwrap();
    session.close().await;
    let (mut steps, mut wrong) = (0, Vec::new());
    for folder in folders {
        let mut sides = Vec::new();
        for side in ["a", "b"] {
            let database = template.clone_as(&format!("locks_{label}_{side}")).await;
            let mut session = database.connect().await;
            let sql = std::fs::read_to_string(folder.join(format!("{side}.sql"))).unwrap();
            let mut loads = true;
            for transaction in sql.split("-- commit") {
                loads &= session.execute(transaction).await.is_ok();
            }
            if loads {
                sides.push((database, session));
            }
        }
        // A pair for another version of the server.
        let [(_a, a), (_b, b)] = sides.as_mut_slice() else {
            continue;
        };
        let (from, to) = (
            schema::read(a).await.unwrap(),
            schema::read(b).await.unwrap(),
        );
        a.execute("set check_function_bodies = off").await.unwrap();
        let old: BTreeSet<i64> = relations(a).await.into_keys().collect();
        for step in &schema::plan(&from, &to).steps {
            steps += 1;
            for why in judge(a, step, &old).await {
                let name = folder.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!("{name}: {}\n    {why}", step.sql));
            }
        }
    }
    println!("{steps} steps");
    assert!(
        wrong.is_empty(),
        "{} of {steps} steps:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(steps > 50 || !only.is_empty());
}

#[tokio::test]
async fn steps_of_the_shared_corpus_lock_and_rewrite_what_they_say() {
    let corpus = std::env::var_os("DEVDB_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        Into::into,
    );
    judge_pairs(&corpus, "shared").await;
}

#[tokio::test]
async fn steps_of_our_own_corpus_lock_and_rewrite_what_they_say() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    judge_pairs(&corpus, "own").await;
}

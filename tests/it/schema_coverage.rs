//! `docs/coverage.md` beside `pg_catalog`, the queries, and the corpora.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use devdb::postgres::{Connection, Row};
use devdb::schema::Kind;

/// One row of the first table: a catalog that is read.
struct Catalog {
    kinds: Vec<String>,
    /// Columns that stand in a query.
    read: Vec<String>,
    /// Those and the ones that are said otherwise, or are no property.
    columns: BTreeSet<String>,
    pairs: Vec<String>,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The catalogs that are read, and the names of those that are not.
fn page() -> (BTreeMap<String, Catalog>, BTreeSet<String>) {
    let text = std::fs::read_to_string(root("docs/coverage.md")).unwrap();
    let (mut read, mut left) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines().filter(|line| line.starts_with("| `pg_")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`').to_owned();
        match cells[..] {
            [_, _, kinds, columns, rest, pairs, _] => {
                let list = |text: &str| text.split(", ").map(str::to_owned).collect();
                let catalog = Catalog {
                    kinds: list(kinds),
                    read: quoted(columns),
                    columns: quoted(columns).into_iter().chain(quoted(rest)).collect(),
                    pairs: list(pairs),
                };
                read.insert(name, catalog);
            }
            _ => {
                left.insert(name);
            }
        }
    }
    (read, left)
}

/// Every catalog of the server, and every column of those that are read, stands on the page.
pub async fn ensure_listed(session: &mut Connection) {
    let (read, left) = page();
    let rows = session
        .fetch(
            "select c.relname::text, a.attname::text from pg_catalog.pg_class c \
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             where c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace and c.relkind = 'r'",
            &[],
        )
        .await
        .unwrap();
    assert!(rows.len() > 400, "{} columns", rows.len());
    let mut unknown = BTreeSet::new();
    for row in rows {
        let (catalog, column): (String, String) = (row.get(0), row.get(1));
        match read.get(&catalog) {
            Some(known) if known.columns.contains(&column) => {}
            None if left.contains(&catalog) => {}
            _ => {
                unknown.insert(format!("{catalog}.{column}"));
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new(), "not in docs/coverage.md");
}

#[test]
fn the_page_of_what_is_covered_is_true() {
    let (read, _) = page();
    let mut queries = String::new();
    for entry in std::fs::read_dir(root("src/schema/read")).unwrap() {
        queries.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = queries.split(|c| !is_word(c)).collect();
    let kinds: BTreeSet<&str> = read
        .values()
        .flat_map(|catalog| catalog.kinds.iter().map(String::as_str))
        .collect();
    for (name, catalog) in &read {
        for column in &catalog.read {
            assert!(words.contains(&**column), "{name}.{column} is in no query");
        }
        for pair in &catalog.pairs {
            let corpora = ["tests/corpus", "../shared/corpus"];
            let stands = |corpus: &&str| root(corpus).join(pair).join("b.sql").is_file();
            assert!(corpora.iter().any(stands), "{name}: no pair {pair}");
        }
    }
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Role) {
        assert!(kinds.contains(kind.name()), "no row speaks of {kind:?}");
    }
}

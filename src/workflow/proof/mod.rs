//! What a proof needs besides schemas: rows in every table that can have some, and whether they
//! are still the same afterwards.

mod values;

use std::collections::BTreeMap;

use crate::databases::Workshop;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::{self, Connection, Row, error_from, quote_ident, quote_literal};
use crate::schema::{self, HazardKind, Id, Kind, Object, Plan, Rename, Schema, Transaction};

use values::Types;

/// How many rows each table gets.
const ROWS: usize = 3;

/// Puts rows into the tables of a database that is `schema`; a table whose rules no made-up row
/// meets stays as it is.
pub async fn fill(connection: &mut Connection, schema: &Schema) -> Result<()> {
    let types = Types::of(schema);
    let tables = schema
        .objects()
        .filter(|o| o.id.kind() == Kind::Table && o.get("form") != "foreign");
    let rows: Vec<Vec<String>> = tables
        .flat_map(|table| {
            let columns: Vec<&Object> = columns(schema, &table.id).collect();
            (1..=ROWS).map(move |n| (table, columns.clone(), n))
        })
        .map(|(table, columns, n)| inserts(schema, &types, table, &columns, n))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(&rows)
        .map_err(|e| Error::failed(format!("cannot write down the rows: {e}")))?;
    // The first statement for each row that works; and once more for those that waited for others.
    connection
        .execute(&format!(
            "do $fill$
declare todo jsonb := {rows}; rest jsonb; ways jsonb; way text; done boolean;
begin
  set constraints all immediate;
  loop
    rest := '[]';
    for ways in select value from jsonb_array_elements(todo) loop
      done := false;
      for way in select value from jsonb_array_elements_text(ways) loop
        begin
          execute way;
          done := true;
          exit;
        exception when others then null;
        end;
      end loop;
      if not done then rest := rest || jsonb_build_array(ways); end if;
    end loop;
    exit when jsonb_array_length(rest) in (0, jsonb_array_length(todo));
    todo := rest;
  end loop;
end $fill$",
            rows = quote_literal(&rows)
        ))
        .await
        .map_err(|e| e.context("cannot make up rows for the proof"))
}

/// The columns of a table, in the order of their names.
fn columns<'a>(schema: &'a Schema, table: &Id) -> impl Iterator<Item = &'a Object> {
    schema.parts(table, Kind::Column)
}

/// Ways to insert one row: everything given, what has a default left to it, only what must be.
fn inserts(
    schema: &Schema,
    types: &Types,
    table: &Object,
    columns: &[&Object],
    n: usize,
) -> Vec<String> {
    let has_default = |c: &Object| {
        c.text("identity").is_some() || schema.contains(&c.id.beside(Kind::Default, c.id.part()))
    };
    let own = columns
        .iter()
        .filter(|c| c.text("expression").is_none() && c.text("identity") != Some("ALWAYS"));
    let own: Vec<&&Object> = own.collect();
    let ways: [&dyn Fn(&Object) -> bool; 3] = [&|_| true, &|c| !has_default(c), &|c| {
        !has_default(c) && c.flag("not_null")
    }];
    let mut result: Vec<String> = Vec::new();
    for given in ways {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for column in own.iter().filter(|c| given(c)) {
            if let Some(value) = types.value(column.get("type"), n) {
                names.push(quote_ident(column.id.part()));
                values.push(value);
            }
        }
        let path = table.id.path();
        let sql = match names.is_empty() {
            true => format!("insert into {path} default values"),
            false => format!(
                "insert into {path} ({}) values ({})",
                names.join(", "),
                values.join(", ")
            ),
        };
        if !result.contains(&sql) {
            result.push(sql);
        }
    }
    result
}

/// Number of rows and their hash, by table as it is called in the wanted schema.
pub type Fingerprints = BTreeMap<Id, (i64, String)>;

/// What has to outlive a plan: the columns that stand on both sides with the same type.
pub struct Survivors {
    tables: Vec<Survivor>,
}

struct Survivor {
    before: Side,
    after: Side,
}

struct Side {
    table: Id,
    /// With or without the rows of other tables below it.
    only: bool,
    columns: Vec<String>,
}

/// Which side of the plan the database is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

impl Survivors {
    /// `from` is the schema after the renames. What the plan says to lose is left out.
    pub fn of(renames: &[Rename], from: &Schema, to: &Schema, plan: &Plan) -> Self {
        let lost: Vec<&Id> = plan
            .hazards()
            .filter(|(_, hazard)| hazard.kind == HazardKind::DataLoss)
            .map(|(step, _)| &step.object)
            .collect();
        let mut remade = changed_types(from, to);
        let values = renames.iter().filter(|rename| rename.value.is_some());
        remade.extend(values.map(|rename| rename.to.clone()));
        let tables = from
            .objects()
            .filter(|o| o.id.kind() == Kind::Table && !lost.contains(&&o.id))
            .filter_map(|old| {
                let new = to.get(&old.id)?;
                let only = |table: &Object| match table.get("form") {
                    "plain" if table.text("partition_bound").is_none() => Some(true),
                    "partitioned" if table.text("partition_bound").is_none() => Some(false),
                    // The rows of a partition may move to another one.
                    _ => None,
                };
                let (before, after) = (only(old)?, only(new)?);
                let kept: Vec<&Object> = columns(from, &old.id)
                    .filter(|c| !lost.contains(&&c.id) && !remade.iter().any(|t| c.needs_id(t)))
                    .filter(|c| {
                        to.get(&c.id).is_some_and(|new| {
                            new.text("type") == c.text("type")
                                && new.text("expression").is_none()
                                && c.text("expression").is_none()
                        })
                    })
                    .collect();
                let named = |name: &dyn Fn(&Id) -> Id| {
                    let parts = kept.iter().map(|c| name(&c.id).part().to_owned());
                    parts.collect::<Vec<String>>()
                };
                Some(Survivor {
                    before: Side {
                        table: schema::name_before(renames, &old.id),
                        only: before,
                        columns: named(&|id| schema::name_before(renames, id)),
                    },
                    after: Side {
                        table: old.id.clone(),
                        only: after,
                        columns: named(&Id::clone),
                    },
                })
            })
            .collect();
        Survivors { tables }
    }

    /// The present fingerprint of every table.
    pub async fn fingerprints(
        &self,
        connection: &mut Connection,
        moment: Moment,
    ) -> Result<Fingerprints> {
        // Texts of values must not depend on where the session's search path has been left.
        connection.execute("set search_path = ''").await?;
        let mut found = Fingerprints::new();
        for group in self.tables.chunks(100) {
            let queries: Vec<String> = group
                .iter()
                .enumerate()
                .map(|(at, survivor)| match moment {
                    Moment::Before => query(at, &survivor.before),
                    Moment::After => query(at, &survivor.after),
                })
                .collect();
            for row in connection.fetch(&queries.join(" union all "), &[]).await? {
                let at: i32 = row.try_get(0).map_err(error_from)?;
                let count: i64 = row.try_get(1).map_err(error_from)?;
                let hash: Option<String> = row.try_get(2).map_err(error_from)?;
                let table = group[at as usize].after.table.clone();
                found.insert(table, (count, hash.unwrap_or_default()));
            }
        }
        connection.execute("reset search_path").await?;
        Ok(found)
    }
}

fn query(at: usize, side: &Side) -> String {
    let values: Vec<String> = side.columns.iter().map(|name| quote_ident(name)).collect();
    let only = if side.only { "only " } else { "" };
    format!(
        "select {at}, pg_catalog.count(*), pg_catalog.md5(pg_catalog.string_agg(h, '' order by h)) \
         from (select pg_catalog.md5(row({})::text) as h from {only}{}) rows",
        values.join(", "),
        side.table.path()
    )
}

/// Types whose values may look another way afterwards.
fn changed_types(from: &Schema, to: &Schema) -> Vec<Id> {
    let parts = |schema: &Schema, id: &Id| -> Vec<(Id, String)> {
        let attributes = schema.parts(id, Kind::Attribute);
        attributes
            .map(|a| (a.id.clone(), a.get("type").to_owned()))
            .collect()
    };
    from.objects()
        .filter(|o| matches!(o.id.kind(), Kind::Domain | Kind::Composite | Kind::Range))
        .filter(|o| {
            to.get(&o.id).is_some_and(|new| {
                new.text("type") != o.text("type") || parts(from, &o.id) != parts(to, &o.id)
            })
        })
        .map(|o| o.id.clone())
        .collect()
}

/// # Errors
/// `Unproved`, naming the tables that lost rows or have other ones.
pub fn ensure_same(before: &Fingerprints, after: &Fingerprints, when: &str) -> Result<()> {
    let differ: Vec<String> = before
        .iter()
        .filter_map(|(table, (count, hash))| match after.get(table) {
            Some((n, other)) if n == count && other == hash => None,
            Some((n, _)) if n == count => Some(format!("{table}: other values in its {n} rows")),
            Some((n, _)) => Some(format!("{table}: {n} rows, {count} before")),
            None => Some(format!("{table}: gone")),
        })
        .collect();
    match differ.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Unproved,
            format!("{when} rows that should have stayed are not the same"),
        )
        .detail(differ.join("\n"))),
    }
}

/// Runs a plan as it would be run, one transaction after the other.
pub async fn run(connection: &mut Connection, plan: &Plan, what: &str) -> Result<()> {
    for transaction in plan.transactions() {
        run_one(connection, &transaction, what).await?;
    }
    Ok(())
}

/// Runs one transaction of a plan.
///
/// # Errors
/// `Unproved`, with what Postgres says.
pub async fn run_one(
    connection: &mut Connection,
    transaction: &Transaction,
    what: &str,
) -> Result<()> {
    let sql = transaction.to_sql();
    let done = match transaction.transactional {
        true => connection.execute_transaction(&sql).await,
        false => connection.execute(&sql).await,
    };
    done.map_err(|e| {
        e.with_kind(ErrorKind::Unproved)
            .context(format_args!("{what} does not apply on a clone"))
    })
}

/// Whether a definition that differs has a text that Postgres prints in another way once it has
/// read it: `varchar IN (…)` in a check, an index, a default or a view.
pub fn may_print_otherwise(from: &Schema, to: &Schema) -> bool {
    let unsettled = |object: &Object| {
        let text = |name| {
            object
                .text(name)
                .is_some_and(|t| t.contains("::character varying"))
        };
        text("definition") || text("expression")
    };
    to.objects().any(|new| {
        unsettled(new)
            && from.get(&new.id).is_none_or(|old| {
                old.text("definition") != new.text("definition")
                    || old.text("expression") != new.text("expression")
            })
    })
}

/// The schema as it reads once its text went through a server.
pub async fn printed_again(
    workshop: &mut Workshop,
    purpose: &str,
    schema: Schema,
) -> Result<Schema> {
    let scratch = workshop.make(purpose, "template0").await?;
    let mut connection = postgres::connect(&scratch.target).await?;
    let result = async {
        let empty = schema::read(&mut connection).await?;
        run(
            &mut connection,
            &schema::plan(&empty, &schema),
            "the wanted schema",
        )
        .await?;
        schema::read(&mut connection).await
    }
    .await;
    connection.close().await;
    Ok(schema.printed_as(result?))
}

/// Whether the plan may fail because of the rows that were made up, and did.
pub fn is_about_rows(error: &Error, plan: &Plan) -> bool {
    let class = error.sqlstate().and_then(|code| code.get(..2));
    let depends = |(_, hazard): (_, &schema::Hazard)| hazard.kind == HazardKind::DependsOnRows;
    matches!(class, Some("22" | "23")) && plan.hazards().any(depends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_went_or_changed_are_named() {
        let table = |name: &str| Id::new(Kind::Table, "public", name, "");
        let prints = |list: &[(&str, i64, &str)]| -> Fingerprints {
            let entries = list.iter();
            entries
                .map(|(name, count, hash)| (table(name), (*count, (*hash).to_owned())))
                .collect()
        };
        let before = prints(&[("a", 3, "x"), ("b", 3, "y"), ("c", 0, "")]);
        assert!(ensure_same(&before, &before, "after the plan").is_ok());
        let after = prints(&[("a", 3, "z"), ("b", 2, "y"), ("c", 0, "")]);
        let error = ensure_same(&before, &after, "after the plan").unwrap_err();
        assert_eq!(
            error.detail_text().unwrap(),
            "table public.a: other values in its 3 rows\ntable public.b: 2 rows, 3 before"
        );
    }
}

//! `devdb reset --verify`: nobody has to believe a short cut.

use std::collections::BTreeMap;

use crate::databases::{Scratch, ServerWide};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::{self, Connection, Row, Target, error_from, quote_ident};
use crate::schema::{self, Kind, Schema};

use super::bench::Bench;
use super::compare::{lines, read_project};
use super::{Context, baseline, provision, ready};

/// Rows of each table, and a sum over the values of each of its columns.
type Values = BTreeMap<String, (i64, BTreeMap<String, String>)>;

/// Everything that is compared.
struct State {
    server: ServerWide,
    schema: Schema,
    values: Values,
}

/// Replays the chain, up to `to`, from nothing on a server of its own, and compares what that
/// gives with the dev database: server-wide state, schema and rows. Gives what two such replays do
/// not agree about, and what cannot be compared therefore.
///
/// # Errors
/// `Differs`, with everything that is not the same.
pub(super) async fn verify(
    context: &Context,
    dev: &Target,
    to: Option<&str>,
) -> Result<Vec<String>> {
    let here = state(context, dev).await?;
    let mut bench = Bench::on_own_server(context).await?;
    let result = async {
        let first = replay(&mut bench, "first", to).await?;
        let there = state(&bench.context, &first.target).await?;
        let mut differ = here.server.differences_but_passwords(&there.server);
        differ.extend(lines(&schema::diff(&here.schema, &there.schema)));
        let mut random = Vec::new();
        let values = differences(&here.values, &there.values);
        if !values.is_empty() {
            // Whatever is drawn or read from the clock differs between any two replays.
            let second = replay(&mut bench, "second", to).await?;
            let again = state(&bench.context, &second.target).await?;
            random = differences(&there.values, &again.values);
            differ.extend(values.into_iter().filter(|line| !random.contains(line)));
        }
        match differ.is_empty() {
            true => Ok(random),
            false => Err(Error::new(
                ErrorKind::Differs,
                "the dev database is not what a wiped server and a full replay give",
            )
            .detail(differ.join("\n"))
            .hint("`devdb reset --full` gives that; please report this as a bug of devdb's")),
        }
    }
    .await;
    bench.close().await?;
    result
}

/// The whole chain from the base, under the dev database's name, and then out of the way.
async fn replay(bench: &mut Bench, purpose: &str, to: Option<&str>) -> Result<Scratch> {
    let context = &bench.context;
    let mut tool = context.tool()?;
    let base = provision::base(context, bench.workshop.connection()).await?;
    let scratch = bench.workshop.make(purpose, &base).await?;
    let dev = context.dev(&scratch.target);
    let on = bench.workshop.connection();
    postgres::database::rename(on, &scratch.name, &dev.database).await?;
    ready::apply(context, &mut tool, &dev, to).await?;
    let on = bench.workshop.connection();
    postgres::database::rename(on, &dev.database, &scratch.name).await?;
    Ok(scratch)
}

async fn state(context: &Context, target: &Target) -> Result<State> {
    let mut connection = postgres::connect(target).await?;
    let result = async {
        let schema = read_project(context, &mut connection).await?;
        Ok(State {
            server: baseline::server_wide(context, &mut connection).await?,
            values: values(&mut connection, &schema).await?,
            schema,
        })
    }
    .await;
    connection.close().await;
    result
}

async fn values(connection: &mut Connection, schema: &Schema) -> Result<Values> {
    // Texts of values must not depend on the session.
    connection.execute("set search_path = ''").await?;
    let tables = schema.objects().filter(|o| {
        o.id.kind() == Kind::Table && o.get("form") == "plain"
            || o.id.kind() == Kind::MaterializedView
    });
    let mut all = Values::new();
    for table in tables {
        let columns: Vec<&str> = schema
            .parts(&table.id, Kind::Column)
            .map(|column| column.id.part())
            .collect();
        let sums: Vec<String> = columns
            .iter()
            .map(|column| {
                format!(
                    "coalesce(pg_catalog.sum(pg_catalog.hashtextextended({}::text, 0)), 0)::text",
                    quote_ident(column)
                )
            })
            .collect();
        let sql = format!(
            "select pg_catalog.count(*), array[{}]::text[] from only {}",
            sums.join(", "),
            table.id.path()
        );
        let rows = connection.fetch(&sql, &[]).await?;
        let Some(row) = rows.first() else { continue };
        let count: i64 = row.try_get(0).map_err(error_from)?;
        let sums: Vec<String> = row.try_get(1).map_err(error_from)?;
        let by_column = columns.iter().map(|c| c.to_string()).zip(sums).collect();
        all.insert(table.id.to_string(), (count, by_column));
    }
    connection.execute("reset search_path").await?;
    Ok(all)
}

/// The same text for the same place, so that two lists can be compared.
fn differences(a: &Values, b: &Values) -> Vec<String> {
    let mut found = Vec::new();
    for (table, (count, columns)) in a {
        // A table that is only in one of them differs in the schema already.
        let Some((other_count, others)) = b.get(table) else {
            continue;
        };
        if count != other_count {
            found.push(format!("{table}: the number of rows"));
        }
        for (column, sum) in columns {
            if others.get(column).is_some_and(|other| other != sum) {
                found.push(format!("{table}: the values of {column}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_are_named_by_table_and_column() {
        let of = |count: i64, a: &str, b: &str| -> Values {
            let columns = [("a", a), ("b", b)];
            let columns = columns.map(|(name, sum)| (name.to_owned(), sum.to_owned()));
            [("table t".to_owned(), (count, columns.into()))].into()
        };
        assert!(differences(&of(1, "x", "y"), &of(1, "x", "y")).is_empty());
        assert_eq!(
            differences(&of(1, "x", "y"), &of(2, "x", "z")),
            ["table t: the number of rows", "table t: the values of b"]
        );
    }
}

//! How many rows a plan's data loss is about, counted in the database that it would happen to.

use crate::config::Target;
use crate::error::Result;
use crate::postgres::{self, Connection, quote_ident};
use crate::schema::{HazardKind, Id, Kind, Plan, Rename, name_before};

/// A table that takes longer to count is estimated.
const PATIENCE: &str = "set statement_timeout = '2s'";

/// Adds the number of rows to every hazard that destroys some. Only reads; what cannot be counted
/// stays as it is. `renames` are those that the plan begins with.
///
/// # Errors
/// What connecting gives.
pub async fn count(target: &Target, renames: &[Rename], plan: &mut Plan) -> Result<()> {
    let destroys = |kind| kind == HazardKind::DataLoss;
    if !plan.hazards().any(|(_, hazard)| destroys(hazard.kind)) {
        return Ok(());
    }
    let mut connection = postgres::connect(target).await?;
    connection.execute(PATIENCE).await?;
    for step in &mut plan.steps {
        let id = name_before(renames, &step.object);
        for hazard in step.hazards.iter_mut().filter(|h| destroys(h.kind)) {
            hazard.rows = rows(&mut connection, &id).await;
        }
    }
    connection.close().await;
    Ok(())
}

async fn rows(connection: &mut Connection, id: &Id) -> Option<u64> {
    let table = id.beside(Kind::Table, "").path();
    let counted = match id.kind() {
        Kind::Table => "*".to_owned(),
        Kind::Column => quote_ident(id.part()),
        _ => return None,
    };
    let exact = format!("select pg_catalog.count({counted}) from {table}");
    let estimate = "select greatest(reltuples, 0)::int8 from pg_catalog.pg_class \
         where oid = pg_catalog.to_regclass($1)";
    let found = match connection.fetch_value::<i64>(&exact, &[]).await {
        Ok(found) => found,
        // 57014: it took too long.
        Err(error) if error.sqlstate() == Some("57014") => {
            connection.fetch_value(estimate, &[&table]).await.ok()?
        }
        Err(_) => None,
    };
    found.and_then(|n| u64::try_from(n).ok())
}

//! `devdb schema dump`: a schema as text that is the same for the same schema.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Result;
use crate::schema;

use super::super::Context;
use super::{Desk, Filter, Side};

/// The statements that make a schema from nothing.
#[derive(Debug, Serialize)]
pub struct Dump {
    /// Everything, in an order that works.
    pub sql: String,
    /// The same in parts: by schema and kind of object, `public/tables.sql`.
    pub files: BTreeMap<String, String>,
    /// What devdb does not model, by name.
    pub unmodelled: Vec<String>,
}

/// The canonical text of one side: the same schema gives the same bytes.
pub async fn dump(context: &Context, side: &Side, filter: &Filter) -> Result<Dump> {
    let mut desk = Desk::new(context);
    let result = async {
        let (schema, empty) = desk.read_both(side, &Side::Empty).await?;
        let schema = filter.apply(schema);
        let plan = schema::plan(&empty, &schema);
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let mut sql = String::new();
        // Roles are the server's: whether this one has them does not count.
        let steps = plan.steps.iter();
        for step in steps.filter(|step| step.object.kind() != schema::Kind::Role) {
            // Hazards are about changing a database, not about what a schema is.
            let statement = format!("{};\n", step.sql);
            let folder = match step.object.schema() {
                "" => "database",
                name => name,
            };
            let name = format!(
                "{}/{}.sql",
                folder.replace('/', "_"),
                step.object.kind().name().replace(' ', "_")
            );
            files.entry(name).or_default().push_str(&statement);
            sql.push_str(&statement);
        }
        let unmodelled = schema.unmodelled.iter().map(ToString::to_string).collect();
        Ok(Dump {
            sql,
            files,
            unmodelled,
        })
    }
    .await;
    desk.close().await?;
    result
}

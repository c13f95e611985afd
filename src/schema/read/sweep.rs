//! What stands in the database and no query read, by name: nothing is left out in silence.

use crate::error::Result;
use crate::postgres::Connection;

use super::super::model::Unmodelled;
use super::address::Addresses;
use super::members;

/// Everything that the catalog knows of and that is no object, no part of one, not Postgres's and
/// not an extension's. New kinds of a new server version show up here by themselves.
pub(super) async fn read(
    connection: &mut Connection,
    addresses: &Addresses,
) -> Result<Vec<Unmodelled>> {
    let unknown = addresses.unknown();
    let pairs: Vec<String> = unknown
        .iter()
        .map(|(class, oid)| format!("({class}::oid, {oid}::oid)"))
        .collect();
    let mut parts = vec![
        "select 'security label' as kind, pg_catalog.concat_ws(' ', i.type, i.identity) as name \
           from pg_catalog.pg_seclabel l, lateral pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i"
            .to_owned(),
        format!("select kind, name from ({}) members", members::query()),
    ];
    if !pairs.is_empty() {
        parts.push(format!(
            "select i.type, i.identity from (values {}) v(class, oid), \
               lateral pg_catalog.pg_identify_object(v.class, v.oid, 0) i \
             where i.identity is not null and coalesce(i.schema, '') !~ '^pg_(toast|temp)' \
               and i.identity !~ '^\"?pg_(toast|temp)'",
            pairs.join(", ")
        ));
    }
    let mut found = Vec::new();
    connection
        .for_each(&parts.join(" union all "), |columns, row| {
            found.push(Unmodelled {
                kind: columns.text(row, 0)?.into(),
                name: columns.text(row, 1)?.into(),
            });
            Ok(())
        })
        .await?;
    Ok(found)
}

//! The roles of a project that does not work as the owner of everything: one that migrates, one
//! that only reads and writes what the migrations make.

use crate::config::{Config, Role, RoleKind, ServerKind};
use crate::error::Result;
use crate::postgres::{Connection, quote_ident, quote_literal};

/// Makes them on the server of `on`; those that stand get the password of the settings.
pub(super) async fn ensure(config: &Config, on: &mut Connection) -> Result<()> {
    if config.server.kind == ServerKind::Url && !config.server.allow_reset {
        // Somebody else's to make.
        return Ok(());
    }
    let password = quote_literal(&config.database.password);
    for role in &config.roles {
        let (name, text) = (quote_ident(&role.name), quote_literal(&role.name));
        on.execute(&format!(
            "do $roles$ begin if not exists (select from pg_catalog.pg_roles where rolname = {text}) \
             then create role {name}; end if; end $roles$; alter role {name} login password {password}"
        ))
        .await
        .map_err(|e| e.context(format!("cannot make the role {} of [roles]", role.name)))?;
    }
    Ok(())
}

/// Gives them their rights in the database of `connection`, on what is there and on what comes.
pub(super) async fn grant(config: &Config, connection: &mut Connection) -> Result<()> {
    let of = |kind: RoleKind| config.roles.iter().filter(move |role| role.kind == kind);
    let database = quote_ident(&connection.target().database);
    let mut sql = String::new();
    for owner in of(RoleKind::Ddl) {
        let owner = quote_ident(&owner.name);
        sql.push_str(&format!(
            "alter database {database} owner to {owner}; grant all on schema public to {owner}; \
             grant all on all tables in schema public to {owner}; grant all on all sequences in schema public to {owner};"
        ));
        for user in of(RoleKind::Dml) {
            let user = quote_ident(&user.name);
            for grant in [
                "usage on schemas",
                "select, insert, update, delete on tables",
                "usage, select on sequences",
            ] {
                sql.push_str(&format!(
                    "alter default privileges for role {owner} grant {grant} to {user};"
                ));
            }
        }
    }
    for user in of(RoleKind::Dml) {
        let user = quote_ident(&user.name);
        sql.push_str(&format!(
            "grant usage on schema public to {user}; grant select, insert, update, delete on all tables in schema public to {user}; \
             grant usage, select on all sequences in schema public to {user};"
        ));
    }
    match sql.is_empty() {
        true => Ok(()),
        false => connection.execute(&sql).await,
    }
}

/// Their names.
pub(super) fn names(config: &Config) -> Vec<&str> {
    let roles = config.roles.iter();
    roles.map(|role: &Role| role.name.as_str()).collect()
}

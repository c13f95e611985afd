//! Roles. They are the server's, not the database's: none is altered or dropped here. But owners,
//! grants, policies and the like speak of them, and on another server they may not be there.

use std::collections::BTreeSet;

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::Rules;
use super::details::parse;

pub(in super::super) struct Roles;

impl Rules for Roles {
    /// No side has a role as an object; see [`missing`].
    fn create(&self, _: &Context, _: &Object) -> Vec<Step> {
        Vec::new()
    }
}

/// Makes the roles that `to` speaks of and that the server of `from` does not have: by name alone,
/// without attributes, members or passwords.
pub(in super::super) fn missing(from: &Schema, to: &Schema) -> Vec<Step> {
    // A schema that was not read knows no server.
    if from.roles.is_empty() {
        return Vec::new();
    }
    let wanted: BTreeSet<String> = to.objects().flat_map(roles_of).collect();
    let missing = wanted.iter().filter(|role| !from.roles.contains(*role));
    missing
        .map(|role| {
            // Another database of the server may have made it meanwhile.
            let sql = format!(
                "DO $$ BEGIN CREATE ROLE {}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
                text::ident(role)
            );
            let message = "needs CREATEROLE; the role gets neither a login nor a password";
            Step::create(&Id::new(Kind::Role, "", role, ""), sql)
                .hazard(HazardKind::Privilege, message)
        })
        .collect()
}

/// The roles that an object speaks of.
fn roles_of(object: &Object) -> Vec<String> {
    let mut roles: Vec<String> = object
        .text("owner")
        .map(str::to_owned)
        .into_iter()
        .collect();
    for grants in ["acl", "grants"] {
        roles.extend(parse(object.list(grants)).into_keys());
    }
    match object.id.kind() {
        Kind::Policy => roles.extend(object.list("roles").iter().cloned()),
        Kind::DefaultPrivileges => roles.push(object.id.name().to_owned()),
        Kind::UserMapping if object.id.part() != "PUBLIC" => {
            // Quoted already, where it has to be.
            let name = object.id.part();
            let bare = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
            roles.push(bare.map_or_else(|| name.to_owned(), |n| n.replace("\"\"", "\"")));
        }
        _ => {}
    }
    // The empty name is everybody; what begins with pg_ is Postgres's own.
    roles.retain(|role| !role.is_empty() && !role.starts_with("pg_"));
    roles
}

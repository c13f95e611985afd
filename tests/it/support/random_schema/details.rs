//! What can be said about anything: comments, owners, grants.

use super::{Model, Thing, literal, names};

const ROLES: &[&str] = &["public", "r_app", "pg_monitor", "\"Odd \"\"Role\""];

impl Model {
    /// `target` as COMMENT ON names it, one time in six.
    pub(super) fn comment(&self, thing: &Thing, target: &str) -> Option<String> {
        thing.chance("comment", 6).then(|| {
            let text = names::name(thing.value("comment text"));
            format!("comment on {target} is {}", literal(&text))
        })
    }

    pub(super) fn owner(&self, thing: &Thing, target: &str) -> Option<String> {
        thing
            .chance("owner", 8)
            .then(|| format!("alter {target} owner to r_app"))
    }

    pub(super) fn grants(&self, thing: &Thing, target: &str, privileges: &[&str]) -> Vec<String> {
        let mut statements = Vec::new();
        if thing.chance("grant", 6) {
            let privilege = thing.pick("privilege", privileges);
            let role = thing.pick("grantee", ROLES);
            let option = match *role != "public" && thing.chance("grant option", 3) {
                true => " with grant option",
                false => "",
            };
            statements.push(format!("grant {privilege} on {target} to {role}{option}"));
        }
        if thing.chance("revoke", 14) {
            let role = thing.pick("revoked", &["public", "postgres", "r_app"]);
            statements.push(format!("revoke all on {target} from {role}"));
        }
        statements
    }

    /// Comment, owner and grants.
    pub(super) fn details(
        &self,
        thing: &Thing,
        target: &str,
        grants: Option<(&str, &[&str])>,
    ) -> Vec<String> {
        let mut statements = Vec::new();
        statements.extend(self.comment(thing, target));
        statements.extend(self.owner(thing, target));
        if let Some((target, privileges)) = grants {
            statements.extend(self.grants(thing, target, privileges));
        }
        statements
    }
}

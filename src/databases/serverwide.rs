//! What a server has besides its databases' contents: roles, settings, tablespaces, other
//! databases. A clone of a database neither brings nor takes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Names;
use crate::error::Result;
use crate::postgres::{Connection, Row, error_from};

/// Everything of that kind: how it is called, with digests of its attributes and of its password. Empty on a server
/// that holds nothing but devdb's databases and the dev database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerWide(BTreeMap<String, (String, String)>);

/// A password is as the server keeps it: another one on each server, whatever it is. Superuser `10`
/// is devdb's own login.
const ALL: &str = "\
select 'role ' || rolname::text, pg_catalog.concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, \
    rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil, rolpassword is null, \
    pg_catalog.shobj_description(oid, 'pg_authid')), rolpassword \
  from pg_catalog.pg_authid where oid >= 16384 \
union all select 'membership of ' || m.member::pg_catalog.regrole::text || ' in ' || m.roleid::pg_catalog.regrole::text, \
    pg_catalog.string_agg((pg_catalog.to_jsonb(m) - 'oid')::text, ' ' order by m.grantor), null \
  from pg_catalog.pg_auth_members m where m.member >= 16384 or m.roleid >= 16384 or m.member = 10 group by m.member, m.roleid \
union all select 'setting of role ' || s.setrole::pg_catalog.regrole::text, s.setconfig::text, null \
  from pg_catalog.pg_db_role_setting s where s.setdatabase = 0 \
union all select 'tablespace ' || spcname::text, \
    pg_catalog.concat_ws(' ', spcowner::pg_catalog.regrole, spcacl, spcoptions, pg_catalog.pg_tablespace_location(oid)), null \
  from pg_catalog.pg_tablespace where oid >= 16384 \
union all select 'database ' || datname::text, null, null from pg_catalog.pg_database \
  where oid >= 16384 and datname <> $1 and not pg_catalog.starts_with(datname::text, $2) \
union all select 'setting of ALTER SYSTEM ' || name, setting, null from pg_catalog.pg_file_settings \
  where sourcefile like '%postgresql.auto.conf' and name is not null \
union all select 'replication slot ' || slot_name::text, null, null from pg_catalog.pg_replication_slots \
union all select 'grant on the setting ' || parname, paracl::text, null from pg_catalog.pg_parameter_acl";

impl ServerWide {
    /// Reads it. `dev` is the dev database.
    ///
    /// # Errors
    /// `Postgres`, for one, where the user is no superuser.
    pub async fn read(on: &mut Connection, names: &Names, dev: &str) -> Result<Self> {
        let rows = on.fetch(ALL, &[dev, &names.prefix()]).await?;
        let mut all = BTreeMap::new();
        for row in rows {
            let name: String = row.try_get(0).map_err(error_from)?;
            let attributes: Option<String> = row.try_get(1).map_err(error_from)?;
            let password: Option<String> = row.try_get(2).map_err(error_from)?;
            all.insert(name, (digest(attributes), digest(password)));
        }
        Ok(ServerWide(all))
    }

    /// Without roles that devdb makes on every server.
    pub fn without_roles(mut self, roles: &[&str]) -> Self {
        for role in roles {
            self.0.remove(&format!("role {role}"));
        }
        self
    }

    /// Whether all of `other` is in it, the same.
    pub fn contains(&self, other: &ServerWide) -> bool {
        other
            .0
            .iter()
            .all(|(name, digest)| self.0.get(name) == Some(digest))
    }

    /// Whether something in it has a content of its own, which the name says nothing about.
    pub fn has_content(&self) -> bool {
        let mut names = self.0.keys();
        names.any(|name| name.starts_with("database ") || name.starts_with("replication slot "))
    }

    /// What is in only one of the two, or different in them, for people.
    pub fn differences(&self, other: &ServerWide) -> Vec<String> {
        self.compare(other, |a, b| a == b)
    }

    /// The same between servers, where no two passwords look alike.
    pub fn differences_but_passwords(&self, other: &ServerWide) -> Vec<String> {
        self.compare(other, |a, b| a.0 == b.0)
    }

    fn compare(
        &self,
        other: &ServerWide,
        same: impl Fn(&(String, String), &(String, String)) -> bool,
    ) -> Vec<String> {
        let mut names: Vec<&String> = self.0.keys().chain(other.0.keys()).collect();
        names.sort();
        names.dedup();
        let differs = |name: &&String| match (self.0.get(*name), other.0.get(*name)) {
            (Some(a), Some(b)) => !same(a, b),
            _ => true,
        };
        names.into_iter().filter(differs).cloned().collect()
    }
}

/// Eight hex digits; none for nothing.
fn digest(text: Option<String>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    let digest = Sha256::digest(text);
    digest.iter().take(4).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let of = |all: &[(&str, &str)]| {
            ServerWide(
                all.iter()
                    .map(|(a, b)| (a.to_string(), (b.to_string(), String::new())))
                    .collect(),
            )
        };
        let less = of(&[("role a", "1")]);
        let more = of(&[("role a", "1"), ("role b", "2")]);
        let other = of(&[("role a", "9"), ("database x", "")]);
        assert!(more.contains(&less) && !less.contains(&more) && !other.contains(&less));
        assert_eq!(less.differences(&more), ["role b"]);
        assert_eq!(less.differences(&other), ["database x", "role a"]);
        assert!(other.has_content() && !more.has_content());
    }
}

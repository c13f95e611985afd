//! The base: what stands in the dev database before the first migration (extensions, the files that
//! run before, what a compose file's init scripts made). Scratch databases begin as its clones.

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::postgres::{Connection, Row, database, error_from, quote_ident, quote_literal};

use super::{Names, mark};

/// Decides whether a base that stands on a server is still the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseKey(String);

impl BaseKey {
    /// From everything that decides what the base holds, in order.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let hex: String = hash
            .finalize()
            .iter()
            .take(16)
            .map(|b| format!("{b:02x}"))
            .collect();
        BaseKey(format!("devdb base {hex}"))
    }

    /// What tells it from others.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The name of the project's base, where one with this key stands on the server.
pub async fn find_base(
    on: &mut Connection,
    names: &Names,
    key: &BaseKey,
) -> Result<Option<String>> {
    let name = names.base();
    let comment = database::comment_of(on, &name).await?;
    let mark = mark::first_line(comment.as_deref().unwrap_or_default());
    Ok((mark == key.0).then_some(name))
}

/// The finished [`Names::base_making`] becomes the project's base; an older one is dropped. Nobody
/// can connect to a base.
pub async fn keep_as_base(on: &mut Connection, names: &Names, key: &BaseKey) -> Result<String> {
    let name = names.base();
    database::drop(on, &name).await?;
    database::rename(on, &names.base_making(), &name).await?;
    on.execute(&database::allow_sql(&name, false)).await?;
    // The mark comes last: a base without it is never used.
    mark::write(on, &name, &key.0).await?;
    Ok(name)
}

/// Drops every database of the project but the dev database.
pub async fn drop_all(on: &mut Connection, names: &Names) -> Result<()> {
    for name in database::beginning_with(on, &names.prefix()).await? {
        database::drop(on, &name).await?;
    }
    Ok(())
}

/// `CREATE DATABASE … TEMPLATE`, and then what that does not copy: owner, grants, the limit of
/// connections, what the project says in the comment, and settings made by `ALTER DATABASE … SET`,
/// for all roles or for one.
pub async fn clone_from(on: &mut Connection, name: &str, template: &str) -> Result<()> {
    database::clone(on, name, template).await?;
    copy_surroundings(on, name, template).await
}

/// What `CREATE DATABASE … TEMPLATE` does not copy.
pub(super) async fn copy_surroundings(
    on: &mut Connection,
    name: &str,
    template: &str,
) -> Result<()> {
    copy_attributes(on, name, template).await?;
    let rows = on
        .fetch(
            "select r.rolname::text, pg_catalog.split_part(s.setting, '=', 1), \
                    pg_catalog.substr(s.setting, pg_catalog.strpos(s.setting, '=') + 1) \
             from pg_catalog.pg_db_role_setting d \
             join pg_catalog.pg_database b on b.oid = d.setdatabase \
             left join pg_catalog.pg_roles r on r.oid = d.setrole, \
             pg_catalog.unnest(d.setconfig) s(setting) \
             where b.datname = $1 and (d.setrole = 0 or r.rolname is not null)",
            &[template],
        )
        .await?;
    for row in rows {
        let role: Option<String> = row.try_get(0).map_err(error_from)?;
        let setting: String = row.try_get(1).map_err(error_from)?;
        let value: String = row.try_get(2).map_err(error_from)?;
        let statement = match role {
            Some(role) => format!("alter role {} in database", quote_ident(&role)),
            None => "alter database".to_owned(),
        };
        on.execute(&format!(
            "{statement} {} set {} to {}",
            quote_ident(name),
            quote_ident(&setting),
            setting_value(&setting, &value)
        ))
        .await?;
    }
    Ok(())
}

/// The grantee of 0 is everybody. Postgres' own templates grant less than a database of its own does.
async fn copy_attributes(on: &mut Connection, name: &str, template: &str) -> Result<()> {
    let own = mark::own("pg_catalog.shobj_description(d.oid, 'pg_database')");
    let statements = format!(
        "select pg_catalog.concat_ws(';', \
               case when datdba <> me.oid then pg_catalog.format('alter database %I owner to %I', $2, o.rolname) end, \
               case when datconnlimit <> -1 then pg_catalog.format('alter database %I connection limit %s', $2, datconnlimit) end, \
               case when datacl is not null then pg_catalog.format('revoke all on database %I from public, %I;', $2, o.rolname) \
                 || (select pg_catalog.string_agg(pg_catalog.format('grant %s on database %I to %s%s', a.privilege_type, $2, \
                       case a.grantee when 0 then 'public' else pg_catalog.quote_ident(g.rolname) end, \
                       case when a.is_grantable then ' with grant option' else '' end), ';') \
                     from pg_catalog.aclexplode(datacl) a left join pg_catalog.pg_roles g on g.oid = a.grantee \
                     where a.grantee = 0 or g.oid is not null) end, \
               'comment on database ' || pg_catalog.quote_ident($2) || ' is ' || pg_catalog.quote_literal({own})) \
             from pg_catalog.pg_database d join pg_catalog.pg_roles o on o.oid = d.datdba \
             join pg_catalog.pg_roles me on me.rolname = current_user \
             where datname = $1 and datname not in ('template0', 'template1', 'postgres')"
    );
    let statements: Option<Option<String>> = on.fetch_value(&statements, &[template, name]).await?;
    match statements.flatten() {
        Some(sql) if !sql.is_empty() => on.execute(&sql).await,
        _ => Ok(()),
    }
}

/// Settings that are lists of names are stored as SQL already; everything else is one literal.
/// The list is `GUC_LIST_QUOTE` of the server's guc_tables.c, as in pg_dump's `variable_is_guc_list_quote`.
fn setting_value(setting: &str, value: &str) -> String {
    const LISTS: &[&str] = &[
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    match LISTS.contains(&setting) && !value.is_empty() {
        true => value.to_owned(),
        false => quote_literal(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_apart_what_is_cut_differently() {
        let key = |parts: &[&str]| BaseKey::new(parts.iter().map(|p| p.as_bytes()));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
    }
}

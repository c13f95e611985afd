//! Publications and default privileges.

use super::super::model::Kind;
use super::{Query, class, sql};

pub(super) fn queries(version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::Publication, class::PUBLICATION, publications(version)),
        query(
            Kind::DefaultPrivileges,
            class::DEFAULT_ACL,
            default_privileges(),
        ),
    ]
}

fn publications(version: u32) -> String {
    let generated = if version >= 180_000 {
        "case p.pubgencols when 's' then 'stored' end"
    } else {
        "null::text"
    };
    format!(
        "select p.oid::int8, 0, ''::text, p.pubname::text, ''::text, \
           p.puballtables as all_tables, \
           pg_catalog.concat_ws(', ', case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end, \
             case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end) as publish, \
           p.pubviaroot as via_root, {generated} as generated_columns, \
           array(select pg_catalog.format('TABLE ONLY %I.%I', n.nspname, c.relname) \
               || case when r.prattrs is not null then ' (' || (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum) \
                    from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum = any (r.prattrs::pg_catalog.int2[])) || ')' else '' end \
               || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, c.oid) || ')', '') \
             from pg_catalog.pg_publication_rel r join pg_catalog.pg_class c on c.oid = r.prrelid \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace where r.prpubid = p.oid order by 1) as tables, \
           array(select pg_catalog.format('%I', n.nspname) from pg_catalog.pg_publication_namespace s \
             join pg_catalog.pg_namespace n on n.oid = s.pnnspid where s.pnpubid = p.oid order by 1) as schemas, \
           {owner} \
         from pg_catalog.pg_publication p where {own}",
        owner = sql::owner("p.pubowner"),
        own = sql::own("pg_publication", "p.oid"),
    )
}

/// Privileges by default: everywhere they replace the built-in ones, in a schema they add to them.
fn default_privileges() -> String {
    format!(
        "select d.oid::int8, 0, coalesce(n.nspname::text, ''), pg_catalog.pg_get_userbyid(d.defaclrole)::text, \
           case d.defaclobjtype when 'r' then 'TABLES' when 'S' then 'SEQUENCES' when 'f' then 'FUNCTIONS' \
             when 'T' then 'TYPES' when 'n' then 'SCHEMAS' else 'LARGE OBJECTS' end, \
           {acl} as grants, \
           case when d.defaclnamespace = 0 then {builtin} end as _builtin \
         from pg_catalog.pg_default_acl d \
         left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace",
        acl = sql::acl_list("d.defaclacl"),
        builtin = sql::acl_list(
            "pg_catalog.acldefault(case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end, d.defaclrole)"
        ),
    )
}

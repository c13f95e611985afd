//! Publications, subscriptions and default privileges.

use super::super::model::Kind;
use super::{Query, class, sql};

pub(super) fn queries(version: u32, sees_connections: bool) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::Publication, class::PUBLICATION, publications(version)),
        query(
            Kind::Subscription,
            class::SUBSCRIPTION,
            subscriptions(version, sees_connections),
        ),
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

/// A connection string without what is secret in it, taken out before it leaves the server.
fn open_connection() -> String {
    let secret = "(password|sslpassword|oauth_client_secret|scram_client_key|scram_server_key)";
    format!(
        r"case when s.subconninfo ~ '^postgres(ql)?://'
          then pg_catalog.regexp_replace(pg_catalog.regexp_replace(s.subconninfo, '(://[^:/@]*):[^@]*@', '\1@'),
            '\m{secret}=[^&]*&?', '', 'g')
          else pg_catalog.btrim(pg_catalog.regexp_replace(s.subconninfo,
            '\m{secret}\s*=\s*(''([^''\\]|\\.)*''|(\\.|\S)*)\s*', '', 'g')) end"
    )
}

/// Whether one is enabled is state, as its slot on the other server is: it is made disabled.
fn subscriptions(version: u32, sees_connections: bool) -> String {
    let since = |first: u32, expression: &'static str| {
        if version >= first {
            expression
        } else {
            "null::text"
        }
    };
    format!(
        "select s.oid::int8, 0, ''::text, s.subname::text, ''::text, \
           {connection} as connection, s.subpublications as publications, s.subslotname::text as slot_name, \
           s.subsynccommit as synchronous_commit, s.subbinary as binary, \
           case s.substream::text when 't' then 'on' when 'true' then 'on' when 'p' then 'parallel' end as streaming, \
           s.subtwophasestate <> 'd' as two_phase, s.subdisableonerr as disable_on_error, \
           {password} as no_password_required, {run_as} as run_as_owner, {failover} as failover, {origin} as origin, \
           s.subenabled as _enabled, {owner} \
         from pg_catalog.pg_subscription s \
         where s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())",
        connection = if sees_connections {
            open_connection()
        } else {
            "null::text".into()
        },
        password = since(
            160_000,
            "case when not s.subpasswordrequired then 'true' end"
        ),
        run_as = since(160_000, "case when s.subrunasowner then 'true' end"),
        failover = since(170_000, "case when s.subfailover then 'true' end"),
        origin = since(160_000, "nullif(s.suborigin, 'any')"),
        owner = sql::owner("s.subowner"),
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

//! What people did to the members of an extension, and grants that somebody else than the owner
//! gave. Neither is modelled: both are named.

/// Where grants stand: catalog, owner, grants, and what `acldefault` calls the kind.
const GRANTED: [(&str, &str, &str, &str); 7] = [
    (
        "pg_class",
        "relowner",
        "relacl",
        "case relkind when 'S' then 's' else 'r' end",
    ),
    ("pg_proc", "proowner", "proacl", "'f'"),
    ("pg_type", "typowner", "typacl", "'T'"),
    ("pg_namespace", "nspowner", "nspacl", "'n'"),
    ("pg_language", "lanowner", "lanacl", "'l'"),
    ("pg_foreign_data_wrapper", "fdwowner", "fdwacl", "'F'"),
    ("pg_foreign_server", "srvowner", "srvacl", "'S'"),
];

/// Catalogs with an owner and no grants.
const OWNED: [(&str, &str); 7] = [
    ("pg_operator", "oprowner"),
    ("pg_opclass", "opcowner"),
    ("pg_opfamily", "opfowner"),
    ("pg_collation", "collowner"),
    ("pg_conversion", "conowner"),
    ("pg_ts_dict", "dictowner"),
    ("pg_ts_config", "cfgowner"),
];

/// Parts that stand on a member, each with the member's catalog and oid: everything that has no
/// membership of its own. Which transaction made it tells whose it is, see [`query`].
const PARTS: &str = "\
    select 'pg_index'::text as what, 'pg_catalog.pg_class'::regclass::oid as classid, x.indexrelid as oid, 0 as sub, x.xmin::text as birth, \
      'pg_catalog.pg_class'::regclass::oid as memberclass, x.indrelid as member \
      from pg_catalog.pg_index x where not exists (select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x')) \
    union all select 'constraint', 'pg_catalog.pg_constraint'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_class'::regclass, conrelid \
      from pg_catalog.pg_constraint where conrelid <> 0 and contype in ('p', 'u', 'x', 'c', 'f') \
    union all select 'constraint', 'pg_catalog.pg_constraint'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_type'::regclass, contypid \
      from pg_catalog.pg_constraint where contypid <> 0 and contype = 'c' \
    union all select 'trigger', 'pg_catalog.pg_trigger'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_class'::regclass, tgrelid \
      from pg_catalog.pg_trigger where not tgisinternal and tgparentid = 0 \
    union all select 'policy', 'pg_catalog.pg_policy'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_class'::regclass, polrelid \
      from pg_catalog.pg_policy \
    union all select 'rule', 'pg_catalog.pg_rewrite'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_class'::regclass, ev_class \
      from pg_catalog.pg_rewrite where rulename <> '_RETURN' \
    union all select 'statistics', 'pg_catalog.pg_statistic_ext'::regclass, oid, 0, xmin::text, 'pg_catalog.pg_class'::regclass, stxrelid \
      from pg_catalog.pg_statistic_ext \
    union all select 'column', 'pg_catalog.pg_class'::regclass, attrelid, attnum, xmin::text, 'pg_catalog.pg_class'::regclass, attrelid \
      from pg_catalog.pg_attribute where attnum > 0 and not attisdropped and attacl is null \
    union all select 'comment', classoid, objoid, objsubid, xmin::text, classoid, objoid \
      from pg_catalog.pg_description where classoid <> 'pg_catalog.pg_extension'::regclass";

/// Two columns, kind and name, of everything that is not what the extension's script made.
///
/// What a script makes has the transaction of its membership. After `pg_upgrade` everything has a
/// transaction of its own: then all parts of members are named, too many rather than too few.
pub(super) fn query() -> String {
    let grants: Vec<String> = GRANTED
        .iter()
        .map(|(catalog, owner, acl, kind)| {
            format!(
                "select 'pg_catalog.{catalog}'::regclass::oid as classid, oid, 0 as sub, {owner} as owner, {acl} as acl, {kind}::\"char\" as kind \
                 from pg_catalog.{catalog}"
            )
        })
        .chain([
            "select 'pg_catalog.pg_class'::regclass, a.attrelid, a.attnum, c.relowner, a.attacl, 'c' \
             from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
             where a.attacl is not null or (a.attrelid, a.attnum::int4) in (select objoid, objsubid from pg_catalog.pg_init_privs)"
                .to_owned(),
        ])
        .collect();
    let owners: Vec<String> = OWNED
        .iter()
        .map(|(catalog, owner)| {
            format!(
                "select 'pg_catalog.{catalog}'::regclass, oid, 0, {owner} from pg_catalog.{catalog}"
            )
        })
        .collect();
    format!(
        "with granted as materialized ({grants}), \
         member as materialized (select d.classid, d.objid, e.oid as extension, e.extname, e.extowner \
           from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid \
           where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::regclass), \
         birth as materialized (select distinct refobjid as extension, xmin::text as birth from pg_catalog.pg_depend \
           where deptype = 'e' and refclassid = 'pg_catalog.pg_extension'::regclass), \
         regranted as materialized (select g.classid, g.oid, g.sub, m.extname from member m \
           join granted g on g.classid = m.classid and g.oid = m.objid \
           left join pg_catalog.pg_init_privs i on i.classoid = g.classid and i.objoid = g.oid and i.objsubid = g.sub \
           cross join lateral (select coalesce(g.acl, pg_catalog.acldefault(g.kind, g.owner)) as present, \
             coalesce(i.initprivs, pg_catalog.acldefault(g.kind, g.owner)) as initial) a \
           where not (a.present @> a.initial and a.present <@ a.initial)), \
         changed as ( \
           select p.what, p.classid, p.oid, p.sub, m.extname from ({PARTS}) p \
             join member m on m.classid = p.memberclass and m.objid = p.member \
             where not exists (select from birth b where b.extension = m.extension and b.birth = p.birth) \
           union all select 'definition', m.classid, f.oid, 0, m.extname from pg_catalog.pg_proc f \
             join member m on m.classid = 'pg_catalog.pg_proc'::regclass and m.objid = f.oid \
             where f.proowner in (m.extowner, 10) \
               and not exists (select from birth b where b.extension = m.extension and b.birth = f.xmin::text) \
               and not exists (select from regranted r where r.classid = m.classid and r.oid = f.oid) \
           union all select 'grants', classid, oid, sub, extname from regranted \
           union all select 'owner', m.classid, m.objid, 0, m.extname from member m \
             join (select classid, oid, sub, owner from granted union all {owners}) o on o.classid = m.classid and o.oid = m.objid and o.sub = 0 \
             where o.owner not in (m.extowner, 10)) \
         select case what when 'pg_index' then 'index' else what end as kind, \
           pg_catalog.format('%s, of extension %s', pg_catalog.concat_ws(' ', case when what in ('comment', 'grants', 'owner', 'definition') then i.type end, i.identity), extname) as name \
         from changed, lateral pg_catalog.pg_identify_object(classid, oid, sub) i \
         union all \
         select 'enum value', pg_catalog.format('%s of %s, of extension %s', e.enumlabel, pg_catalog.format_type(e.enumtypid, null), m.extname) \
         from pg_catalog.pg_enum e join member m on m.classid = 'pg_catalog.pg_type'::regclass and m.objid = e.enumtypid \
         where not exists (select from birth b where b.extension = m.extension and b.birth = e.xmin::text) \
         union all \
         select 'grant by another than the owner', pg_catalog.format('%s on %s by %s', \
           pg_catalog.string_agg(distinct a.privilege_type, ', '), pg_catalog.concat_ws(' ', i.type, i.identity), pg_catalog.pg_get_userbyid(a.grantor)) \
         from granted g cross join lateral pg_catalog.aclexplode(g.acl) a \
         cross join lateral pg_catalog.pg_identify_object(g.classid, g.oid, g.sub) i \
         where a.grantor <> g.owner and g.oid >= 16384 and coalesce(i.schema, '') !~ '^pg_' \
           and not exists (select from member m where m.classid = g.classid and m.objid = g.oid) \
         group by i.type, i.identity, a.grantor",
        grants = grants.join(" union all "),
        owners = owners.join(" union all "),
    )
}

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

/// Parts that stand on a relation or type `m.objid`: everything that has no membership of its own.
/// Which transaction made it tells whose it is, see [`query`].
const PARTS: &str = "\
    select 'index'::text as what, 'pg_catalog.pg_class'::regclass::oid as classid, x.indexrelid as oid, 0 as sub, x.xmin as birth \
      from pg_catalog.pg_index x where x.indrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass \
      and not exists (select from pg_catalog.pg_constraint k where k.conrelid = m.objid and k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x')) \
    union all select 'constraint', 'pg_catalog.pg_constraint'::regclass, oid, 0, xmin from pg_catalog.pg_constraint \
      where conrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass and contype in ('p', 'u', 'x', 'c', 'f') \
    union all select 'constraint', 'pg_catalog.pg_constraint'::regclass, oid, 0, xmin from pg_catalog.pg_constraint \
      where contypid = m.objid and m.classid = 'pg_catalog.pg_type'::regclass and contype = 'c' \
    union all select 'trigger', 'pg_catalog.pg_trigger'::regclass, oid, 0, xmin from pg_catalog.pg_trigger \
      where tgrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass and not tgisinternal and tgparentid = 0 \
    union all select 'policy', 'pg_catalog.pg_policy'::regclass, oid, 0, xmin from pg_catalog.pg_policy \
      where polrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass \
    union all select 'rule', 'pg_catalog.pg_rewrite'::regclass, oid, 0, xmin from pg_catalog.pg_rewrite \
      where ev_class = m.objid and m.classid = 'pg_catalog.pg_class'::regclass and rulename <> '_RETURN' \
    union all select 'statistics', 'pg_catalog.pg_statistic_ext'::regclass, oid, 0, xmin from pg_catalog.pg_statistic_ext \
      where stxrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass \
    union all select 'column', 'pg_catalog.pg_class'::regclass, attrelid, attnum, xmin from pg_catalog.pg_attribute \
      where attrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass and attnum > 0 and not attisdropped and attacl is null \
    union all select 'settings', 'pg_catalog.pg_class'::regclass, c.oid, 0, c.xmin from pg_catalog.pg_class c \
      left join pg_catalog.pg_class toast on toast.oid = c.reltoastrelid \
      where c.oid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass and (c.reloptions is not null \
        or toast.reloptions is not null or c.relrowsecurity or c.relforcerowsecurity or c.relreplident in ('f', 'i')) \
    union all select 'comment', classoid, objoid, objsubid, xmin from pg_catalog.pg_description \
      where objoid = m.objid and classoid = m.classid \
    union all select 'definition', 'pg_catalog.pg_proc'::regclass, oid, 0, xmin from pg_catalog.pg_proc \
      where oid = m.objid and m.classid = 'pg_catalog.pg_proc'::regclass and proowner in (m.extowner, 10)";

/// Two columns, kind and name, of everything that is not what the extension's script made.
///
/// What a script makes has the transaction of its membership; what SET SCHEMA or UPDATE moved has the
/// one in which the extension itself was last altered. After `pg_upgrade` everything has a
/// transaction of its own: then all parts of members are named, too many rather than too few.
pub(super) fn query() -> String {
    let grants = |condition: &str| -> String {
        let each = GRANTED.iter().map(|(catalog, owner, acl, kind)| {
            format!(
                "select 'pg_catalog.{catalog}'::regclass::oid as classid, oid, 0 as sub, {owner} as owner, {acl} as acl, {kind}::\"char\" as kind \
                 from pg_catalog.{catalog} where {}",
                condition.replace("$class", catalog).replace("$acl", acl)
            )
        });
        each.collect::<Vec<_>>().join(" union all ")
    };
    let owners = OWNED.iter().map(|(catalog, owner)| {
        format!(
            "select 'pg_catalog.{catalog}'::regclass, oid, {owner} from pg_catalog.{catalog} \
             where oid = m.objid and m.classid = 'pg_catalog.{catalog}'::regclass"
        )
    });
    let owners: Vec<String> = owners.collect();
    let columns = "select 'pg_catalog.pg_class'::regclass, a.attrelid, a.attnum, c.relowner, a.attacl, 'c' \
         from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid where";
    format!(
        "with member as materialized (select d.classid, d.objid, e.oid as extension, e.extname, e.extowner \
           from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid \
           where d.deptype = 'e' and d.refclassid = 'pg_catalog.pg_extension'::regclass), \
         birth as materialized (select distinct refobjid as extension, xmin::text as birth from pg_catalog.pg_depend \
           where deptype = 'e' and refclassid = 'pg_catalog.pg_extension'::regclass \
           union select oid, xmin::text from pg_catalog.pg_extension), \
         regranted as materialized (select g.classid, g.oid, g.sub, m.extname from member m \
           cross join lateral ({grants_of_member} union all {columns} a.attrelid = m.objid and m.classid = 'pg_catalog.pg_class'::regclass) g \
           left join pg_catalog.pg_init_privs i on i.classoid = g.classid and i.objoid = g.oid and i.objsubid = g.sub \
           cross join lateral (select coalesce(g.acl, pg_catalog.acldefault(g.kind, g.owner)) as present, \
             coalesce(i.initprivs, pg_catalog.acldefault(g.kind, g.owner)) as initial) a \
           where not (a.present @> a.initial and a.present <@ a.initial)), \
         changed as ( \
           select p.what, p.classid, p.oid, p.sub, m.extname from member m cross join lateral ({PARTS}) p \
             where not exists (select from birth b where b.extension = m.extension and b.birth = p.birth::text) \
               and (p.what <> 'definition' or not exists (select from regranted r where r.classid = p.classid and r.oid = p.oid)) \
           union all select 'grants', classid, oid, sub, extname from regranted \
           union all select 'owner', m.classid, m.objid, 0, m.extname from member m \
             cross join lateral (select classid, oid, owner from ({grants_of_member}) g union all {owners}) o \
             where o.owner not in (m.extowner, 10)) \
         select what as kind, pg_catalog.format('%s, of extension %s', \
           pg_catalog.concat_ws(' ', case when what in ('comment', 'grants', 'owner', 'definition', 'settings') then i.type end, i.identity), extname) as name \
         from changed, lateral pg_catalog.pg_identify_object(classid, oid, sub) i \
         union all \
         select 'enum value', pg_catalog.format('%s of %s, of extension %s', e.enumlabel, pg_catalog.format_type(e.enumtypid, null), m.extname) \
         from member m join pg_catalog.pg_enum e on m.classid = 'pg_catalog.pg_type'::regclass and m.objid = e.enumtypid \
         where not exists (select from birth b where b.extension = m.extension and b.birth = e.xmin::text) \
         union all \
         select 'grant by another than the owner', pg_catalog.format('%s on %s by %s', \
           pg_catalog.string_agg(distinct a.privilege_type, ', '), pg_catalog.concat_ws(' ', i.type, i.identity), pg_catalog.pg_get_userbyid(a.grantor)) \
         from ({grants_given} union all {columns} a.attacl is not null) g cross join lateral pg_catalog.aclexplode(g.acl) a \
         cross join lateral pg_catalog.pg_identify_object(g.classid, g.oid, g.sub) i \
         where a.grantor <> g.owner and g.oid >= 16384 and coalesce(i.schema, '') !~ '^pg_' \
           and not exists (select from member m where m.classid = g.classid and m.objid = g.oid) \
         group by i.type, i.identity, a.grantor",
        grants_of_member = grants("oid = m.objid and m.classid = 'pg_catalog.$class'::regclass"),
        grants_given = grants("$acl is not null"),
        owners = owners.join(" union all "),
    )
}

//! Schemas, extensions, and types of every form that people define.

use std::collections::BTreeSet;

use super::super::model::{Id, Kind, Object};
use super::{Query, class, sql};

pub(super) fn queries(version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::Schema, class::NAMESPACE, schemas()),
        query(Kind::Extension, class::EXTENSION, extensions()),
        query(Kind::Collation, class::COLLATION, collations(version)),
        query(Kind::BaseType, class::TYPE, base_types()),
        query(Kind::Enum, class::TYPE, enums()),
        query(Kind::Composite, class::TYPE, composites()),
        query(Kind::Attribute, class::CLASS, attributes()),
        query(Kind::Range, class::TYPE, ranges()),
        query(Kind::Domain, class::TYPE, domains(version)),
        query(
            Kind::DomainConstraint,
            class::CONSTRAINT,
            domain_constraints(),
        ),
    ]
}

fn schemas() -> String {
    format!(
        "select n.oid::int8, 0, ''::text, n.nspname::text, ''::text, {owner}, {acl} \
         from pg_catalog.pg_namespace n \
         where n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and {own}",
        owner = sql::owner("n.nspowner"),
        acl = sql::acl("n.nspacl", 'n', "n.nspowner"),
        own = sql::own("pg_namespace", "n.oid"),
    )
}

fn extensions() -> String {
    "select e.oid::int8, 0, ''::text, e.extname::text, ''::text, \
       n.nspname::text as schema, e.extversion as _version, e.extrelocatable as _relocatable, \
       x.comment as _comment, x.schema is not null as _own_schema \
     from pg_catalog.pg_extension e \
     join pg_catalog.pg_namespace n on n.oid = e.extnamespace \
     left join (select a.name, a.comment, v.schema from pg_catalog.pg_available_extensions() a \
       left join pg_catalog.pg_available_extension_versions() v \
         on v.name = a.name and v.version = a.default_version) x on x.name = e.extname"
        .into()
}

fn collations(version: u32) -> String {
    let locale = match version {
        170_000.. => "co.colllocale",
        _ => "co.colliculocale",
    };
    let rules = if version >= 160_000 {
        "co.collicurules"
    } else {
        "null::text"
    };
    format!(
        "select co.oid::int8, 0, n.nspname::text, co.collname::text, ''::text, \
           case co.collprovider when 'i' then 'icu' when 'b' then 'builtin' when 'd' then 'default' else 'libc' end as provider, \
           co.collcollate as lc_collate, co.collctype as lc_ctype, {locale} as locale, {rules} as rules, \
           not co.collisdeterministic as nondeterministic, {owner} \
         from pg_catalog.pg_collation co {schema} where {own}",
        owner = sql::owner("co.collowner"),
        schema = sql::schema("n", "co.collnamespace"),
        own = sql::own("pg_collation", "co.oid"),
    )
}

/// Base types and shells, without the arrays that come with other types. What can be altered is
/// apart from the definition.
fn base_types() -> String {
    let function = |column: &str| {
        format!("case when t.{column} <> 0 then t.{column}::regproc::text end as {column}")
    };
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.typname::text, ''::text, \
           not t.typisdefined as shell, \
           case when t.typisdefined then pg_catalog.concat_ws(', ', \
             'INPUT = ' || t.typinput::regproc::text, 'OUTPUT = ' || t.typoutput::regproc::text, \
             'INTERNALLENGTH = ' || case when t.typlen < 0 then 'VARIABLE' else t.typlen::text end, \
             case when t.typbyval then 'PASSEDBYVALUE' end, \
             'ALIGNMENT = ' || case t.typalign when 'c' then 'char' when 's' then 'int2' when 'i' then 'int4' else 'double' end, \
             case when t.typcategory <> 'U' then 'CATEGORY = ' || pg_catalog.quote_literal(t.typcategory::text) end, \
             case when t.typispreferred then 'PREFERRED = true' end, \
             'DEFAULT = ' || pg_catalog.quote_literal(t.typdefault), \
             'ELEMENT = ' || case when t.typelem <> 0 then pg_catalog.format_type(t.typelem, null) end, \
             case when t.typdelim <> ',' then 'DELIMITER = ' || pg_catalog.quote_literal(t.typdelim::text) end, \
             case when t.typcollation <> 0 then 'COLLATABLE = true' end) end as definition, \
           {receive}, {send}, {typmod_in}, {typmod_out}, {analyze}, {subscript}, \
           case t.typstorage when 'e' then 'external' when 'm' then 'main' when 'x' then 'extended' end as storage, \
           {owner}, {acl} \
         from pg_catalog.pg_type t {schema} \
         where (t.typtype = 'b' and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid) \
             or t.typtype = 'p' and not t.typisdefined) and {own}",
        receive = function("typreceive"),
        send = function("typsend"),
        typmod_in = function("typmodin"),
        typmod_out = function("typmodout"),
        analyze = function("typanalyze"),
        subscript = function("typsubscript"),
        owner = sql::owner("t.typowner"),
        acl = sql::acl("t.typacl", 'T', "t.typowner"),
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

/// A base type and its functions need each other: the functions go with their type.
pub(super) fn support(objects: &mut [Object]) {
    let types = objects.iter().filter(|o| o.id.kind() == Kind::BaseType);
    let pairs: BTreeSet<(Id, Id)> = types
        .flat_map(|t| t.needs.iter().map(|need| (need.id.clone(), t.id.clone())))
        .collect();
    if pairs.is_empty() {
        return;
    }
    for object in objects.iter_mut().filter(|o| o.id.kind() == Kind::Function) {
        let id = object.id.clone();
        for need in &mut object.needs {
            need.auto |= pairs.contains(&(id.clone(), need.id.clone()));
        }
    }
}

fn enums() -> String {
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.typname::text, ''::text, \
           array(select e.enumlabel::text from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder) as labels, \
           {owner}, {acl} \
         from pg_catalog.pg_type t {schema} where t.typtype = 'e' and {own}",
        owner = sql::owner("t.typowner"),
        acl = sql::acl("t.typacl", 'T', "t.typowner"),
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

fn composites() -> String {
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.typname::text, ''::text, {owner}, {acl} \
         from pg_catalog.pg_type t \
         join pg_catalog.pg_class c on c.oid = t.typrelid and c.relkind = 'c' {schema} \
         where t.typtype = 'c' and {own}",
        owner = sql::owner("t.typowner"),
        acl = sql::acl("t.typacl", 'T', "t.typowner"),
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

fn attributes() -> String {
    format!(
        "select c.oid::int8, a.attnum, n.nspname::text, c.relname::text, a.attname::text, \
           pg_catalog.format_type(a.atttypid, a.atttypmod) as type, \
           case when a.attcollation not in (0, t.typcollation) \
             then pg_catalog.format('%I.%I', cn.nspname, co.collname) end as collation, \
           a.attnum::text as _position \
         from pg_catalog.pg_class c {schema} \
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         join pg_catalog.pg_type t on t.oid = a.atttypid \
         left join pg_catalog.pg_collation co on co.oid = a.attcollation \
         left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
         where c.relkind = 'c' and {own}",
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_type", "c.reltype"),
    )
}

fn ranges() -> String {
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.typname::text, ''::text, \
           pg_catalog.format_type(r.rngsubtype, null) as subtype, \
           case when not oc.opcdefault then pg_catalog.format('%I.%I', ocn.nspname, oc.opcname) end as operator_class, \
           case when r.rngcollation not in (0, st.typcollation) then pg_catalog.format('%I.%I', cn.nspname, co.collname) end as collation, \
           case when r.rngcanonical <> 0 then r.rngcanonical::regproc::text end as canonical, \
           case when r.rngsubdiff <> 0 then r.rngsubdiff::regproc::text end as subtype_diff, \
           pg_catalog.format('%I.%I', mn.nspname, mt.typname) as multirange, \
           array[mn.nspname::text, mt.typname::text] as _multirange, \
           {owner}, {acl} \
         from pg_catalog.pg_type t {schema} \
         join pg_catalog.pg_range r on r.rngtypid = t.oid \
         join pg_catalog.pg_type st on st.oid = r.rngsubtype \
         left join pg_catalog.pg_type mt on mt.oid = r.rngmultitypid \
         left join pg_catalog.pg_namespace mn on mn.oid = mt.typnamespace \
         left join pg_catalog.pg_opclass oc on oc.oid = r.rngsubopc \
         left join pg_catalog.pg_namespace ocn on ocn.oid = oc.opcnamespace \
         left join pg_catalog.pg_collation co on co.oid = r.rngcollation \
         left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
         where {own}",
        owner = sql::owner("t.typowner"),
        acl = sql::acl("t.typacl", 'T', "t.typowner"),
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

fn domains(version: u32) -> String {
    // From 17 on a NOT NULL is a constraint with a name of its own.
    let (not_null, join) = if version >= 170_000 {
        (
            "nullif(nn.conname::text, t.typname || '_not_null') as not_null_name, nn.conname::text as _not_null_name, \
             pg_catalog.obj_description(nn.oid, 'pg_constraint') as not_null_comment, ",
            "left join pg_catalog.pg_constraint nn on nn.contypid = t.oid and nn.contype = 'n' ",
        )
    } else {
        ("", "")
    };
    // A default without an expression is the base type's, which the domain takes over unasked.
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.typname::text, ''::text, \
           pg_catalog.format_type(t.typbasetype, t.typtypmod) as type, \
           pg_catalog.format_type(t.typbasetype, null) as _base, \
           case when t.typcollation not in (0, bt.typcollation) \
             then pg_catalog.format('%I.%I', cn.nspname, co.collname) end as collation, \
           pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::regclass) as default_expression, \
           t.typnotnull as not_null, {not_null} {owner}, {acl} \
         from pg_catalog.pg_type t {schema} \
         join pg_catalog.pg_type bt on bt.oid = t.typbasetype \
         left join pg_catalog.pg_collation co on co.oid = t.typcollation \
         left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace {join} \
         where t.typtype = 'd' and {own}",
        owner = sql::owner("t.typowner"),
        acl = sql::acl("t.typacl", 'T', "t.typowner"),
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

/// Checks of domains. NOT NULL, which has a row of its own from 17 on, is the domain's.
fn domain_constraints() -> String {
    format!(
        "select k.oid::int8, 0, n.nspname::text, t.typname::text, k.conname::text, \
           pg_catalog.left(def.text, pg_catalog.length(def.text) - case when k.convalidated then 0 else 10 end) as definition, \
           not k.convalidated as not_valid \
         from pg_catalog.pg_constraint k \
         join pg_catalog.pg_type t on t.oid = k.contypid {schema} \
         cross join lateral (select pg_catalog.pg_get_constraintdef(k.oid) as text) def \
         where k.contype = 'c' and {own}",
        schema = sql::schema("n", "t.typnamespace"),
        own = sql::own("pg_type", "t.oid"),
    )
}

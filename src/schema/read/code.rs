//! What runs: functions, procedures, aggregates, operators and their classes, casts, languages.

use super::super::model::Kind;
use super::{Query, class, sql};

pub(super) fn queries(_version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::Function, class::PROC, routines("'f', 'w'")),
        query(Kind::Procedure, class::PROC, routines("'p'")),
        query(Kind::Aggregate, class::PROC, aggregates()),
        query(Kind::Operator, class::OPERATOR, operators()),
        query(Kind::OperatorFamily, class::OPFAMILY, operator_families()),
        query(Kind::OperatorClass, class::OPCLASS, operator_classes()),
        query(Kind::Cast, class::CAST, casts()),
        query(Kind::Transform, class::TRANSFORM, transforms()),
        query(Kind::Language, class::LANGUAGE, languages()),
        query(Kind::AccessMethod, class::ACCESS_METHOD, access_methods()),
        query(Kind::Conversion, class::CONVERSION, conversions()),
        query(Kind::EventTrigger, class::EVENT_TRIGGER, event_triggers()),
    ]
}

fn routines(kinds: &str) -> String {
    format!(
        "select p.oid::int8, 0, n.nspname::text, p.proname::text, pg_catalog.oidvectortypes(p.proargtypes), \
           pg_catalog.pg_get_functiondef(p.oid) as definition, \
           pg_catalog.pg_get_function_result(p.oid) as _result, \
           pg_catalog.concat_ws('; ', p.proargnames::text, p.proargmodes::text, p.proallargtypes::text) as _parameters, \
           p.pronargdefaults::text as _defaults, p.prosqlbody is null and l.lanname in ('sql', 'plpgsql') as _late, \
           p.provolatile::text as _volatile, \
           {owner}, {acl} \
         from pg_catalog.pg_proc p {schema} \
         join pg_catalog.pg_language l on l.oid = p.prolang \
         where p.prokind in ({kinds}) and {own} \
           and not exists (select from pg_catalog.pg_depend i where i.classid = 'pg_catalog.pg_proc'::regclass \
             and i.objid = p.oid and i.deptype = 'i')",
        owner = sql::owner("p.proowner"),
        acl = sql::acl("p.proacl", 'f', "p.proowner"),
        schema = sql::schema("n", "p.pronamespace"),
        own = sql::own("pg_proc", "p.oid"),
    )
}

fn aggregates() -> String {
    let function = |column: &str, word: &str| {
        format!("case when a.{column} <> 0 then '{word} = ' || a.{column}::regproc::text end")
    };
    let operator = "case when a.aggsortop <> 0 then 'SORTOP = ' || (select pg_catalog.format('OPERATOR(%I.%s)', sn.nspname, so.oprname) \
         from pg_catalog.pg_operator so join pg_catalog.pg_namespace sn on sn.oid = so.oprnamespace where so.oid = a.aggsortop) end";
    format!(
        "select p.oid::int8, 0, n.nspname::text, p.proname::text, pg_catalog.oidvectortypes(p.proargtypes), \
           coalesce(nullif(pg_catalog.pg_get_function_arguments(p.oid), ''), '*') as arguments, \
           pg_catalog.pg_get_function_result(p.oid) as result, \
           pg_catalog.concat_ws(', ', {sfunc}, \
             'STYPE = ' || pg_catalog.format_type(a.aggtranstype, null), \
             case when a.aggtransspace <> 0 then 'SSPACE = ' || a.aggtransspace end, \
             {finalfunc}, case when a.aggfinalextra then 'FINALFUNC_EXTRA' end, \
             case when a.aggfinalfn <> 0 then 'FINALFUNC_MODIFY = ' || case a.aggfinalmodify \
               when 'r' then 'READ_ONLY' when 's' then 'SHAREABLE' else 'READ_WRITE' end end, \
             {combinefunc}, {serialfunc}, {deserialfunc}, \
             'INITCOND = ' || pg_catalog.quote_literal(a.agginitval), \
             {msfunc}, {minvfunc}, \
             case when a.aggmtranstype <> 0 then 'MSTYPE = ' || pg_catalog.format_type(a.aggmtranstype, null) end, \
             case when a.aggmtransspace <> 0 then 'MSSPACE = ' || a.aggmtransspace end, \
             {mfinalfunc}, case when a.aggmfinalextra then 'MFINALFUNC_EXTRA' end, \
             case when a.aggmfinalfn <> 0 then 'MFINALFUNC_MODIFY = ' || case a.aggmfinalmodify \
               when 'r' then 'READ_ONLY' when 's' then 'SHAREABLE' else 'READ_WRITE' end end, \
             'MINITCOND = ' || pg_catalog.quote_literal(a.aggminitval), {operator}, \
             case when p.proparallel <> 'u' then 'PARALLEL = ' || case p.proparallel when 's' then 'SAFE' else 'RESTRICTED' end end, \
             case when a.aggkind = 'h' then 'HYPOTHETICAL' end) as definition, \
           {owner}, {acl} \
         from pg_catalog.pg_proc p \
         join pg_catalog.pg_aggregate a on a.aggfnoid = p.oid {schema} \
         where p.prokind = 'a' and {own}",
        sfunc = function("aggtransfn", "SFUNC"),
        finalfunc = function("aggfinalfn", "FINALFUNC"),
        combinefunc = function("aggcombinefn", "COMBINEFUNC"),
        serialfunc = function("aggserialfn", "SERIALFUNC"),
        deserialfunc = function("aggdeserialfn", "DESERIALFUNC"),
        msfunc = function("aggmtransfn", "MSFUNC"),
        minvfunc = function("aggminvtransfn", "MINVFUNC"),
        mfinalfunc = function("aggmfinalfn", "MFINALFUNC"),
        owner = sql::owner("p.proowner"),
        acl = sql::acl("p.proacl", 'f', "p.proowner"),
        schema = sql::schema("n", "p.pronamespace"),
        own = sql::own("pg_proc", "p.oid"),
    )
}

/// Operators that have a function: a shell is what another operator's commutator made.
fn operators() -> String {
    let operator = |column: &str| {
        format!(
            "(select pg_catalog.format('OPERATOR(%I.%s)', xn.nspname, x.oprname) from pg_catalog.pg_operator x \
             join pg_catalog.pg_namespace xn on xn.oid = x.oprnamespace where x.oid = {column})"
        )
    };
    format!(
        "select o.oid::int8, 0, n.nspname::text, o.oprname::text, \
           pg_catalog.concat_ws(', ', case o.oprleft when 0 then 'NONE' else pg_catalog.format_type(o.oprleft, null) end, \
             pg_catalog.format_type(o.oprright, null)), \
           o.oprcode::regproc::text as function, \
           case when o.oprleft <> 0 then pg_catalog.format_type(o.oprleft, null) end as left_type, \
           pg_catalog.format_type(o.oprright, null) as right_type, \
           {commutator} as commutator, {negator} as negator, \
           case when o.oprrest <> 0 then o.oprrest::regproc::text end as restrict, \
           case when o.oprjoin <> 0 then o.oprjoin::regproc::text end as join, \
           o.oprcanhash as hashes, o.oprcanmerge as merges, {owner} \
         from pg_catalog.pg_operator o {schema} where o.oprcode <> 0 and {own}",
        commutator = operator("o.oprcom"),
        negator = operator("o.oprnegate"),
        owner = sql::owner("o.oprowner"),
        schema = sql::schema("n", "o.oprnamespace"),
        own = sql::own("pg_operator", "o.oid"),
    )
}

/// The operators and functions that depend on `owner` (a class or a family) in the given way.
fn members(owner_class: &str, owner_oid: &str, deptype: char) -> String {
    let depends = |member: &str| {
        format!(
            "join pg_catalog.pg_depend d on d.classid = 'pg_catalog.{member}'::regclass and d.objid = m.oid \
             and d.refclassid = 'pg_catalog.{owner_class}'::regclass and d.refobjid = {owner_oid} and d.deptype = '{deptype}'"
        )
    };
    format!(
        "array(select entry from ( \
           select 1 as what, m.amopstrategy as number, pg_catalog.format('OPERATOR %s %s%s', m.amopstrategy, \
             m.amopopr::regoperator, case when m.amoppurpose = 'o' then (select pg_catalog.format(' FOR ORDER BY %I.%I', sfn.nspname, sf.opfname) \
               from pg_catalog.pg_opfamily sf join pg_catalog.pg_namespace sfn on sfn.oid = sf.opfnamespace where sf.oid = m.amopsortfamily) else '' end) as entry \
           from pg_catalog.pg_amop m {amop} \
           union all \
           select 2, m.amprocnum, pg_catalog.format('FUNCTION %s (%s, %s) %s', m.amprocnum, \
             pg_catalog.format_type(m.amproclefttype, null), pg_catalog.format_type(m.amprocrighttype, null), m.amproc::regprocedure) \
           from pg_catalog.pg_amproc m {amproc} \
         ) entries order by what, number, entry)",
        amop = depends("pg_amop"),
        amproc = depends("pg_amproc"),
    )
}

fn operator_families() -> String {
    format!(
        "select f.oid::int8, 0, n.nspname::text, f.opfname::text, am.amname::text, \
           {members} as members, {owner} \
         from pg_catalog.pg_opfamily f {schema} \
         join pg_catalog.pg_am am on am.oid = f.opfmethod where {own}",
        members = members("pg_opfamily", "f.oid", 'a'),
        owner = sql::owner("f.opfowner"),
        schema = sql::schema("n", "f.opfnamespace"),
        own = sql::own("pg_opfamily", "f.oid"),
    )
}

fn operator_classes() -> String {
    format!(
        "select c.oid::int8, 0, n.nspname::text, c.opcname::text, am.amname::text, \
           pg_catalog.format_type(c.opcintype, null) as type, c.opcdefault as is_default, \
           pg_catalog.format('%I.%I', fn.nspname, f.opfname) as family, \
           case when c.opckeytype <> 0 then pg_catalog.format_type(c.opckeytype, null) end as storage, \
           {members} as members, {owner} \
         from pg_catalog.pg_opclass c {schema} \
         join pg_catalog.pg_am am on am.oid = c.opcmethod \
         join pg_catalog.pg_opfamily f on f.oid = c.opcfamily \
         join pg_catalog.pg_namespace fn on fn.oid = f.opfnamespace where {own}",
        members = members("pg_opclass", "c.oid", 'i'),
        owner = sql::owner("c.opcowner"),
        schema = sql::schema("n", "c.opcnamespace"),
        own = sql::own("pg_opclass", "c.oid"),
    )
}

fn casts() -> String {
    format!(
        "select c.oid::int8, 0, ''::text, pg_catalog.format('(%s AS %s)', pg_catalog.format_type(c.castsource, null), \
             pg_catalog.format_type(c.casttarget, null)), ''::text, \
           case c.castmethod when 'f' then 'WITH FUNCTION ' || c.castfunc::regprocedure::text \
             when 'i' then 'WITH INOUT' else 'WITHOUT FUNCTION' end \
           || case c.castcontext when 'a' then ' AS ASSIGNMENT' when 'i' then ' AS IMPLICIT' else '' end as definition \
         from pg_catalog.pg_cast c where c.oid >= 16384 and {own} \
           and not exists (select from pg_catalog.pg_depend i where i.classid = 'pg_catalog.pg_cast'::regclass \
             and i.objid = c.oid and i.deptype = 'i')",
        own = sql::own("pg_cast", "c.oid"),
    )
}

fn transforms() -> String {
    format!(
        "select t.oid::int8, 0, ''::text, pg_catalog.format('FOR %s LANGUAGE %I', pg_catalog.format_type(t.trftype, null), l.lanname), ''::text, \
           pg_catalog.concat_ws(', ', case when t.trffromsql <> 0 then 'FROM SQL WITH FUNCTION ' || t.trffromsql::regprocedure::text end, \
             case when t.trftosql <> 0 then 'TO SQL WITH FUNCTION ' || t.trftosql::regprocedure::text end) as definition \
         from pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = t.trflang \
         where t.oid >= 16384 and {own}",
        own = sql::own("pg_transform", "t.oid"),
    )
}

fn languages() -> String {
    format!(
        "select l.oid::int8, 0, ''::text, l.lanname::text, ''::text, l.lanpltrusted as trusted, \
           case when l.lanplcallfoid <> 0 then l.lanplcallfoid::regproc::text end as handler, \
           case when l.laninline <> 0 then l.laninline::regproc::text end as inline, \
           case when l.lanvalidator <> 0 then l.lanvalidator::regproc::text end as validator, \
           {owner}, {acl} \
         from pg_catalog.pg_language l where l.oid >= 16384 and {own}",
        owner = sql::owner("l.lanowner"),
        acl = sql::acl("l.lanacl", 'l', "l.lanowner"),
        own = sql::own("pg_language", "l.oid"),
    )
}

fn access_methods() -> String {
    format!(
        "select a.oid::int8, 0, ''::text, a.amname::text, ''::text, \
           case a.amtype when 'i' then 'INDEX' else 'TABLE' end as type, a.amhandler::regproc::text as handler \
         from pg_catalog.pg_am a where a.oid >= 16384 and {own}",
        own = sql::own("pg_am", "a.oid"),
    )
}

fn conversions() -> String {
    format!(
        "select c.oid::int8, 0, n.nspname::text, c.conname::text, ''::text, c.condefault as is_default, \
           pg_catalog.pg_encoding_to_char(c.conforencoding)::text as from_encoding, \
           pg_catalog.pg_encoding_to_char(c.contoencoding)::text as to_encoding, \
           c.conproc::regproc::text as function, {owner} \
         from pg_catalog.pg_conversion c {schema} where {own}",
        owner = sql::owner("c.conowner"),
        schema = sql::schema("n", "c.connamespace"),
        own = sql::own("pg_conversion", "c.oid"),
    )
}

fn event_triggers() -> String {
    format!(
        "select e.oid::int8, 0, ''::text, e.evtname::text, ''::text, e.evtevent::text as event, e.evttags as tags, \
           e.evtfoid::regproc::text as function, \
           case e.evtenabled when 'D' then 'DISABLE' when 'R' then 'ENABLE REPLICA' when 'A' then 'ENABLE ALWAYS' end as enabled, \
           {owner} \
         from pg_catalog.pg_event_trigger e where {own}",
        owner = sql::owner("e.evtowner"),
        own = sql::own("pg_event_trigger", "e.oid"),
    )
}

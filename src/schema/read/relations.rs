//! Tables and what hangs on them: columns, defaults, constraints, indexes, views, sequences,
//! triggers, rules, policies, statistics.

use super::super::model::Kind;
use super::{Query, class, sql};

/// The access method that is the same on every server.
const BTREE: u32 = 403;

pub(super) fn queries(version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::Table, class::CLASS, tables()),
        query(Kind::Column, class::CLASS, columns(version)),
        query(Kind::Default, class::ATTRDEF, defaults()),
        query(Kind::Constraint, class::CONSTRAINT, constraints(version)),
        query(Kind::Index, class::CLASS, indexes()),
        query(Kind::Statistics, class::STATISTIC, statistics()),
        query(Kind::View, class::CLASS, views('v')),
        query(Kind::MaterializedView, class::CLASS, views('m')),
        query(Kind::ViewColumn, class::CLASS, view_columns(version)),
        query(Kind::Sequence, class::CLASS, sequences()),
        query(Kind::Trigger, class::TRIGGER, triggers()),
        query(Kind::Rule, class::REWRITE, rules()),
        query(Kind::Policy, class::POLICY, policies()),
    ]
}

fn relation_columns() -> &'static str {
    "n.nspname::text, c.relname::text"
}

fn tables() -> String {
    format!(
        "select c.oid::int8, 0, {names}, ''::text, \
           case c.relkind when 'p' then 'partitioned' when 'f' then 'foreign' else 'plain' end as form, \
           c.relpersistence = 'u' as unlogged, \
           am.amname::text as access_method, ts.spcname::text as tablespace, \
           c.reloptions as options, tc.reloptions as toast_options, \
           case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as partition_key, \
           pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_bound, \
           p.parents as inherits, p.pairs as _parents, \
           case when c.reloftype <> 0 then pg_catalog.format_type(c.reloftype, null) end as of_type, \
           case when c.reloftype <> 0 then (select array[otn.nspname::text, ot.typname::text] from pg_catalog.pg_type ot \
             join pg_catalog.pg_namespace otn on otn.oid = ot.typnamespace where ot.oid = c.reloftype) end as _of_type, \
           case when c.relkind in ('r', 'p') then case c.relreplident when 'n' then 'NOTHING' when 'f' then 'FULL' end end as replica_identity, \
           c.relrowsecurity as row_security, c.relforcerowsecurity as force_row_security, \
           fs.srvname::text as server, ft.ftoptions as foreign_options, \
           {owner}, {acl} \
         from pg_catalog.pg_class c {schema} \
         left join pg_catalog.pg_am am on am.oid = c.relam \
         left join pg_catalog.pg_tablespace ts on ts.oid = c.reltablespace \
         left join pg_catalog.pg_class tc on tc.oid = c.reltoastrelid and tc.reloptions is not null \
         left join pg_catalog.pg_foreign_table ft on ft.ftrelid = c.oid \
         left join pg_catalog.pg_foreign_server fs on fs.oid = ft.ftserver \
         left join (select i.inhrelid, \
               pg_catalog.array_agg(pg_catalog.format('%I.%I', pn.nspname, pc.relname) order by i.inhseqno) as parents, \
               (select pg_catalog.array_agg(x) from pg_catalog.unnest(pg_catalog.string_to_array( \
                  pg_catalog.string_agg(pn.nspname || e'\\x01' || pc.relname, e'\\x01' order by i.inhseqno), e'\\x01')) x) as pairs \
             from pg_catalog.pg_inherits i \
             join pg_catalog.pg_class pc on pc.oid = i.inhparent and pc.relkind in ('r', 'p', 'f') \
             join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace \
             where not i.inhdetachpending \
             group by i.inhrelid) p on p.inhrelid = c.oid \
         where c.relkind in ('r', 'p', 'f') and {own}",
        names = relation_columns(),
        owner = sql::owner("c.relowner"),
        acl = sql::acl("c.relacl", 'r', "c.relowner"),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// What sequences and identity columns have in common.
fn sequence_properties() -> &'static str {
    "pg_catalog.format_type(s.seqtypid, null) as sequence_type, s.seqincrement::text as increment, \
     s.seqmin::text as minvalue, s.seqmax::text as maxvalue, s.seqstart::text as start, \
     s.seqcache::text as cache, s.seqcycle as cycle, \
     case when pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') \
       then pg_catalog.pg_sequence_last_value(s.seqrelid)::text end as _last"
}

/// The statistics target, null for the default on every version.
fn statistics_target(version: u32) -> &'static str {
    if version >= 170_000 {
        "a.attstattarget::text"
    } else {
        "nullif(a.attstattarget, -1)::text"
    }
}

/// What people set. Newer servers keep a version of each attribute among its options (`pg_attver`,
/// seen in 17.12), which nobody can set; `pg_dump` leaves it out as well.
fn column_options() -> &'static str {
    "case when a.attoptions[2] is not null or a.attoptions[1] !~ '^pg_attver=' then \
       array(select o from pg_catalog.unnest(a.attoptions) o where o !~ '^pg_attver=') end"
}

fn columns(version: u32) -> String {
    // From 18 on a NOT NULL is a constraint with a name of its own.
    let (not_null, join) = if version >= 180_000 {
        (
            "case when nn.conname <> c.relname || '_' || a.attname || '_not_null' then nn.conname::text end as not_null_name, nn.conname::text as _not_null_name, \
             coalesce(nn.connoinherit, false) as not_null_no_inherit, not coalesce(nn.convalidated, true) as not_null_not_valid, \
             pg_catalog.obj_description(nn.oid, 'pg_constraint') as not_null_comment, ",
            "left join pg_catalog.pg_constraint nn on nn.conrelid = c.oid and nn.contype = 'n' and nn.conkey[1] = a.attnum ",
        )
    } else {
        ("", "")
    };
    format!(
        "select c.oid::int8, a.attnum, {names}, a.attname::text, \
           pg_catalog.format_type(a.atttypid, a.atttypmod) as type, \
           pg_catalog.format_type(a.atttypid, null) as _base, \
           case when a.attcollation not in (0, t.typcollation) \
             then pg_catalog.format('%I.%I', cn.nspname, co.collname) end as collation, \
           a.attnotnull as not_null, {not_null} \
           case when s.seqrelid is null then null when a.attidentity = 'a' then 'ALWAYS' else 'BY DEFAULT' end as identity, \
           pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(s.relname) as _sequence, s.relname::text as _sequence_name, \
           case when s.relpersistence <> c.relpersistence then s.relpersistence::text end as sequence_persistence, \
           case when s.seqrelid is not null then pg_catalog.pg_get_userbyid(c.relowner)::text end as _owner, {sequence_acl}, \
           {sequence}, \
           case a.attgenerated when 's' then 'STORED' when 'v' then 'VIRTUAL' end as generated, \
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression, \
           case when a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'PLAIN' \
             when 'e' then 'EXTERNAL' when 'm' then 'MAIN' else 'EXTENDED' end end as storage, \
           case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as compression, \
           {target} as statistics, {options} as options, a.attfdwoptions as foreign_options, \
           a.attnum::text as _position, a.attislocal as _local, a.attinhcount > 0 as _inherited, a.attnum = any (k.partattrs::pg_catalog.int2[]) as _in_key, \
           case when a.attacl is not null then {acl} end as acl \
         from pg_catalog.pg_class c {schema} \
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         join pg_catalog.pg_type t on t.oid = a.atttypid \
         left join pg_catalog.pg_collation co on co.oid = a.attcollation \
         left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
         left join pg_catalog.pg_attrdef d on a.attgenerated <> '' and d.adrelid = c.oid and d.adnum = a.attnum \
         left join (select s.*, sd.refobjid, sd.refobjsubid, sc.relname, sc.relpersistence, sc.relacl, sn.nspname from pg_catalog.pg_sequence s \
           join pg_catalog.pg_depend sd on sd.classid = 'pg_catalog.pg_class'::regclass and sd.objid = s.seqrelid \
             and sd.refclassid = 'pg_catalog.pg_class'::regclass and sd.refobjsubid > 0 and sd.deptype = 'i' \
           join pg_catalog.pg_class sc on sc.oid = s.seqrelid \
           join pg_catalog.pg_namespace sn on sn.oid = sc.relnamespace) s \
           on a.attidentity <> '' and s.refobjid = c.oid and s.refobjsubid = a.attnum \
         left join pg_catalog.pg_partitioned_table k on k.partrelid = c.oid \
         {join} \
         where c.relkind in ('r', 'p', 'f') and {own}",
        names = relation_columns(),
        sequence = sequence_properties(),
        sequence_acl = sql::acl("s.relacl", 's', "c.relowner").replace("as acl", "as sequence_acl"),
        target = statistics_target(version),
        options = column_options(),
        acl = sql::acl_list("a.attacl"),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// Columns of views: only what can be said about them besides the view's own definition.
fn view_columns(version: u32) -> String {
    format!(
        "select c.oid::int8, a.attnum, {names}, a.attname::text, \
           pg_catalog.format_type(a.atttypid, a.atttypmod) as _type, \
           case when c.relkind = 'm' and a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'PLAIN' \
             when 'e' then 'EXTERNAL' when 'm' then 'MAIN' else 'EXTENDED' end end as storage, \
           case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as compression, \
           {target} as statistics, {options} as options, \
           case when a.attacl is not null then {acl} end as acl \
         from pg_catalog.pg_class c {schema} \
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         join pg_catalog.pg_type t on t.oid = a.atttypid \
         where c.relkind in ('v', 'm') and {own}",
        names = relation_columns(),
        target = statistics_target(version),
        options = column_options(),
        acl = sql::acl_list("a.attacl"),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// No default speaks of a column, so that its table need not be opened to print it. What is called
/// in one is looked up once for each text.
fn defaults() -> String {
    format!(
        "with own as materialized ( \
           select d.oid, n.nspname, c.relname, a.attname, pg_catalog.pg_get_expr(d.adbin, 0) as text \
           from pg_catalog.pg_attrdef d \
           join pg_catalog.pg_class c on c.oid = d.adrelid and c.relkind in ('r', 'p', 'f', 'v') {schema} \
           join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.adnum and a.attgenerated = '' \
           where {own}), \
         calling as (select t.text, exists (select \
             from pg_catalog.regexp_matches(t.text, '([[:alnum:]_]+)\"?[(]', 'g') called \
             join pg_catalog.pg_proc p on p.proname = called[1] and p.provolatile = 'v') as volatile \
           from (select distinct text from own where pg_catalog.strpos(text, '(') > 0) t) \
         select own.oid::int8, 0, own.nspname::text, own.relname::text, own.attname::text, \
           own.text as definition, calling.volatile as _volatile \
         from own left join calling on calling.text = own.text",
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// A definition ends in clauses that can be altered by themselves: they are properties of their
/// own, and cut off the definition. What Postgres keeps for each partition of a referenced table
/// is the inside of the foreign key.
fn constraints(version: u32) -> String {
    let enforced = if version >= 180_000 {
        "k.conenforced"
    } else {
        "true"
    };
    format!(
        "select k.oid::int8, 0, {names}, k.conname::text, \
           case k.contype when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key' \
             when 'x' then 'exclusion' else 'check' end as form, \
           pg_catalog.left(def.text, pg_catalog.length(def.text) \
             - case when not {enforced} then 13 when k.convalidated then 0 else 10 end \
             - case when k.condeferred then 19 else 0 end \
             - case when k.condeferrable then 11 else 0 end) as definition, \
           k.condeferrable as deferrable, k.condeferred as deferred, \
           not k.convalidated and {enforced} as not_valid, not {enforced} as not_enforced, \
           ic.reloptions as index_options, ts.spcname::text as tablespace, \
           i.indisclustered as clustered, i.indisreplident as replica_identity, \
           array(select pg_catalog.format('%s=%s', a.attnum, a.attstattarget) from pg_catalog.pg_attribute a \
             where a.attrelid = k.conindid and k.contype = 'x' and a.attstattarget >= 0) as index_statistics, \
           d.description as index_comment, \
           case when pi.oid is not null then pg_catalog.format('%I.%I', pn.nspname, pi.relname) end as parent, \
           array[n.nspname::text, c.relname::text] as _table, \
           k.contype = 'f' and k.conparentid <> 0 or k.contype = 'c' and k.coninhcount > 0 as _inherited, k.conislocal as _local, \
           case when k.conkey[2] is null \
             then array[(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1])] \
             else array(select a.attname::text from pg_catalog.unnest(k.conkey) key \
               join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = key) end as _columns, \
           case when k.contype = 'f' then array[fn.nspname::text, fc.relname::text] end as _references \
         from pg_catalog.pg_constraint k \
         join pg_catalog.pg_class c on c.oid = k.conrelid {schema} \
         cross join lateral (select pg_catalog.pg_get_constraintdef(k.oid) as text offset 0) def \
         left join pg_catalog.pg_index i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x') \
         left join pg_catalog.pg_class ic on ic.oid = i.indexrelid \
         left join pg_catalog.pg_description d on d.objoid = i.indexrelid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0 \
         left join pg_catalog.pg_tablespace ts on ts.oid = ic.reltablespace \
         left join pg_catalog.pg_constraint pk on pk.oid = k.conparentid \
         left join pg_catalog.pg_inherits h on h.inhrelid = i.indexrelid \
         left join pg_catalog.pg_class pi on pi.oid = h.inhparent \
         left join pg_catalog.pg_namespace pn on pn.oid = pi.relnamespace \
         left join pg_catalog.pg_class fc on fc.oid = k.confrelid \
         left join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace \
         where k.contype in ('p', 'u', 'c', 'f', 'x') \
           and (k.contype <> 'f' or k.conparentid = 0 or (pk.conrelid <> k.conrelid and pk.confrelid = k.confrelid)) and {own}",
        names = relation_columns(),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// The definition without its storage parameters, which can be altered by themselves. That of a
/// btree index on plain columns is written here as `pg_get_indexdef` writes it, which looks all parts up
/// again for each index: some 50 µs in a new session, where this takes 20.
fn indexes() -> String {
    format!(
        "with index as materialized ( \
           select i.*, n.nspname, ic.relname, ic.relkind, ic.reloptions, ic.reltablespace, ic.relam, \
             c.relname as table_name, c.relkind as table_kind \
           from pg_catalog.pg_index i \
           join pg_catalog.pg_class ic on ic.oid = i.indexrelid {schema} \
           join pg_catalog.pg_class c on c.oid = i.indrelid \
           where not exists (select from pg_catalog.pg_constraint k \
               where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')) and {own}), \
         plain as ( \
           select i.indexrelid, pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || case k.option \
               when 0 then '' when 1 then ' DESC NULLS LAST' when 2 then ' NULLS FIRST' else ' DESC' end, ', ' order by k.at) as columns \
           from index i \
           cross join lateral rows from (pg_catalog.unnest(i.indkey::pg_catalog.int2[]), \
               pg_catalog.unnest(i.indclass::pg_catalog.oid[]), pg_catalog.unnest(i.indcollation::pg_catalog.oid[]), \
               pg_catalog.unnest(i.indoption::pg_catalog.int2[])) with ordinality k(number, opclass, coll, option, at) \
           left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number and a.attcollation = k.coll \
           left join pg_catalog.pg_opclass o on o.oid = k.opclass and o.opcdefault and o.oid < 16384 \
             and (o.opcintype = a.atttypid \
               or o.opcintype = 'pg_catalog.text'::pg_catalog.regtype and a.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype) \
           where i.relkind = 'i' and i.indexprs is null and i.indpred is null and i.indnatts = i.indnkeyatts \
             and not i.indnullsnotdistinct and i.reloptions is null and i.relam = {btree} \
           group by i.indexrelid having pg_catalog.bool_and(o.oid is not null)) \
         select i.indexrelid::int8, 0, i.nspname::text, i.relname::text, ''::text, \
           case when o.clause is null then def.text else pg_catalog.replace(def.text, o.clause, '') end as definition, \
           case when pg_catalog.strpos(def.text, o.clause) > 0 then pg_catalog.split_part(def.text, o.clause, 1) end as _before_options, \
           i.reloptions as options, ts.spcname::text as tablespace, am.amname::text as _method, \
           i.indisclustered as clustered, i.indisreplident as replica_identity, \
           i.relkind = 'i' and not (i.indisvalid and i.indisready) as invalid, i.indisunique as _unique, \
           array(select pg_catalog.format('%s=%s', a.attnum, a.attstattarget) from pg_catalog.pg_attribute a \
             where a.attrelid = i.indexrelid and i.indexprs is not null and a.attstattarget >= 0 order by a.attnum) as statistics, \
           case when pc.oid is not null then pg_catalog.format('%I.%I', pn.nspname, pc.relname) end as parent, \
           array[i.nspname::text, i.table_name::text] as _table, i.table_kind::text as _table_kind \
         from index i \
         left join plain on plain.indexrelid = i.indexrelid \
         join pg_catalog.pg_am am on am.oid = i.relam \
         cross join lateral (select case when plain.columns is null then pg_catalog.pg_get_indexdef(i.indexrelid) \
             else pg_catalog.concat('CREATE ', case when i.indisunique then 'UNIQUE ' end, 'INDEX ', pg_catalog.quote_ident(i.relname), \
               ' ON ', pg_catalog.quote_ident(i.nspname), '.', pg_catalog.quote_ident(i.table_name), \
               ' USING btree (', plain.columns, ')') end as text offset 0) def \
         cross join lateral (select ' WITH (' || pg_catalog.string_agg(pg_catalog.quote_ident(o.name) || '=' \
             || case when pg_catalog.quote_ident(o.value) = o.value then o.value else pg_catalog.quote_literal(o.value) end, ', ' order by o.at) || ')' as clause \
           from (select pg_catalog.split_part(x, '=', 1) as name, pg_catalog.substr(x, pg_catalog.strpos(x, '=') + 1) as value, at \
             from pg_catalog.unnest(i.reloptions) with ordinality u(x, at)) o) o \
         left join pg_catalog.pg_tablespace ts on ts.oid = i.reltablespace \
         left join pg_catalog.pg_inherits h on h.inhrelid = i.indexrelid \
         left join pg_catalog.pg_class pc on pc.oid = h.inhparent \
         left join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace",
        btree = BTREE,
        schema = sql::schema("n", "ic.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// The columns in the order of their names: Postgres keeps them in that of the table.
fn statistics() -> String {
    format!(
        "select x.oid::int8, 0, n.nspname::text, x.stxname::text, ''::text, \
           pg_catalog.replace(pg_catalog.pg_get_statisticsobjdef(x.oid), ' ON ' || k.placed, ' ON ' || k.named) as definition, \
           case when x.stxstattarget >= 0 then x.stxstattarget::text end as target, \
           {owner} \
         from pg_catalog.pg_statistic_ext x \
         join pg_catalog.pg_class c on c.oid = x.stxrelid {schema} \
         cross join lateral (select coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by k.at), '') as placed, \
             coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attname), '') as named \
           from pg_catalog.unnest(x.stxkeys::pg_catalog.int2[]) with ordinality k(number, at) \
           join pg_catalog.pg_attribute a on a.attrelid = x.stxrelid and a.attnum = k.number) k \
         where {own}",
        owner = sql::owner("x.stxowner"),
        schema = sql::schema("n", "x.stxnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

fn views(kind: char) -> String {
    format!(
        "select c.oid::int8, 0, {names}, ''::text, \
           pg_catalog.pg_get_viewdef(c.oid) as definition, c.reloptions as options, \
           am.amname::text as access_method, ts.spcname::text as tablespace, \
           c.relispopulated as _populated, \
           array(select pg_catalog.format('%I %s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation) \
             from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             order by a.attnum) as _columns, \
           {owner}, {acl} \
         from pg_catalog.pg_class c {schema} \
         left join pg_catalog.pg_am am on am.oid = c.relam \
         left join pg_catalog.pg_tablespace ts on ts.oid = c.reltablespace \
         where c.relkind = '{kind}' and {own}",
        names = relation_columns(),
        owner = sql::owner("c.relowner"),
        acl = sql::acl("c.relacl", 'r', "c.relowner"),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// Sequences, without those inside identity columns.
fn sequences() -> String {
    format!(
        "select c.oid::int8, 0, {names}, ''::text, {sequence}, c.relpersistence = 'u' as unlogged, \
           case when oc.relname is not null then pg_catalog.format('%I.%I.%I', onn.nspname, oc.relname, oa.attname) end as owned_by, \
           case when oc.relname is not null then array[onn.nspname::text, oc.relname::text, oa.attname::text] end as _owned_by, \
           {owner}, {acl} \
         from pg_catalog.pg_class c {schema} \
         join pg_catalog.pg_sequence s on s.seqrelid = c.oid \
         left join pg_catalog.pg_depend o on o.classid = 'pg_catalog.pg_class'::regclass and o.objid = c.oid \
           and o.objsubid = 0 and o.refclassid = 'pg_catalog.pg_class'::regclass and o.refobjsubid > 0 and o.deptype in ('a', 'i') \
         left join pg_catalog.pg_class oc on oc.oid = o.refobjid \
         left join pg_catalog.pg_namespace onn on onn.oid = oc.relnamespace \
         left join pg_catalog.pg_attribute oa on oa.attrelid = oc.oid and oa.attnum = o.refobjsubid \
         where c.relkind = 'S' and o.deptype is distinct from 'i' and {own}",
        names = relation_columns(),
        sequence = sequence_properties(),
        owner = sql::owner("c.relowner"),
        acl = sql::acl("c.relacl", 's', "c.relowner"),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

/// Triggers, without those that Postgres keeps for foreign keys and for partitions.
fn triggers() -> String {
    format!(
        "select g.oid::int8, 0, {names}, g.tgname::text, \
           pg_catalog.pg_get_triggerdef(g.oid) as definition, \
           case g.tgenabled when 'D' then 'DISABLE' when 'R' then 'ENABLE REPLICA' when 'A' then 'ENABLE ALWAYS' end as enabled, \
           array[n.nspname::text, c.relname::text] as _table \
         from pg_catalog.pg_trigger g \
         join pg_catalog.pg_class c on c.oid = g.tgrelid {schema} \
         where not g.tgisinternal and g.tgparentid = 0 and {own}",
        names = relation_columns(),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

fn rules() -> String {
    format!(
        "select r.oid::int8, 0, {names}, r.rulename::text, \
           pg_catalog.pg_get_ruledef(r.oid) as definition, \
           case r.ev_enabled when 'D' then 'DISABLE' when 'R' then 'ENABLE REPLICA' when 'A' then 'ENABLE ALWAYS' end as enabled \
         from pg_catalog.pg_rewrite r \
         join pg_catalog.pg_class c on c.oid = r.ev_class {schema} \
         where r.rulename <> '_RETURN' and {own}",
        names = relation_columns(),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

fn policies() -> String {
    format!(
        "select p.oid::int8, 0, {names}, p.polname::text, \
           case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end as command, \
           not p.polpermissive as restrictive, \
           array(select case r when 0 then '' else pg_catalog.pg_get_userbyid(r)::text end from pg_catalog.unnest(p.polroles) r order by 1) as roles, \
           pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using_expression, \
           pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check_expression \
         from pg_catalog.pg_policy p \
         join pg_catalog.pg_class c on c.oid = p.polrelid {schema} \
         where {own}",
        names = relation_columns(),
        schema = sql::schema("n", "c.relnamespace"),
        own = sql::own("pg_class", "c.oid"),
    )
}

//! Text search: parsers, templates, dictionaries and configurations.

use super::super::model::Kind;
use super::{Query, class, sql};

pub(super) fn queries(_version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(Kind::TextSearchParser, class::TS_PARSER, parsers()),
        query(Kind::TextSearchTemplate, class::TS_TEMPLATE, templates()),
        query(Kind::TextSearchDictionary, class::TS_DICT, dictionaries()),
        query(
            Kind::TextSearchConfiguration,
            class::TS_CONFIG,
            configurations(),
        ),
    ]
}

fn parsers() -> String {
    format!(
        "select p.oid::int8, 0, n.nspname::text, p.prsname::text, ''::text, \
           pg_catalog.concat_ws(', ', 'START = ' || p.prsstart::text, 'GETTOKEN = ' || p.prstoken::text, \
             'END = ' || p.prsend::text, 'LEXTYPES = ' || p.prslextype::text, \
             case when p.prsheadline <> 0 then 'HEADLINE = ' || p.prsheadline::text end) as definition \
         from pg_catalog.pg_ts_parser p {schema} where {own}",
        schema = sql::schema("n", "p.prsnamespace"),
        own = sql::own("pg_ts_parser", "p.oid"),
    )
}

fn templates() -> String {
    format!(
        "select t.oid::int8, 0, n.nspname::text, t.tmplname::text, ''::text, \
           pg_catalog.concat_ws(', ', case when t.tmplinit <> 0 then 'INIT = ' || t.tmplinit::text end, \
             'LEXIZE = ' || t.tmpllexize::text) as definition \
         from pg_catalog.pg_ts_template t {schema} where {own}",
        schema = sql::schema("n", "t.tmplnamespace"),
        own = sql::own("pg_ts_template", "t.oid"),
    )
}

fn dictionaries() -> String {
    format!(
        "select d.oid::int8, 0, n.nspname::text, d.dictname::text, ''::text, \
           pg_catalog.format('%I.%I', tn.nspname, t.tmplname) as template, d.dictinitoption as options, {owner} \
         from pg_catalog.pg_ts_dict d {schema} \
         join pg_catalog.pg_ts_template t on t.oid = d.dicttemplate \
         join pg_catalog.pg_namespace tn on tn.oid = t.tmplnamespace where {own}",
        owner = sql::owner("d.dictowner"),
        schema = sql::schema("n", "d.dictnamespace"),
        own = sql::own("pg_ts_dict", "d.oid"),
    )
}

/// Mappings are a list of `token=dictionary, dictionary`.
fn configurations() -> String {
    format!(
        "select c.oid::int8, 0, n.nspname::text, c.cfgname::text, ''::text, \
           pg_catalog.format('%I.%I', pn.nspname, p.prsname) as parser, \
           array(select pg_catalog.format('%s=%s', tt.alias, \
               pg_catalog.string_agg(pg_catalog.format('%I.%I', dn.nspname, d.dictname), ', ' order by m.mapseqno)) \
             from pg_catalog.pg_ts_config_map m \
             join pg_catalog.pg_ts_dict d on d.oid = m.mapdict \
             join pg_catalog.pg_namespace dn on dn.oid = d.dictnamespace \
             join pg_catalog.ts_token_type(c.cfgparser) tt on tt.tokid = m.maptokentype \
             where m.mapcfg = c.oid group by tt.alias order by tt.alias) as mappings, \
           {owner} \
         from pg_catalog.pg_ts_config c {schema} \
         join pg_catalog.pg_ts_parser p on p.oid = c.cfgparser \
         join pg_catalog.pg_namespace pn on pn.oid = p.prsnamespace where {own}",
        owner = sql::owner("c.cfgowner"),
        schema = sql::schema("n", "c.cfgnamespace"),
        own = sql::own("pg_ts_config", "c.oid"),
    )
}

//! Foreign data: wrappers, servers, user mappings. Foreign tables are tables.

use super::super::model::Kind;
use super::{Query, class, sql};

pub(super) fn queries(_version: u32) -> Vec<Query> {
    let query = |kind, class, sql| Query { kind, class, sql };
    vec![
        query(
            Kind::ForeignDataWrapper,
            class::FOREIGN_DATA_WRAPPER,
            wrappers(),
        ),
        query(Kind::Server, class::FOREIGN_SERVER, servers()),
        query(Kind::UserMapping, class::USER_MAPPING, user_mappings()),
    ]
}

fn wrappers() -> String {
    format!(
        "select w.oid::int8, 0, ''::text, w.fdwname::text, ''::text, \
           case when w.fdwhandler <> 0 then w.fdwhandler::regproc::text end as handler, \
           case when w.fdwvalidator <> 0 then w.fdwvalidator::regproc::text end as validator, \
           w.fdwoptions as foreign_options, {owner}, {acl} \
         from pg_catalog.pg_foreign_data_wrapper w where {own}",
        owner = sql::owner("w.fdwowner"),
        acl = sql::acl("w.fdwacl", 'F', "w.fdwowner"),
        own = sql::own("pg_foreign_data_wrapper", "w.oid"),
    )
}

fn servers() -> String {
    format!(
        "select s.oid::int8, 0, ''::text, s.srvname::text, ''::text, \
           w.fdwname::text as wrapper, s.srvtype as server_type, nullif(s.srvversion, '') as server_version, \
           s.srvoptions as foreign_options, {owner}, {acl} \
         from pg_catalog.pg_foreign_server s \
         join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw where {own}",
        owner = sql::owner("s.srvowner"),
        acl = sql::acl("s.srvacl", 'S', "s.srvowner"),
        own = sql::own("pg_foreign_server", "s.oid"),
    )
}

/// The options hold passwords; the view shows them to those who may see them.
fn user_mappings() -> String {
    "select m.umid::int8, 0, ''::text, m.srvname::text, \
       case m.umuser when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(m.umuser)) end, \
       m.umoptions as foreign_options \
     from pg_catalog.pg_user_mappings m"
        .into()
}

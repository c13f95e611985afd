//! The catalog as objects: one set-based query for each kind, in one snapshot.
//!
//! Every query gives the address of an object in the catalog (`oid`, `sub`), its `schema`, `name`
//! and `part`, and then its properties, named as the rules know them. Comments and dependencies
//! are the same for all kinds: they are read once, by address.

mod address;
mod code;
mod data;
mod foreign;
mod members;
mod relations;
mod search;
mod sweep;
mod types;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Result;
use crate::postgres::{Cell, Columns, Connection, PgRow};

use super::model::{Id, Kind, Need, Object, Schema, Unmodelled, Value};
use address::{Address, Addresses, Edges};

/// How one kind is read. `class` is the catalog that its addresses are in.
pub(super) struct Query {
    pub kind: Kind,
    pub class: u32,
    pub sql: String,
}

/// The catalogs, by their oids, which are the same on every server.
pub(super) mod class {
    pub const TYPE: u32 = 1247;
    pub const PROC: u32 = 1255;
    pub const CLASS: u32 = 1259;
    pub const FOREIGN_SERVER: u32 = 1417;
    pub const USER_MAPPING: u32 = 1418;
    pub const FOREIGN_DATA_WRAPPER: u32 = 2328;
    pub const ACCESS_METHOD: u32 = 2601;
    pub const ATTRDEF: u32 = 2604;
    pub const CAST: u32 = 2605;
    pub const CONSTRAINT: u32 = 2606;
    pub const CONVERSION: u32 = 2607;
    pub const LANGUAGE: u32 = 2612;
    pub const NAMESPACE: u32 = 2615;
    pub const OPCLASS: u32 = 2616;
    pub const OPERATOR: u32 = 2617;
    pub const REWRITE: u32 = 2618;
    pub const TRIGGER: u32 = 2620;
    pub const OPFAMILY: u32 = 2753;
    pub const EXTENSION: u32 = 3079;
    pub const POLICY: u32 = 3256;
    pub const STATISTIC: u32 = 3381;
    pub const COLLATION: u32 = 3456;
    pub const EVENT_TRIGGER: u32 = 3466;
    pub const TRANSFORM: u32 = 3576;
    pub const TS_DICT: u32 = 3600;
    pub const TS_PARSER: u32 = 3601;
    pub const TS_CONFIG: u32 = 3602;
    pub const TS_TEMPLATE: u32 = 3764;
    pub const SUBSCRIPTION: u32 = 6100;
    pub const PUBLICATION: u32 = 6104;
    pub const DEFAULT_ACL: u32 = 826;
    pub const AMOP: u32 = 2602;
    pub const AMPROC: u32 = 2603;
    pub const PUBLICATION_REL: u32 = 6106;
    pub const PUBLICATION_NAMESPACE: u32 = 6237;
}

/// Reads the whole schema of the connection's database, in one read-only snapshot and with the
/// same number of queries however large it is.
///
/// # Errors
/// `Postgres` where the server refuses a query; the session is left outside a transaction.
pub async fn read(connection: &mut Connection) -> Result<Schema> {
    // What is printed must not depend on the session: names are qualified because nothing is on
    // the path, and constants look the same everywhere. The joins of a large schema stay in memory,
    // and workers would only take the processor from whoever reads the other side.
    connection
        .execute(
            "begin transaction isolation level repeatable read, read only; \
             set local search_path = ''; set local datestyle = 'ISO'; \
             set local intervalstyle = 'postgres'; set local extra_float_digits = 1; \
             set local timezone = 'UTC'; set local bytea_output = 'hex'; \
             set local quote_all_identifiers = off; set local row_security = off; \
             set local jit = off; set local statement_timeout = 0; \
             set local max_parallel_workers_per_gather = 0; set local work_mem = '32MB'",
        )
        .await?;
    let schema = read_snapshot(connection).await;
    let end = connection.execute("rollback").await;
    let schema = schema?;
    end?;
    Ok(schema)
}

async fn read_snapshot(connection: &mut Connection) -> Result<Schema> {
    // What connects a subscription is only for superusers to see.
    let (mut version, mut role, mut sees_connections) = (0, String::new(), false);
    connection
        .for_each(
            "select pg_catalog.current_setting('server_version_num')::pg_catalog.int4 as version, \
               current_user::pg_catalog.text as role, \
               pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'SELECT') as sees_connections",
            |columns, row| {
                version = u32::try_from(columns.number(row, 0)?).unwrap_or_default();
                role = columns.text(row, 1)?.into();
                sees_connections = columns.cell(row, 2)? == Cell::Flag(true);
                Ok(())
            },
        )
        .await?;

    let mut taker = Taker {
        comments: comments(connection).await?,
        ..Taker::default()
    };
    let edges = Edges::read(connection).await?;
    let there = edges.classes();
    let is_there = |query: &Query| trace(query.kind).is_none_or(|class| there.contains(&class));
    for query in queries(version, sees_connections).filter(is_there) {
        taker.names = None;
        connection
            .for_each(&query.sql, |columns, row| taker.take(&query, columns, row))
            .await
            .map_err(|e| e.context(format_args!("cannot read every {}", query.kind)))?;
    }
    let Taker {
        mut objects,
        mut addresses,
        ..
    } = taker;
    address::resolve(edges, &mut addresses, &mut objects);
    types::support(&mut objects);
    inherit(&mut objects);
    let children = objects
        .iter()
        .filter(|o| o.id.kind() == Kind::Table)
        .flat_map(parents_of)
        .map(|(schema, name)| Id::new(Kind::Table, &schema, &name, ""))
        .collect();
    let mut schema = Schema {
        children,
        objects: objects.into_iter().map(|o| (o.id.clone(), o)).collect(),
        unmodelled: sweep::read(connection, &addresses).await?,
        role,
        roles: roles(connection).await?,
        version,
        casts: casts(connection).await?,
    };
    let subscriptions = schema
        .objects()
        .filter(|o| o.id.kind() == Kind::Subscription);
    let unseen: Vec<Unmodelled> = subscriptions
        .filter(|_| !sees_connections)
        .map(|o| Unmodelled {
            kind: "connection (seen by superusers alone) of".into(),
            name: o.id.to_string(),
        })
        .collect();
    schema.unmodelled.extend(unseen);
    schema.unmodelled.sort();
    Ok(schema)
}

/// The catalog in which every object of a kind leaves something that depends on something: on its
/// schema, its table, its type. Where nothing stands there, the query need not even be planned, which
/// for a small schema is most of the time. `None` for what can stand by itself.
fn trace(kind: Kind) -> Option<u32> {
    Some(match kind {
        Kind::View | Kind::MaterializedView | Kind::ViewColumn | Kind::Rule => class::REWRITE,
        Kind::Function | Kind::Procedure | Kind::Aggregate => class::PROC,
        Kind::Default => class::ATTRDEF,
        Kind::Constraint => class::CONSTRAINT,
        Kind::Statistics => class::STATISTIC,
        Kind::Trigger => class::TRIGGER,
        Kind::Policy => class::POLICY,
        Kind::Operator => class::OPERATOR,
        Kind::OperatorClass => class::OPCLASS,
        Kind::Conversion => class::CONVERSION,
        Kind::Collation => class::COLLATION,
        Kind::TextSearchParser => class::TS_PARSER,
        Kind::TextSearchTemplate => class::TS_TEMPLATE,
        Kind::TextSearchDictionary => class::TS_DICT,
        Kind::TextSearchConfiguration => class::TS_CONFIG,
        Kind::Server => class::FOREIGN_SERVER,
        Kind::UserMapping => class::USER_MAPPING,
        _ => return None,
    })
}

fn queries(version: u32, sees_connections: bool) -> impl Iterator<Item = Query> {
    relations::queries(version)
        .into_iter()
        .chain(types::queries(version))
        .chain(code::queries(version))
        .chain(search::queries(version))
        .chain(foreign::queries(version))
        .chain(data::queries(version, sees_connections))
}

/// Turns rows into objects.
#[derive(Default)]
struct Taker {
    objects: Vec<Object>,
    addresses: Addresses,
    comments: FxHashMap<Address, Arc<str>>,
    /// The names of the properties that the present query reads.
    names: Option<Arc<[String]>>,
    /// Every text once: types, defaults and owners are the same again and again.
    texts: FxHashSet<Arc<str>>,
    row: Vec<Option<Value>>,
}

impl Taker {
    /// The first five columns are the address and the name, all others are properties.
    fn take(&mut self, query: &Query, columns: &Columns, row: &PgRow) -> Result<()> {
        let (oid, sub) = (columns.number(row, 0)?, columns.number(row, 1)?);
        let address = Address::new(query.class, oid, sub);
        let name = |at| columns.text(row, at);
        let id = Id::new(query.kind, name(2)?, name(3)?, name(4)?);
        let mut values = std::mem::take(&mut self.row);
        for index in 5..columns.names.len() {
            values.push(match columns.cell(row, index)? {
                Cell::Null | Cell::Flag(false) => None,
                Cell::Flag(true) => Some(self.text("true")),
                Cell::Number(n) => Some(self.text(&n.to_string())),
                Cell::Text(text) => Some(self.text(text)),
                Cell::List(list) => Some(Value::List(list)),
            });
        }
        values.push(self.comments.get(&address).cloned().map(Value::Text));
        let names = self.names.get_or_insert_with(|| {
            let comment = std::iter::once("comment".to_owned());
            columns.names[5..].iter().cloned().chain(comment).collect()
        });
        self.addresses.insert(address, self.objects.len());
        let object = Object::new(id, names.clone(), values.drain(..));
        self.objects.push(object);
        self.row = values;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Value {
        if let Some(known) = self.texts.get(text) {
            return Value::Text(known.clone());
        }
        let new: Arc<str> = text.into();
        self.texts.insert(new.clone());
        Value::Text(new)
    }
}

async fn roles(connection: &mut Connection) -> Result<BTreeSet<String>> {
    let mut roles = BTreeSet::new();
    connection
        .for_each(
            "select rolname::text from pg_catalog.pg_roles",
            |columns, row| {
                roles.insert(columns.text(row, 0)?.into());
                Ok(())
            },
        )
        .await?;
    Ok(roles)
}

async fn comments(connection: &mut Connection) -> Result<FxHashMap<Address, Arc<str>>> {
    let mut comments = FxHashMap::default();
    connection
        .for_each(
            "select classoid::int8, objoid::int8, objsubid, description \
             from pg_catalog.pg_description \
             where objoid >= 16384 \
                or classoid in ('pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_extension'::regclass)",
            |columns, row| {
                let class = u32::try_from(columns.number(row, 0)?).unwrap_or_default();
                let address = Address::new(class, columns.number(row, 1)?, columns.number(row, 2)?);
                comments.insert(address, columns.text(row, 3)?.into());
                Ok(())
            },
        )
        .await?;
    Ok(comments)
}

/// How one type becomes another, by the names that `format_type` gives them.
async fn casts(connection: &mut Connection) -> Result<HashMap<(String, String), char>> {
    let mut casts = HashMap::new();
    connection
        .for_each(
            "select pg_catalog.format_type(castsource, null), \
                    pg_catalog.format_type(casttarget, null), castcontext::text \
             from pg_catalog.pg_cast where castsource <> casttarget",
            |columns, row| {
                let context = columns.text(row, 2)?.chars().next().unwrap_or('e');
                let types = (columns.text(row, 0)?.into(), columns.text(row, 1)?.into());
                casts.insert(types, context);
                Ok(())
            },
        )
        .await?;
    Ok(casts)
}

/// What a child table got from its parents goes with the parents' own, and a column of a typed
/// table with the attribute of its type: the catalog keeps no dependency for either.
fn inherit(objects: &mut [Object]) {
    /// By table: what its parts come from, and the kind of those.
    type Sources = HashMap<(String, String), Vec<(Kind, String, String)>>;
    let mut parents = Sources::new();
    for table in objects.iter().filter(|o| o.id.kind() == Kind::Table) {
        let child = (table.id.schema().to_owned(), table.id.name().to_owned());
        if let [schema, name] = table.list("_of_type") {
            let of = (Kind::Attribute, schema.clone(), name.clone());
            parents.entry(child).or_default().push(of);
        } else if !table.list("_parents").is_empty() {
            let list = parents_of(table).into_iter();
            let list = list.map(|(schema, name)| (table.id.kind(), schema, name));
            parents.entry(child).or_default().extend(list);
        }
    }
    if parents.is_empty() {
        return;
    }
    let known: BTreeSet<Id> = objects
        .iter()
        .filter(|o| {
            matches!(
                o.id.kind(),
                Kind::Column | Kind::Constraint | Kind::Attribute
            )
        })
        .map(|o| o.id.clone())
        .collect();
    for object in objects {
        let id = object.id.clone();
        if !matches!(id.kind(), Kind::Column | Kind::Constraint) {
            continue;
        }
        let child = (id.schema().to_owned(), id.name().to_owned());
        for (kind, schema, name) in parents.get(&child).into_iter().flatten() {
            let kind = match kind {
                Kind::Attribute if id.kind() == Kind::Column => Kind::Attribute,
                Kind::Table if object.flag("_inherited") => id.kind(),
                _ => continue,
            };
            let parent = Id::new(kind, schema, name, id.part());
            if known.contains(&parent) && !object.needs_id(&parent) {
                object.needs.push(Need {
                    id: parent,
                    auto: kind == Kind::Attribute || !object.flag("_local"),
                });
            }
        }
        object.needs.sort();
    }
}

/// The tables that a table inherits from or is a partition of, as `(schema, name)`.
fn parents_of(table: &Object) -> Vec<(String, String)> {
    let list = table.list("_parents");
    list.chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// Pieces of SQL that many queries share.
mod sql {
    /// Joins the schema of an object, and leaves out what belongs to Postgres.
    pub fn schema(alias: &str, oid: &str) -> String {
        format!(
            "join pg_catalog.pg_namespace {alias} on {alias}.oid = {oid} \
             and {alias}.nspname <> 'information_schema' and {alias}.nspname !~ '^pg_' "
        )
    }

    /// True for what does not belong to an extension.
    pub fn own(class: &str, oid: &str) -> String {
        format!(
            "not exists (select from pg_catalog.pg_depend own where own.classid = 'pg_catalog.{class}'::regclass \
             and own.objid = {oid} and own.refclassid = 'pg_catalog.pg_extension'::regclass and own.deptype = 'e') "
        )
    }

    /// Grants as a list of `role=PRIVILEGE,PRIVILEGE*` (`*` with grant option, no role: everybody);
    /// null where they are what `kind` has by default.
    pub fn acl(acl: &str, kind: char, owner: &str) -> String {
        format!(
            "case when {acl} is null or ({acl} @> pg_catalog.acldefault('{kind}', {owner}) \
               and {acl} <@ pg_catalog.acldefault('{kind}', {owner})) then null \
             else {} end as acl",
            acl_list(acl)
        )
    }

    pub fn acl_list(acl: &str) -> String {
        format!(
            "array(select case p.grantee when 0 then '' else pg_catalog.pg_get_userbyid(p.grantee) end || '=' \
               || pg_catalog.string_agg(p.privilege, ',' order by p.privilege) \
             from (select a.grantee, a.privilege_type || case when pg_catalog.bool_or(a.is_grantable) then '*' else '' end as privilege \
               from pg_catalog.aclexplode({acl}) a group by a.grantee, a.privilege_type) p group by p.grantee order by 1)"
        )
    }

    pub fn owner(oid: &str) -> String {
        format!("pg_catalog.pg_get_userbyid({oid})::text as owner")
    }
}

//! What stands on tables: views, indexes, statistics, rules, policies.

use super::tables::Column;
use super::types::{Base, Type};
use super::{Model, Thing, What, ident};

const RELATIONS: &[What] = &[What::Table, What::View, What::MaterializedView];

impl Model {
    /// What can be selected from a table or a view.
    fn selectable(&self, relation: &Thing) -> Vec<Column> {
        match relation.what {
            What::Table => self.columns(relation),
            _ => self
                .query(relation)
                .map(|(columns, _)| columns)
                .unwrap_or_default(),
        }
    }

    /// The columns and the text of a view's query.
    fn query(&self, view: &Thing) -> Option<(Vec<Column>, String)> {
        let earlier = self.before(view, &[What::View, What::MaterializedView]);
        let tables = self.of(&[What::Table]);
        let source = match view.chance("over a view", 3) {
            true => view.choose("view", earlier),
            false => None,
        };
        let source = source.or_else(|| view.choose("table", tables))?;
        let path = self.path(source);
        let from = self.selectable(source);
        if from.is_empty() {
            return Some((Vec::new(), format!("select 1 as one from {path}")));
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut list: Vec<String> = Vec::new();
        for key in ["first", "second", "third", "fourth"] {
            let column = view.pick(key, &from);
            if columns.iter().any(|c| c.name == column.name) {
                continue;
            }
            columns.push(Column {
                computed: true,
                ..column.clone()
            });
            list.push(format!("s.{}", column.name));
        }
        let text = || Type {
            sql: "text".into(),
            base: Base::Text,
            sample: "x".into(),
        };
        if view.chance("expression", 3) {
            let name = ident("computed X");
            let of = view.pick("computed from", &from);
            list.push(format!("s.{}::text || 'x'::text as {name}", of.name));
            columns.push(Column {
                name,
                of: text(),
                computed: true,
            });
        }
        let filter = match view.chance("where", 2) {
            true => format!(" where {}", self.predicate(view, &from)),
            false => String::new(),
        };
        let list = list.join(", ");
        let plain = format!("select {list} from {path} s{filter}");
        let query = match view.below("query", 12) {
            0 => format!("with w as (select * from {path}) select {list} from w s"),
            1 => format!("select distinct {list} from {path} s{filter}"),
            2 => format!("{plain} union all {plain}"),
            3 => format!("{plain} order by 1 limit 5"),
            4 => {
                columns.push(Column {
                    name: "n".into(),
                    of: Type {
                        sql: "bigint".into(),
                        base: Base::Number,
                        sample: "7".into(),
                    },
                    computed: true,
                });
                format!(
                    "select {list}, row_number() over (order by s.{}) as n from {path} s{filter}",
                    columns[0].name
                )
            }
            5 => format!(
                "select {list} from {path} s join {path} s2 using ({}){filter}",
                columns[0].name
            )
            .replace(&filter, ""),
            6 => {
                columns.push(Column {
                    name: "whole".into(),
                    of: text(),
                    computed: true,
                });
                format!("select {list}, s::text as whole from {path} s{filter}")
            }
            _ => plain,
        };
        Some((columns, query))
    }
}

pub(super) fn view(model: &Model, thing: &Thing) -> Vec<String> {
    let Some((columns, query)) = model.query(thing) else {
        return Vec::new();
    };
    let path = model.path(thing);
    let options = thing.pick(
        "options",
        &[
            "",
            "",
            "",
            "",
            " with (security_barrier)",
            " with (security_invoker = true)",
        ],
    );
    let check = thing.pick(
        "check option",
        &[
            "",
            "",
            "",
            "",
            "",
            " with local check option",
            " with cascaded check option",
        ],
    );
    let mut statements = vec![format!("create view {path}{options} as {query}{check}")];
    if let Some(column) = columns.first() {
        let name = &column.name;
        statements.extend(
            thing
                .chance("column comment", 6)
                .then(|| format!("comment on column {path}.{name} is 'it''s one'")),
        );
        if thing.chance("column default", 10) {
            statements.push(format!(
                "alter view {path} alter column {name} set default {}",
                model.default_for(thing, &column.of)
            ));
        }
        if thing.chance("column grant", 10) {
            statements.push(format!("grant select ({name}) on {path} to r_app"));
        }
    }
    statements.extend(model.details(
        thing,
        &format!("view {path}"),
        Some((&path, &["select", "all", "insert, update"])),
    ));
    statements
}

pub(super) fn materialized_view(model: &Model, thing: &Thing) -> Vec<String> {
    let Some((columns, query)) = model.query(thing) else {
        return Vec::new();
    };
    let path = model.path(thing);
    let options = thing.pick("options", &["", "", "", " with (fillfactor = 50)"]);
    let data = thing.pick("data", &["", "", " with no data"]);
    let mut statements = vec![format!(
        "create materialized view {path}{options} as {query}{data}"
    )];
    if let Some(column) = columns.first() {
        let name = &column.name;
        statements.extend(
            thing
                .chance("column comment", 6)
                .then(|| format!("comment on column {path}.{name} is 'one'")),
        );
        statements.extend(thing.chance("column statistics", 10).then(|| {
            format!("alter materialized view {path} alter column {name} set statistics 77")
        }));
    }
    statements.extend(model.details(
        thing,
        &format!("materialized view {path}"),
        Some((&path, &["select", "all"])),
    ));
    statements
}

pub(super) fn index(model: &Model, thing: &Thing) -> Vec<String> {
    let relations = model.of(&[What::Table, What::MaterializedView]);
    let Some(on) = thing.choose("relation", relations) else {
        return Vec::new();
    };
    let columns = model.selectable(on);
    if columns.is_empty() {
        return Vec::new();
    }
    let path = model.path(on);
    let name = ident(&thing.name());
    let column = thing.pick("column", &columns);
    let second = thing.pick("second column", &columns);
    let (value, how) = (&column.name, thing.below("method", 6));
    let mut with = "";
    let mut more = String::new();
    let keys = match column.of.base {
        Base::Vector if how < 3 => {
            with = " with (m = 8, ef_construction = 32)";
            format!(
                "using hnsw ({value} ext.{})",
                thing.pick("vector operators", &["vector_l2_ops", "vector_cosine_ops"])
            )
        }
        Base::Vector => {
            with = " with (lists = 5)";
            format!("using ivfflat ({value} ext.vector_l2_ops)")
        }
        Base::Json | Base::Array | Base::Search => format!("using gin ({value})"),
        Base::Range => format!(
            "using {} ({value})",
            thing.pick("range method", &["gist", "spgist"])
        ),
        Base::Text if how == 0 => format!("using gin ({value} ext.gin_trgm_ops)"),
        Base::Text if how == 1 => format!("(lower({value}::text))"),
        Base::Text if how == 2 => format!("({value} text_pattern_ops)"),
        Base::Text if how == 3 => format!("({value} collate \"C\" desc)"),
        Base::Number if how == 0 => format!("(({value} + 1) desc)"),
        Base::Number if how == 1 => format!("using brin ({value})"),
        Base::Number | Base::Ordered if how == 2 => format!("using hash ({value})"),
        _ => {
            with = thing.word(
                "options",
                &[
                    "",
                    "",
                    "",
                    " with (fillfactor = 70)",
                    " with (deduplicate_items = off)",
                ],
            );
            if thing.chance("include", 5) {
                more.push_str(&format!(" include ({})", second.name));
            }
            let direction = thing.pick("direction", &["", "", " desc", " asc nulls first"]);
            match thing.chance("two columns", 3) {
                true => format!("({value}{direction}, {})", second.name),
                false => format!("({value}{direction})"),
            }
        }
    };
    let unique = match thing.chance("unique", 5) && keys.starts_with('(') {
        true => "unique ",
        false => "",
    };
    let distinct = match !unique.is_empty() && thing.chance("nulls", 4) {
        true => " nulls not distinct",
        false => "",
    };
    let filter = match thing.chance("where", 4) {
        true => format!(" where {}", model.predicate(thing, &columns)),
        false => String::new(),
    };
    let schema = ident(&model.schema_of(on));
    let mut statements = vec![format!(
        "create {unique}index {name} on {path} {keys}{more}{distinct}{with}{filter}"
    )];
    match thing.below("mark", 14) {
        0 => statements.push(format!("alter table {path} cluster on {name}")),
        1 => statements.push(format!(
            "alter table {path} replica identity using index {name}"
        )),
        2 => statements.push(format!(
            "alter index {schema}.{name} alter column 1 set statistics 99"
        )),
        _ => {}
    }
    statements.extend(model.comment(thing, &format!("index {schema}.{name}")));
    statements
}

pub(super) fn statistics(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(on) = thing.choose("relation", model.of(&[What::Table])) else {
        return Vec::new();
    };
    let columns = model.columns(on);
    if columns.len() < 2 {
        return Vec::new();
    }
    let path = model.path(thing);
    let (a, b) = (thing.pick("a", &columns), thing.pick("b", &columns));
    let kinds = thing.pick("kinds", &["", " (ndistinct)", " (dependencies, mcv)"]);
    let list = match thing.chance("expression", 3) {
        true => format!("({}::text), {}", a.name, b.name),
        false => format!("{}, {}", a.name, b.name),
    };
    let mut statements = vec![format!(
        "create statistics {path}{kinds} on {list} from {}",
        model.path(on)
    )];
    if thing.chance("target", 4) {
        statements.push(format!("alter statistics {path} set statistics 50"));
    }
    statements.extend(model.details(thing, &format!("statistics {path}"), None));
    statements
}

pub(super) fn rule(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(on) = thing.choose("relation", model.of(&[What::Table, What::View])) else {
        return Vec::new();
    };
    let (path, name) = (model.path(on), ident(&thing.name()));
    let event = thing.pick("event", &["insert", "update", "delete"]);
    let other = thing.choose("other", model.of(&[What::Table]));
    let action = match (thing.below("action", 4), other) {
        (0, Some(other)) => format!("do also insert into {} default values", model.path(other)),
        (1, _) => "do also notify heard".to_owned(),
        (2, Some(other)) => format!("do instead delete from {} where false", model.path(other)),
        _ => "do instead nothing".to_owned(),
    };
    let columns = model.selectable(on);
    let when = match thing.chance("when", 3) && *event != "insert" && !columns.is_empty() {
        true => {
            let column = thing.pick("about", &columns);
            format!(
                " where {}",
                model.predicate_on(thing, &format!("old.{}", column.name), &column.of)
            )
        }
        false => String::new(),
    };
    let mut statements = vec![format!(
        "create rule {name} as on {event} to {path}{when} {action}"
    )];
    if thing.chance("disabled", 6) && on.what == What::Table {
        statements.push(format!("alter table {path} disable rule {name}"));
    }
    statements.extend(model.comment(thing, &format!("rule {name} on {path}")));
    statements
}

pub(super) fn policy(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(on) = thing.choose("relation", model.of(&[What::Table])) else {
        return Vec::new();
    };
    let (path, name) = (model.path(on), ident(&thing.name()));
    let columns = model.columns(on);
    let how = thing.pick("how", &["", "", " as restrictive"]);
    let command = *thing.pick("for", &["all", "select", "insert", "update", "delete"]);
    let role = thing.pick(
        "role",
        &["public", "r_app", "r_app, pg_monitor", "current_user"],
    );
    let predicate = model.predicate(thing, &columns);
    let body = match command {
        "insert" => format!("with check ({predicate})"),
        "update" | "all" if thing.chance("with check", 2) => {
            format!("using ({predicate}) with check (true)")
        }
        _ => format!("using ({predicate})"),
    };
    let mut statements = vec![format!(
        "create policy {name} on {path}{how} for {command} to {role} {body}"
    )];
    statements.extend(model.comment(thing, &format!("policy {name} on {path}")));
    statements
}

/// Any relation, by its path.
pub(super) fn any(model: &Model, thing: &Thing) -> Option<String> {
    thing
        .choose("relation", model.of(RELATIONS))
        .map(|r| model.path(r))
}

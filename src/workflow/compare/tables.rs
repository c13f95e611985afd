//! Two schemas as the tables and foreign keys of a picture.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::quote_ident;
use crate::report::{Column, Graph, Link, Part, Relation, State, Table};
use crate::schema::{Change, Id, Kind, Object, Rename, Schema, Value, What};

/// Everything that stands on either side; where on both, as it shall be.
pub(super) type All<'a> = BTreeMap<&'a Id, &'a Object>;

pub(super) fn all<'a>(from: &'a Schema, to: &'a Schema) -> All<'a> {
    from.objects()
        .chain(to.objects())
        .map(|object| (&object.id, object))
        .collect()
}

pub(super) fn state(what: &What) -> State {
    match what {
        What::Created { .. } => State::Created,
        What::Dropped => State::Dropped,
        What::Altered { .. } => State::Altered,
    }
}

/// The object that something belongs to: the table of an index, the view of its column; itself
/// where it belongs to nothing.
pub(super) fn whole(id: &Id, all: &All<'_>) -> Id {
    let relations = [Kind::Table, Kind::View, Kind::MaterializedView];
    let relation = |schema: &str, name: &str| {
        relations
            .iter()
            .map(|kind| Id::new(*kind, schema, name, ""))
            .find(|id| all.contains_key(id))
    };
    let named = |property: &str| {
        let [schema, name, ..] = all.get(id)?.list(property) else {
            return None;
        };
        relation(schema, name)
    };
    let found = match id.kind() {
        Kind::Column
        | Kind::Default
        | Kind::Constraint
        | Kind::Trigger
        | Kind::Rule
        | Kind::Policy
        | Kind::ViewColumn => relation(id.schema(), id.name()),
        Kind::Index => named("_table"),
        Kind::Sequence => named("_owned_by"),
        Kind::Statistics => all.get(id).and_then(|object| {
            let table = |id: &Id| matches!(id.kind(), Kind::Table | Kind::Column);
            let need = object.needs.iter().find(|need| table(&need.id))?;
            relation(need.id.schema(), need.id.name())
        }),
        Kind::Attribute => Some(id.beside(Kind::Composite, "")),
        Kind::DomainConstraint => Some(id.beside(Kind::Domain, "")),
        _ => None,
    };
    found.unwrap_or_else(|| id.clone())
}

/// The tables, and where each is in the picture. A partition is where its table is.
pub(super) struct Tables {
    pub graph: Graph,
    pub places: BTreeMap<Id, usize>,
}

pub(super) fn tables(all: &All<'_>, renames: &[Rename], changes: &[Change]) -> Tables {
    let states: BTreeMap<&Id, &What> = changes.iter().map(|c| (&c.object, &c.what)).collect();
    let mut result = Tables {
        graph: Graph::default(),
        places: BTreeMap::new(),
    };
    let tables = || all.values().filter(|o| o.id.kind() == Kind::Table);
    for table in tables().filter(|t| t.text("partition_bound").is_none()) {
        result
            .places
            .insert(table.id.clone(), result.graph.tables.len());
        result.graph.tables.push(Table {
            schema: table.id.schema().to_owned(),
            name: table.id.name().to_owned(),
            state: states
                .get(&table.id)
                .map_or(State::Same, |what| state(what)),
            ..Table::default()
        });
    }
    for table in tables() {
        if let Some(root) = root(table, all)
            && let Some(&place) = result.places.get(&root)
        {
            result.places.insert(table.id.clone(), place);
            result.graph.tables[place].partitions += 1;
        }
    }
    result.add_columns(all, &states);
    result.add_links(all, &states);
    result.add_parents(all, &states);
    result.add_views(all, &states);
    result.add_parts(all, changes);
    result.add_renames(all, renames);
    result
}

/// The partitioned table that a partition belongs to, at whatever depth.
fn root(table: &Object, all: &All<'_>) -> Option<Id> {
    table.text("partition_bound")?;
    let mut id = table.id.clone();
    while let Some(table) = all.get(&id)
        && table.text("partition_bound").is_some()
    {
        let [schema, name, ..] = table.list("_parents") else {
            break;
        };
        id = Id::new(Kind::Table, schema, name, "");
    }
    Some(id)
}

impl Tables {
    fn own_table(&mut self, id: &Id) -> Option<&mut Table> {
        let place = self.places.get(&id.beside(Kind::Table, ""))?;
        let table = &mut self.graph.tables[*place];
        // A partition's columns are those of its table.
        (table.name == id.name() && table.schema == id.schema()).then_some(table)
    }

    fn add_columns(&mut self, all: &All<'_>, states: &BTreeMap<&Id, &What>) {
        let mut columns: Vec<&&Object> = all
            .values()
            .filter(|o| o.id.kind() == Kind::Column)
            .collect();
        let position = |o: &Object| o.get("_position").parse::<u32>().unwrap_or(u32::MAX);
        columns.sort_by_key(|column| position(column));
        for column in columns {
            let what = states.get(&column.id).copied();
            let default = column.id.beside(Kind::Default, column.id.part());
            let state = match (what, states.get(&default)) {
                (Some(what), _) => state(what),
                (None, Some(_)) => State::Altered,
                (None, None) => State::Same,
            };
            let Some(table) = self.own_table(&column.id) else {
                continue;
            };
            table.columns.push(Column {
                name: column.id.part().to_owned(),
                data_type: column.get("type").to_owned(),
                type_before: what.and_then(type_before),
                not_null: column.flag("not_null"),
                state,
                ..Column::default()
            });
        }
    }

    fn add_links(&mut self, all: &All<'_>, states: &BTreeMap<&Id, &What>) {
        let constraints = || all.values().filter(|o| o.id.kind() == Kind::Constraint);
        for key in constraints() {
            let columns = key.list("_columns");
            let form = key.get("form").to_owned();
            let Some(table) = self.own_table(&key.id) else {
                continue;
            };
            for column in table
                .columns
                .iter_mut()
                .filter(|c| columns.contains(&c.name))
            {
                match form.as_str() {
                    "primary key" => column.primary = true,
                    "unique" => column.unique |= columns.len() == 1,
                    "foreign key" => column.foreign = true,
                    _ => {}
                }
            }
        }
        let unique = unique_columns(all);
        // What a partition has from its table's key is that key.
        let own = |c: &&&Object| c.get("form") == "foreign key" && !c.flag("_inherited");
        for key in constraints().filter(own) {
            let own = key.id.beside(Kind::Table, "");
            let [schema, name] = key.list("_references") else {
                continue;
            };
            let other = Id::new(Kind::Table, schema, name, "");
            let (Some(&from), Some(&to)) = (self.places.get(&own), self.places.get(&other)) else {
                continue;
            };
            let columns = key.list("_columns");
            let column = |name: &String| all.get(&key.id.beside(Kind::Column, name));
            let not_null = |name: &String| column(name).is_some_and(|c| c.flag("not_null"));
            let within = |set: &BTreeSet<String>| set.iter().all(|name| columns.contains(name));
            self.graph.links.push(Link {
                relation: Relation::Refers,
                name: key.id.part().to_owned(),
                from,
                columns: columns.to_vec(),
                to,
                optional: !columns.iter().all(not_null),
                unique: unique.get(&own).is_some_and(|sets| sets.iter().any(within)),
                state: states.get(&key.id).map_or(State::Same, |what| state(what)),
            });
        }
    }

    /// Inheritance. A partition is where its table is.
    fn add_parents(&mut self, all: &All<'_>, states: &BTreeMap<&Id, &What>) {
        let is_child =
            |o: &&&Object| o.id.kind() == Kind::Table && o.text("partition_bound").is_none();
        for table in all.values().filter(is_child) {
            for (at, pair) in table.list("_parents").chunks_exact(2).enumerate() {
                let parent = Id::new(Kind::Table, &pair[0], &pair[1], "");
                let state = match states.get(&table.id) {
                    Some(What::Altered { properties }) => {
                        let path = table.list("inherits").get(at);
                        let changed = properties.iter().find(|p| p.name == "inherits");
                        let had = |from: &Option<Value>| match (from, path) {
                            (Some(Value::List(list)), Some(path)) => list.contains(path),
                            _ => false,
                        };
                        match changed.is_none_or(|property| had(&property.from)) {
                            true => State::Same,
                            false => State::Created,
                        }
                    }
                    what => what.map_or(State::Same, |what| state(what)),
                };
                self.link(Relation::Inherits, &table.id, &parent, state);
            }
        }
    }

    /// The views that changed, and what they read, other views included.
    fn add_views(&mut self, all: &All<'_>, states: &BTreeMap<&Id, &What>) {
        let is_view = |kind| matches!(kind, Kind::View | Kind::MaterializedView);
        let views = || all.values().filter(|o| is_view(o.id.kind()));
        let reads = |view: &Object| -> BTreeSet<Id> {
            view.needs.iter().map(|n| whole(&n.id, all)).collect()
        };
        let changed = || views().filter(|view| states.contains_key(&view.id));
        let read: BTreeSet<Id> = changed().flat_map(|view| reads(view)).collect();
        let shown = |view: &&&Object| states.contains_key(&view.id) || read.contains(&view.id);
        for view in views().filter(shown) {
            // Only their order is the view's to tell.
            let order = view.list("_columns");
            let place = |column: &Object| {
                let name = column.id.part();
                let names = [format!("{name} "), format!("{} ", quote_ident(name))];
                let is_it = |text: &String| names.iter().any(|name| text.starts_with(name));
                order.iter().position(is_it)
            };
            let name = (view.id.schema(), view.id.name());
            let of_view = |o: &&&Object| {
                o.id.kind() == Kind::ViewColumn && (o.id.schema(), o.id.name()) == name
            };
            let mut columns: Vec<&&Object> = all.values().filter(of_view).collect();
            columns.sort_by_key(|column| place(column));
            let columns = columns.into_iter().map(|column| Column {
                name: column.id.part().to_owned(),
                data_type: column.get("_type").to_owned(),
                // Nothing says whether it may be null.
                not_null: true,
                state: states
                    .get(&column.id)
                    .map_or(State::Same, |what| state(what)),
                ..Column::default()
            });
            self.places.insert(view.id.clone(), self.graph.tables.len());
            self.graph.tables.push(Table {
                schema: view.id.schema().to_owned(),
                name: view.id.name().to_owned(),
                kind: view.id.kind().name().to_owned(),
                state: states.get(&view.id).map_or(State::Same, |what| state(what)),
                columns: columns.collect(),
                ..Table::default()
            });
        }
        for view in changed() {
            for other in reads(view).iter().filter(|other| **other != view.id) {
                self.link(Relation::Reads, &view.id, other, state(states[&view.id]));
            }
        }
    }

    fn link(&mut self, relation: Relation, from: &Id, to: &Id, state: State) {
        let (Some(&from), Some(&to)) = (self.places.get(from), self.places.get(to)) else {
            return;
        };
        self.graph.links.push(Link {
            relation,
            from,
            to,
            state,
            ..Link::default()
        });
    }

    /// What else changed about a table, and that a table is not the same where only a part is not.
    fn add_parts(&mut self, all: &All<'_>, changes: &[Change]) {
        for change in changes {
            let whole = whole(&change.object, all);
            let Some(&place) = self.places.get(&whole) else {
                continue;
            };
            let table = &mut self.graph.tables[place];
            if matches!(table.state, State::Created | State::Dropped) {
                continue;
            }
            table.state = State::Altered;
            let object = &change.object;
            let is_link = all
                .get(object)
                .is_some_and(|o| o.get("form") == "foreign key");
            let is_own = whole.name() == table.name && whole.schema() == table.schema;
            let (kind, name) = match (&change.what, object.kind()) {
                (_, Kind::Table) if !is_own => ("partition", object.name().to_owned()),
                _ if !is_own => continue,
                (_, Kind::Column | Kind::Default | Kind::ViewColumn) => continue,
                // What its query is now is no part of it.
                (_, Kind::View | Kind::MaterializedView) => continue,
                (_, Kind::Constraint) if is_link => continue,
                (What::Altered { properties }, Kind::Table) => {
                    let names = properties.iter().map(|p| p.name.replace('_', " "));
                    ("table", names.collect::<Vec<_>>().join(", "))
                }
                (_, kind) if object.part().is_empty() => (kind.name(), object.name().to_owned()),
                (_, kind) => (kind.name(), object.part().to_owned()),
            };
            table.parts.push(Part {
                kind: kind.to_owned(),
                name,
                state: state(&change.what),
            });
        }
    }

    fn add_renames(&mut self, all: &All<'_>, renames: &[Rename]) {
        for rename in renames {
            let Some(&place) = self.places.get(&whole(&rename.to, all)) else {
                continue;
            };
            let table = &mut self.graph.tables[place];
            if table.state == State::Same {
                table.state = State::Altered;
            }
            let (old, new) = short_names(rename);
            let column = table.columns.iter_mut().find(|c| c.name == new);
            match (rename.to.kind(), column) {
                (Kind::Table, _) => table.name_before = Some(old),
                (Kind::Column, Some(column)) => {
                    column.name_before = Some(old);
                    if column.state == State::Same {
                        column.state = State::Altered;
                    }
                }
                (kind, _) => table.parts.push(Part {
                    kind: kind.name().to_owned(),
                    name: format!("{old} → {new}"),
                    state: State::Altered,
                }),
            }
        }
    }
}

/// The old and the new name alone, without what they belong to.
pub(super) fn short_names(rename: &Rename) -> (String, String) {
    let short = |id: &Id| match id.part() {
        "" => id.name().to_owned(),
        _ if id.kind().takes_arguments() => id.name().to_owned(),
        part => part.to_owned(),
    };
    match &rename.value {
        Some((old, new)) => (old.clone(), new.clone()),
        None => (short(&rename.from), short(&rename.to)),
    }
}

fn type_before(what: &What) -> Option<String> {
    let What::Altered { properties } = what else {
        return None;
    };
    let property = properties.iter().find(|p| p.name == "type")?;
    property.from.as_ref().map(Value::to_string)
}

/// For each table the sets of columns of which no two rows have the same values.
fn unique_columns(all: &All<'_>) -> BTreeMap<Id, Vec<BTreeSet<String>>> {
    let mut unique: BTreeMap<Id, Vec<BTreeSet<String>>> = BTreeMap::new();
    for object in all.values() {
        let (table, columns) = match object.id.kind() {
            Kind::Constraint if matches!(object.get("form"), "primary key" | "unique") => (
                object.id.beside(Kind::Table, ""),
                object.list("_columns").iter().cloned().collect(),
            ),
            Kind::Index if object.flag("_unique") => {
                // What an index needs: its columns, and those of its expressions and condition. If
                // `f(a)` is unique, `a` is; a condition on other columns makes the set larger.
                let needs = object.needs.iter().map(|need| &need.id);
                let columns = needs.filter(|id| id.kind() == Kind::Column);
                let names: BTreeSet<String> = columns.map(|id| id.part().to_owned()).collect();
                (whole(&object.id, all), names)
            }
            _ => continue,
        };
        if !columns.is_empty() {
            unique.entry(table).or_default().push(columns);
        }
    }
    unique
}

//! Plans between small schemas made by hand: what happens to others because of a change.

use super::model::{Id, Kind, Need, Object, Schema, Value};
use super::{diff, plan};

fn object(id: &Id, properties: &[(&str, &str)], needs: &[(&Id, bool)]) -> Object {
    let names: Vec<String> = properties.iter().map(|(n, _)| (*n).to_owned()).collect();
    let values = properties
        .iter()
        .map(|(_, v)| (!v.is_empty()).then(|| Value::Text((*v).into())));
    let mut object = Object::new(id.clone(), names.into(), values);
    object.needs = needs
        .iter()
        .map(|(id, auto)| Need {
            id: (*id).clone(),
            auto: *auto,
        })
        .collect();
    object.needs.sort();
    object
}

fn schema(objects: Vec<Object>) -> Schema {
    Schema {
        objects: objects.into_iter().map(|o| (o.id.clone(), o)).collect(),
        ..Schema::default()
    }
}

fn table() -> Id {
    Id::new(Kind::Table, "s", "t", "")
}

fn column() -> Id {
    Id::new(Kind::Column, "s", "t", "c")
}

fn view() -> Id {
    Id::new(Kind::View, "s", "v", "")
}

/// A table with a column of the given type, an index on it, and a view over it with a comment.
fn sample(kind: &str) -> Vec<Object> {
    let index = Id::new(Kind::Index, "s", "i", "");
    vec![
        object(&table(), &[("form", "plain")], &[]),
        object(
            &column(),
            &[("type", kind), ("_base", kind), ("_local", "true")],
            &[(&table(), true)],
        ),
        object(
            &index,
            &[("definition", "CREATE INDEX i ON s.t USING btree (c)")],
            &[(&column(), true), (&table(), true)],
        ),
        object(
            &view(),
            &[("definition", "SELECT c FROM s.t;"), ("comment", "kept")],
            &[(&column(), false)],
        ),
    ]
}

fn statements(from: &Schema, to: &Schema) -> Vec<String> {
    plan(from, to).steps.into_iter().map(|s| s.sql).collect()
}

#[test]
fn the_same_schema_needs_no_step() {
    let one = schema(sample("integer"));
    assert!(diff(&one, &one).is_empty());
    assert!(plan(&one, &one).is_empty());
}

#[test]
fn a_view_makes_way_for_a_new_type_and_comes_back_with_its_comment() {
    let (from, to) = (schema(sample("smallint")), schema(sample("integer")));
    assert_eq!(
        statements(&from, &to),
        [
            "DROP VIEW s.v",
            "ALTER TABLE s.t ALTER COLUMN c TYPE integer USING c::text::integer",
            "CREATE VIEW s.v AS\nSELECT c FROM s.t",
            "COMMENT ON VIEW s.v IS 'kept'",
        ]
    );
}

#[test]
fn what_goes_unasked_is_not_dropped_by_itself() {
    let (from, to) = (schema(sample("integer")), schema(Vec::new()));
    assert_eq!(statements(&from, &to), ["DROP VIEW s.v", "DROP TABLE s.t"]);
}

#[test]
fn a_column_is_made_with_its_table() {
    let (from, to) = (schema(Vec::new()), schema(sample("integer")));
    assert_eq!(
        statements(&from, &to),
        [
            "CREATE TABLE s.t (\n    c integer\n)",
            "CREATE INDEX i ON s.t USING btree (c)",
            "CREATE VIEW s.v AS\nSELECT c FROM s.t",
            "COMMENT ON VIEW s.v IS 'kept'",
        ]
    );
}

#[test]
fn a_column_moves_over_from_a_type_that_is_made_anew() {
    let mood = Id::new(Kind::Enum, "s", "mood", "");
    let with = |labels: &[&str]| {
        let labels = labels.iter().map(|l| (*l).to_owned()).collect();
        let names: Vec<String> = vec!["labels".into()];
        let kind = Object::new(mood.clone(), names.into(), vec![Some(Value::List(labels))]);
        let column = object(
            &column(),
            &[("type", "s.mood"), ("_base", "s.mood"), ("_local", "true")],
            &[(&mood, false), (&table(), true)],
        );
        schema(vec![
            kind,
            object(&table(), &[("form", "plain")], &[]),
            column,
        ])
    };
    assert_eq!(
        statements(&with(&["a", "b"]), &with(&["b"])),
        [
            "ALTER TYPE s.mood RENAME TO mood__old",
            "CREATE TYPE s.mood AS ENUM ('b')",
            "ALTER TABLE s.t ALTER COLUMN c TYPE s.mood USING c::text::s.mood",
            "DROP TYPE s.mood__old",
        ]
    );
    assert_eq!(
        statements(&with(&["b"]), &with(&["a", "b", "c"])),
        [
            "ALTER TYPE s.mood ADD VALUE 'a' BEFORE 'b'",
            "ALTER TYPE s.mood ADD VALUE 'c'",
        ]
    );
}

#[test]
fn the_plan_is_data() {
    let (from, to) = (schema(sample("integer")), schema(Vec::new()));
    let json = serde_json::to_value(plan(&from, &to)).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["steps"][1]["sql"], "DROP TABLE s.t");
    assert_eq!(json["steps"][1]["kind"], "table");
    assert_eq!(json["steps"][1]["object"], "s.t");
    assert_eq!(json["steps"][1]["transaction"], 1);
    assert_eq!(json["steps"][1]["hazards"][0]["kind"], "data-loss");
}

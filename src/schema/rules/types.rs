//! Types that people define: enums, composites, ranges.
//!
//! A type that cannot be altered is renamed, made anew, and dropped when the columns have moved
//! over; see [`Context::old`].

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, inherited};

pub(in super::super) struct Enums;
pub(in super::super) struct Composites;
pub(in super::super) struct Attributes;
pub(in super::super) struct Ranges;

pub(super) fn type_target(object: &Object) -> String {
    format!("TYPE {}", object.id.path())
}

pub(super) fn rename_type(object: &Object, name: &str) -> Vec<String> {
    let target = type_target(object);
    vec![format!("ALTER {target} RENAME TO {}", text::ident(name))]
}

impl Rules for Enums {
    fn target(&self, object: &Object) -> String {
        type_target(object)
    }

    fn create(&self, _: &Context, object: &Object) -> Vec<Step> {
        let labels: Vec<String> = object
            .list("labels")
            .iter()
            .map(|l| text::literal(l))
            .collect();
        let sql = format!(
            "CREATE TYPE {} AS ENUM ({})",
            object.id.path(),
            labels.join(", ")
        );
        vec![Step::create(&object.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        let (old, new) = (from.list("labels"), to.list("labels"));
        let kept: Vec<&String> = new.iter().filter(|l| old.contains(l)).collect();
        if !kept.iter().copied().eq(old) {
            return Alter::Rebuild;
        }
        let mut steps = Vec::new();
        for (i, label) in new.iter().enumerate().filter(|(_, l)| !old.contains(l)) {
            // After the one before it, which stands by now; at the front before the first old one.
            let place = match (i.checked_sub(1), old.first()) {
                (Some(before), _) if i + 1 == new.len() && old.last() == new.get(before) => {
                    String::new()
                }
                (Some(before), _) => format!(" AFTER {}", text::literal(&new[before])),
                (None, Some(first)) => format!(" BEFORE {}", text::literal(first)),
                (None, None) => String::new(),
            };
            let sql = format!(
                "ALTER TYPE {} ADD VALUE {}{place}",
                to.id.path(),
                text::literal(label)
            );
            let mut step = Step::alter(&to.id, sql).hazard(
                HazardKind::NotReversible,
                "an enum value can be taken away only with a new type",
            );
            step.adds_value = Some(label.clone());
            steps.push(step);
        }
        Alter::Steps(steps)
    }

    fn rename(&self, object: &Object, name: &str) -> Vec<String> {
        rename_type(object, name)
    }
}

fn attribute_clause(attribute: &Object) -> String {
    let collation = attribute
        .text("collation")
        .map(|c| format!(" COLLATE {c}"))
        .unwrap_or_default();
    format!(
        "{} {}{collation}",
        text::ident(attribute.id.part()),
        attribute.get("type")
    )
}

impl Rules for Composites {
    fn target(&self, object: &Object) -> String {
        type_target(object)
    }

    fn create(&self, cx: &Context, object: &Object) -> Vec<Step> {
        let mut attributes: Vec<&Object> = cx.to.parts(&object.id, Kind::Attribute).collect();
        attributes.sort_by_key(|a| a.get("_position").parse::<u32>().unwrap_or(0));
        let list: Vec<String> = attributes.into_iter().map(attribute_clause).collect();
        let sql = format!("CREATE TYPE {} AS ({})", object.id.path(), list.join(", "));
        vec![Step::create(&object.id, sql)]
    }

    fn rename(&self, object: &Object, name: &str) -> Vec<String> {
        rename_type(object, name)
    }
}

/// Typed tables of the type follow only when told to, even one that is about to go.
fn cascade(cx: &Context, attribute: &Object) -> &'static str {
    let whole = attribute.id.beside(Kind::Composite, "");
    let mut dependents = cx.dependents(&whole);
    if dependents.any(|(o, _)| o.id.kind() == Kind::Table) {
        " CASCADE"
    } else {
        ""
    }
}

impl Rules for Attributes {
    fn target(&self, attribute: &Object) -> String {
        format!("COLUMN {}", attribute.id.path())
    }

    fn maker(&self, cx: &Context, attribute: &Object) -> Option<Id> {
        let whole = attribute.id.beside(Kind::Composite, "");
        cx.created(&whole).then_some(whole)
    }

    fn create(&self, cx: &Context, attribute: &Object) -> Vec<Step> {
        let sql = format!(
            "ALTER TYPE {} ADD ATTRIBUTE {}{}",
            super::relation_path(&attribute.id),
            attribute_clause(attribute),
            cascade(cx, attribute)
        );
        vec![Step::create(&attribute.id, sql)]
    }

    fn drop(&self, cx: &Context, attribute: &Object) -> Vec<Step> {
        let sql = format!(
            "ALTER TYPE {} DROP ATTRIBUTE {}{}",
            super::relation_path(&attribute.id),
            text::ident(attribute.id.part()),
            cascade(cx, attribute)
        );
        let message = format!("every value of {} goes away", attribute.id);
        vec![Step::drop(&attribute.id, sql).hazard(HazardKind::DataLoss, message)]
    }

    fn alter(&self, cx: &Context, _: &Object, to: &Object, _: &Changed) -> Alter {
        let whole = to.id.beside(Kind::Composite, "");
        // Postgres alters no attribute of a type that some column has, if only inside of another.
        let in_use = cx
            .dependents(&whole)
            .any(|(o, _)| o.id.beside(Kind::Composite, "") != whole);
        if in_use || cx.lost(&to.id).next().is_some() {
            return Alter::RebuildWhole(whole);
        }
        let collation = to
            .text("collation")
            .map(|c| format!(" COLLATE {c}"))
            .unwrap_or_default();
        let sql = format!(
            "ALTER TYPE {} ALTER ATTRIBUTE {} TYPE {}{collation}{}",
            super::relation_path(&to.id),
            text::ident(to.id.part()),
            to.get("type"),
            cascade(cx, to)
        );
        let mut step = Step::alter(&to.id, sql);
        step.alters = inherited::followers(cx, &to.id);
        Alter::Steps(vec![step])
    }

    fn loss(&self, _: &Context, attribute: &Object, lost: &Id) -> Loss {
        if *lost == attribute.id.beside(Kind::Composite, "") {
            Loss::Rebuild
        } else {
            Loss::Alter
        }
    }
}

/// The name that Postgres gives to the multirange of a range.
fn default_multirange(id: &Id) -> String {
    let name = match id.name().contains("range") {
        true => id.name().replacen("range", "multirange", 1),
        false => format!("{}_multirange", id.name()),
    };
    text::qualified(id.schema(), &name)
}

impl Rules for Ranges {
    fn target(&self, object: &Object) -> String {
        type_target(object)
    }

    fn create(&self, _: &Context, object: &Object) -> Vec<Step> {
        let mut options = vec![format!("SUBTYPE = {}", object.get("subtype"))];
        let words = [
            ("operator_class", "SUBTYPE_OPCLASS"),
            ("collation", "COLLATION"),
            ("canonical", "CANONICAL"),
            ("subtype_diff", "SUBTYPE_DIFF"),
            ("multirange", "MULTIRANGE_TYPE_NAME"),
        ];
        for (name, word) in words {
            if let Some(value) = object
                .text(name)
                .filter(|value| name != "multirange" || *value != default_multirange(&object.id))
            {
                options.push(format!("{word} = {value}"));
            }
        }
        let sql = format!(
            "CREATE TYPE {} AS RANGE ({})",
            object.id.path(),
            options.join(", ")
        );
        vec![Step::create(&object.id, sql)]
    }

    fn rename(&self, object: &Object, name: &str) -> Vec<String> {
        let mut statements = rename_type(object, name);
        let constructor = |function: &str, arguments: &str, name: &str| {
            let name = text::ident(name);
            format!("ALTER FUNCTION {function}({arguments}) RENAME TO {name}")
        };
        let (path, of) = (object.id.path(), object.get("subtype"));
        statements.push(constructor(&path, &format!("{of}, {of}"), name));
        statements.push(constructor(&path, &format!("{of}, {of}, text"), name));
        if let Some(multirange) = object.text("multirange") {
            // What tells the two names of the range apart must not be cut off.
            let end = name.rfind("__old").map_or("", |at| &name[at..]);
            let name = text::with_suffix(object.id.name(), &format!("{end}_multirange"));
            let to = text::ident(&name);
            statements.push(format!("ALTER TYPE {multirange} RENAME TO {to}"));
            // The constructor is where the range is.
            let own = object.list("_multirange").last();
            let own = own.map(|own| text::qualified(object.id.schema(), own));
            statements.extend(own.map(|own| constructor(&own, "", &name)));
        }
        statements
    }
}

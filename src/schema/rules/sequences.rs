//! Sequences, free or owned by a column, and the ones inside identity columns.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{Action, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, alter_table, details};

pub(in super::super) struct Sequences;

/// Smallest and largest value of a sequence of a type.
fn bounds(kind: &str) -> (i64, i64) {
    match kind {
        "smallint" => (i16::MIN.into(), i16::MAX.into()),
        "integer" => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

fn number(object: &Object, name: &str) -> i64 {
    object.get(name).parse().unwrap_or_default()
}

/// The options that are not what `CREATE SEQUENCE` takes by itself, in its words.
fn options(sequence: &Object, with_type: bool) -> Vec<String> {
    let mut options = Vec::new();
    let kind = sequence.get("sequence_type");
    if with_type && kind != "bigint" {
        options.push(format!("AS {kind}"));
    }
    let increment = number(sequence, "increment");
    let (low, high) = bounds(kind);
    let (min, max) = if increment > 0 { (1, high) } else { (low, -1) };
    let start = if increment > 0 {
        number(sequence, "minvalue")
    } else {
        number(sequence, "maxvalue")
    };
    let mut option = |name: &str, word: &str, default: i64| {
        if number(sequence, name) != default {
            options.push(format!("{word} {}", sequence.get(name)));
        }
    };
    option("increment", "INCREMENT BY", 1);
    option("minvalue", "MINVALUE", min);
    option("maxvalue", "MAXVALUE", max);
    option("start", "START WITH", start);
    option("cache", "CACHE", 1);
    if sequence.flag("cycle") {
        options.push("CYCLE".into());
    }
    options
}

/// What differs, in the words of ALTER SEQUENCE. A position outside new bounds starts again.
fn changes(from: &Object, to: &Object) -> Vec<String> {
    let mut options = Vec::new();
    let differs = |name: &str| from.text(name) != to.text(name);
    if differs("sequence_type") {
        options.push(format!("AS {}", to.get("sequence_type")));
    }
    let words = [
        ("increment", "INCREMENT BY"),
        ("minvalue", "MINVALUE"),
        ("maxvalue", "MAXVALUE"),
        ("start", "START WITH"),
        ("cache", "CACHE"),
    ];
    for (name, word) in words {
        // A new type moves bounds that were the old one's own.
        let (old, new) = (
            bounds(from.get("sequence_type")),
            bounds(to.get("sequence_type")),
        );
        let moved = match (name, number(from, name)) {
            ("minvalue", n) if n == old.0 => new.0,
            ("maxvalue", n) if n == old.1 => new.1,
            (_, n) => n,
        };
        if number(to, name) != moved {
            options.push(format!("{word} {}", to.get(name)));
        }
    }
    if differs("cycle") {
        options.push(
            if to.flag("cycle") {
                "CYCLE"
            } else {
                "NO CYCLE"
            }
            .into(),
        );
    }
    let (min, max) = (number(to, "minvalue"), number(to, "maxvalue"));
    let position = match from.text("_last") {
        Some(_) => number(from, "_last"),
        None => number(from, "start"),
    };
    if position < min || position > max {
        options.push(format!("RESTART WITH {}", to.get("start")));
    }
    options
}

/// ` (START WITH 5)` of an identity column, or nothing.
pub(super) fn identity_options(column: &Object) -> String {
    let mut options = options(column, false);
    let default = format!("{}_{}_seq", column.id.name(), column.id.part());
    if column
        .text("_sequence_name")
        .is_some_and(|name| name != default)
    {
        options.insert(0, format!("SEQUENCE NAME {}", column.get("_sequence")));
    }
    if options.is_empty() {
        String::new()
    } else {
        format!(" ({})", options.join(" "))
    }
}

/// Whether how an identity column counts now does not fit its new type.
pub(super) fn outgrows(from: &Object, to: &Object) -> bool {
    let (low, high) = bounds(to.get("sequence_type"));
    let own = bounds(from.get("sequence_type"));
    let fits = |name: &str, own: i64| {
        let bound = number(from, name);
        bound == own || (low..=high).contains(&bound)
    };
    from.text("identity").is_some()
        && to.text("identity").is_some()
        && !(fits("minvalue", own.0) && fits("maxvalue", own.1))
}

/// Adds identity, or alters how it counts. Taking it away is the column's own first step.
pub(super) fn alter_identity(cx: &Context, from: &Object, to: &Object, steps: &mut Vec<Step>) {
    let Some(identity) = to.text("identity") else {
        return;
    };
    // Without ONLY: a partition has its parent's, anything else that inherits has none.
    let column = format!(
        "{} ALTER COLUMN {}",
        alter_table(cx, &to.id),
        text::ident(to.id.part())
    );
    let Some(present) = from.text("identity") else {
        let sql = format!(
            "{column} ADD GENERATED {identity} AS IDENTITY{}",
            identity_options(to)
        );
        steps.push(Step::alter(&to.id, sql));
        return;
    };
    let mut options: Vec<String> = Vec::new();
    if identity != present {
        options.push(format!("SET GENERATED {identity}"));
    }
    // The type follows the column's.
    let changes = changes(from, to)
        .into_iter()
        .filter(|c| !c.starts_with("AS "));
    options.extend(changes.map(|c| match c.starts_with("RESTART") {
        true => c,
        false => format!("SET {c}"),
    }));
    if !options.is_empty() {
        steps.push(Step::alter(
            &to.id,
            format!("{column} {}", options.join(" ")),
        ));
    }
}

/// The sequence of an identity column may be logged where the table is not, and the other way.
pub(super) fn identity_persistence(
    _: &Context,
    from: Option<&Object>,
    to: &Object,
) -> Option<Step> {
    let differs =
        from.and_then(|f| f.text("sequence_persistence")) != to.text("sequence_persistence");
    if !differs || to.text("identity").is_none() {
        return None;
    }
    let how = match to.text("sequence_persistence")? {
        "u" => "UNLOGGED",
        _ => "LOGGED",
    };
    let sql = format!("ALTER SEQUENCE {} SET {how}", to.get("_sequence"));
    Some(Step::detail(&to.id, sql))
}

fn owner_column(sequence: &Object) -> Option<Id> {
    match sequence.list("_owned_by") {
        [schema, table, column] => Some(Id::new(Kind::Column, schema, table, column)),
        _ => None,
    }
}

/// The table whose column owns a sequence.
pub(super) fn owner_table(sequence: &Object) -> Option<Id> {
    owner_column(sequence).map(|column| column.beside(Kind::Table, ""))
}

/// Makes a sequence a column's. Table and sequence must have one owner by then; afterwards what
/// happens to the table's happens to the sequence's.
fn owned_by(cx: &Context, from: Option<&Object>, sequence: &Object) -> Vec<Step> {
    let owner = sequence.text("owned_by").unwrap_or("NONE");
    let sql = format!("ALTER SEQUENCE {} OWNED BY {owner}", sequence.id.path());
    let table = owner_table(sequence);
    let step = Step::detail(&sequence.id, sql)
        .needing(owner_column(sequence))
        .needing(table.as_ref().map(details::owned));
    let mut steps = Vec::from_iter(details::owner(cx, from, sequence));
    steps.push(step);
    steps
}

impl Rules for Sequences {
    fn create(&self, _: &Context, sequence: &Object) -> Vec<Step> {
        let unlogged = if sequence.flag("unlogged") {
            "UNLOGGED "
        } else {
            ""
        };
        let mut sql = format!("CREATE {unlogged}SEQUENCE {}", sequence.id.path());
        for option in options(sequence, true) {
            sql.push(' ');
            sql.push_str(&option);
        }
        vec![Step::create(&sequence.id, sql)]
    }

    /// The column that owns it may need it for its default: owning comes after both.
    fn waits_for(&self, _: &Object, need: &Id) -> bool {
        !matches!(need.kind(), Kind::Column | Kind::Table)
    }

    fn finish(&self, cx: &Context, sequence: &Object) -> Vec<Step> {
        if sequence.text("owned_by").is_some() {
            owned_by(cx, None, sequence)
        } else {
            Vec::new()
        }
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let mut steps = Vec::new();
        let path = to.id.path();
        let owner = owner_column(from);
        let loses = owner.as_ref().filter(|id| cx.destroyed(id));
        let moves = changed.has("owned_by") || loses.is_some();
        if moves && let Some(owner) = &owner {
            let sql = format!("ALTER SEQUENCE {path} OWNED BY NONE");
            let leaves = owner_table(from) != owner_table(to);
            let hands = from.text("owner") != to.text("owner");
            if loses.is_some() || leaves || hands {
                let mut step = Step::detail(&to.id, sql).releasing([owner.clone()]);
                // First of all: until then what happens to the table's owner happens to it.
                step.action = Action::Drop;
                steps.push(step);
            }
        }
        let changes = changes(from, to);
        if !changes.is_empty() {
            let step = Step::detail(
                &to.id,
                format!("ALTER SEQUENCE {path} {}", changes.join(" ")),
            );
            steps.push(step);
        }
        if changed.has("unlogged") {
            let how = if to.flag("unlogged") {
                "UNLOGGED"
            } else {
                "LOGGED"
            };
            steps.push(Step::detail(
                &to.id,
                format!("ALTER SEQUENCE {path} SET {how}"),
            ));
        }
        if moves && to.text("owned_by").is_some() {
            steps.extend(owned_by(cx, Some(from), to));
        }
        Alter::Steps(steps)
    }

    fn loss(&self, _: &Context, _: &Object, _: &Id) -> Loss {
        Loss::Alter
    }
}

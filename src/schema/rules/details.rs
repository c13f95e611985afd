//! What can be said about objects of any kind: a comment, an owner, grants.

use std::collections::{BTreeMap, BTreeSet};

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema, Value};
use super::super::plan::Step;
use super::super::text;
use super::{of, sequences};

/// The steps that bring comment, owner and grants to what they shall be. `from` is the object as
/// it stands, or nothing where it has just been made.
pub(in super::super) fn details(cx: &Context, from: Option<&Object>, to: &Object) -> Vec<Step> {
    let mut steps = Vec::new();
    let table = sequences::owner_table(to);
    // A sequence that belongs to a table has its owner.
    if table.is_none() {
        steps.extend(owner(cx, from, to));
    }
    steps.extend(comment(from, to));
    // Those of columns wait for the whole's new owner.
    if !whole(cx.to, to).is_some_and(|whole| changes_hands(cx, whole)) {
        let mut after = Vec::new();
        grants(cx, from, to, &mut after);
        let after = after.into_iter();
        steps.extend(after.map(|step| step.needing(table.as_ref().map(owned))));
    }
    steps.extend(sequence_grants(cx, from, to));
    if table.is_none()
        && changes_hands(cx, to)
        && let Some(step) = steps.first_mut()
    {
        let owned = owned(&to.id);
        step.makes.push(owned.clone());
        for column in columns(cx.to, to) {
            let mut after = Vec::new();
            let from = cx.from.get(&column.id).filter(|c| cx.stays(&c.id));
            grants(cx, from, column, &mut after);
            steps.extend(after.into_iter().map(|step| step.needing([owned.clone()])));
        }
    }
    steps
}

/// Grants on the sequence inside an identity column. It has its table's owner.
fn sequence_grants(cx: &Context, from: Option<&Object>, to: &Object) -> Vec<Step> {
    let from = from.filter(|from| from.text("identity").is_some());
    if to.text("identity").is_none() {
        return Vec::new();
    }
    let name = from.unwrap_or(to).get("_sequence_name");
    let sequence = |column: &Object| {
        let names = ["owner".to_owned(), "acl".to_owned()];
        let values = ["_owner", "sequence_acl"].map(|name| column.value(name).cloned());
        let id = Id::new(Kind::Sequence, column.id.schema(), name, "");
        Object::new(id, names.into(), values)
    };
    let mut steps = Vec::new();
    grants(cx, from.map(sequence).as_ref(), &sequence(to), &mut steps);
    for step in &mut steps {
        step.object = to.id.clone();
        step.needs = vec![to.id.clone(), owned(&to.id.beside(Kind::Table, ""))];
    }
    steps
}

/// Stands for an object's having its owner.
pub(super) fn owned(id: &Id) -> Id {
    id.beside(id.kind(), &format!("{}\u{1}owned", id.part()))
}

/// The relation that a column belongs to.
fn whole<'a>(schema: &'a Schema, column: &Object) -> Option<&'a Object> {
    let kinds = [Kind::Table, Kind::View, Kind::MaterializedView];
    let mut ids = kinds.iter().map(|kind| column.id.beside(*kind, ""));
    ids.find_map(|id| schema.get(&id))
        .filter(|_| is_column(column.id.kind()))
}

fn columns<'a>(schema: &'a Schema, whole: &'a Object) -> impl Iterator<Item = &'a Object> {
    let has = matches!(
        whole.id.kind(),
        Kind::Table | Kind::View | Kind::MaterializedView
    );
    let kinds = [Kind::Column, Kind::ViewColumn].into_iter();
    let kinds = kinds.filter(move |_| has);
    kinds.flat_map(|kind| schema.parts(&whole.id, kind))
}

fn changes_hands(cx: &Context, to: &Object) -> bool {
    let from = cx.from.get(&to.id).filter(|o| cx.stays(&o.id));
    owner(cx, from, to).is_some()
}

/// Who owns an object, or the relation that it is a column of.
fn owner_of<'a>(schema: &'a Schema, object: &'a Object) -> &'a str {
    whole(schema, object).unwrap_or(object).get("owner")
}

pub(super) fn owner(cx: &Context, from: Option<&Object>, to: &Object) -> Option<Step> {
    let wanted = to.text("owner")?;
    let present = match from {
        Some(from) => from.get("owner"),
        // Who makes an object owns it.
        None => &cx.from.role,
    };
    if wanted == present {
        return None;
    }
    let target = of(to.id.kind()).target(to);
    let sql = format!("ALTER {target} OWNER TO {}", text::role(wanted));
    let mut step = Step::detail(&to.id, sql);
    step.makes.push(owned(&to.id));
    Some(step)
}

fn comment(from: Option<&Object>, to: &Object) -> Option<Step> {
    let present = match from {
        Some(from) => from.text("comment"),
        // Some objects come with a comment.
        None => to.text("_comment"),
    };
    let wanted = to.text("comment");
    if wanted == present {
        return None;
    }
    let target = match to.id.kind() {
        Kind::ViewColumn => format!("COLUMN {}", to.id.path()),
        kind => of(kind).target(to),
    };
    let text = wanted.map_or_else(|| "NULL".to_owned(), text::literal);
    Some(Step::detail(
        &to.id,
        format!("COMMENT ON {target} IS {text}"),
    ))
}

/// By role (empty for everybody): privileges, and whether each can be granted on.
type Grants = BTreeMap<String, BTreeMap<String, bool>>;

/// Reads `role=SELECT,INSERT*`.
pub(super) fn parse(list: &[String]) -> Grants {
    let mut grants = Grants::new();
    for item in list {
        let (role, privileges) = item.rsplit_once('=').unwrap_or((item, ""));
        let entry = grants.entry(role.to_owned()).or_default();
        for privilege in privileges.split(',').filter(|p| !p.is_empty()) {
            match privilege.strip_suffix('*') {
                Some(privilege) => entry.insert(privilege.to_owned(), true),
                None => entry.insert(privilege.to_owned(), false),
            };
        }
    }
    grants
}

/// What owner and everybody may do where nothing is said.
fn built_in(kind: Kind, owner: &str, version: u32) -> Grants {
    let (own, all): (&[&str], &[&str]) = match kind {
        Kind::Table | Kind::View | Kind::MaterializedView => (table_privileges(version), &[]),
        Kind::Sequence => (&["SELECT", "UPDATE", "USAGE"], &[]),
        Kind::Schema => (&["CREATE", "USAGE"], &[]),
        Kind::Function | Kind::Procedure | Kind::Aggregate => (&["EXECUTE"], &["EXECUTE"]),
        Kind::BaseType
        | Kind::Enum
        | Kind::Domain
        | Kind::Composite
        | Kind::Range
        | Kind::Language => (&["USAGE"], &["USAGE"]),
        Kind::ForeignDataWrapper | Kind::Server => (&["USAGE"], &[]),
        _ => (&[], &[]),
    };
    let mut grants = Grants::new();
    for (role, privileges) in [(owner, own), ("", all)] {
        if !privileges.is_empty() {
            let privileges = privileges.iter().map(|p| ((*p).to_owned(), false));
            grants.insert(role.to_owned(), privileges.collect());
        }
    }
    grants
}

fn table_privileges(version: u32) -> &'static [&'static str] {
    const ALL: &[&str] = &[
        "DELETE",
        "INSERT",
        "REFERENCES",
        "SELECT",
        "TRIGGER",
        "TRUNCATE",
        "UPDATE",
        "MAINTAIN",
    ];
    if version >= 170_000 { ALL } else { &ALL[..7] }
}

fn grants_of(object: &Object, version: u32) -> Grants {
    match object.value("acl") {
        Some(Value::List(list)) => parse(list),
        _ => built_in(object.id.kind(), object.get("owner"), version),
    }
}

fn grants(cx: &Context, from: Option<&Object>, to: &Object, steps: &mut Vec<Step>) {
    let kind = to.id.kind();
    let wanted = grants_of(to, cx.to.version);
    let mut present = match from {
        Some(from) => grants_of(from, cx.from.version),
        None => built_in(kind, to.get("owner"), cx.to.version),
    };
    if let Some(from) = from {
        // A new owner takes over what the old one had.
        let (old, new) = (owner_of(cx.from, from), owner_of(cx.to, to));
        if old != new
            && let Some(own) = present.remove(old)
        {
            let present = present.entry(new.to_owned()).or_default();
            for (privilege, grantable) in own {
                *present.entry(privilege).or_default() |= grantable;
            }
        }
    } else {
        // What privileges by default gave or took when it was made depends on who makes it: say
        // everything.
        let altered = roles_with_defaults(cx.from, kind, to.id.schema());
        if !altered.is_empty() {
            for role in altered {
                if role != to.get("owner") && !wanted.contains_key(&role) {
                    push(
                        to,
                        steps,
                        &format!("REVOKE ALL ON {}", on(to)),
                        "FROM",
                        &role,
                        "",
                    );
                } else if role != to.get("owner") {
                    push(
                        to,
                        steps,
                        &format!("REVOKE ALL ON {}", on(to)),
                        "FROM",
                        &role,
                        "",
                    );
                    present.remove(&role);
                }
            }
            if !wanted.get("").is_none_or(BTreeMap::is_empty) {
                present.remove("");
            }
        }
    }
    if present == wanted {
        return;
    }
    let roles: BTreeSet<&String> = present.keys().chain(wanted.keys()).collect();
    let none = BTreeMap::new();
    let mut revokes = Vec::new();
    let mut gives = Vec::new();
    for role in roles {
        let has = present.get(role).unwrap_or(&none);
        let wants = wanted.get(role).unwrap_or(&none);
        let revoke = |privilege: &&String| match wants.get(*privilege) {
            None => true,
            // The option alone is taken back by taking all and giving again.
            Some(option) => has[*privilege] && !option,
        };
        let taken: Vec<&String> = has.keys().filter(revoke).collect();
        let all = wants.is_empty() && !has.is_empty() && !is_column(kind);
        if all {
            push(
                to,
                &mut revokes,
                &format!("REVOKE ALL ON {}", on(to)),
                "FROM",
                role,
                "",
            );
        } else if !taken.is_empty() {
            let list = privileges(to, taken.iter().map(|p| p.as_str()));
            push(
                to,
                &mut revokes,
                &format!("REVOKE {list} ON {}", on(to)),
                "FROM",
                role,
                "",
            );
        }
        if !taken.is_empty() && from.is_some() {
            let taken = |privilege: &String| all || taken.contains(&privilege);
            again_on_columns(cx, to, role, taken, &mut gives);
        }
        for option in [false, true] {
            let given: Vec<&str> = wants
                .iter()
                .filter(|(p, o)| **o == option && (has.get(*p) != Some(o) || taken.contains(p)))
                .map(|(p, _)| p.as_str())
                .collect();
            if !given.is_empty() {
                let list = privileges(to, given.into_iter());
                let with = if option { " WITH GRANT OPTION" } else { "" };
                push(
                    to,
                    &mut gives,
                    &format!("GRANT {list} ON {}", on(to)),
                    "TO",
                    role,
                    with,
                );
            }
        }
    }
    steps.append(&mut revokes);
    steps.append(&mut gives);
}

/// What is taken on a whole relation is taken on its columns as well: those that keep it get it
/// once more.
fn again_on_columns(
    cx: &Context,
    relation: &Object,
    role: &str,
    taken: impl Fn(&String) -> bool,
    steps: &mut Vec<Step>,
) {
    for kind in [Kind::Column, Kind::ViewColumn] {
        for column in cx.to.parts(&relation.id, kind) {
            let Some(present) = cx.from.get(&column.id).filter(|_| cx.stays(&column.id)) else {
                continue;
            };
            let (has, wants) = (
                grants_of(present, cx.from.version),
                grants_of(column, cx.to.version),
            );
            let (Some(has), Some(wants)) = (has.get(role), wants.get(role)) else {
                continue;
            };
            for (privilege, option) in wants {
                if taken(privilege) && has.contains_key(privilege) {
                    let list = privileges(column, std::iter::once(privilege.as_str()));
                    let with = if *option { " WITH GRANT OPTION" } else { "" };
                    push(
                        column,
                        steps,
                        &format!("GRANT {list} ON {}", on(column)),
                        "TO",
                        role,
                        with,
                    );
                }
            }
        }
    }
}

fn push(object: &Object, steps: &mut Vec<Step>, what: &str, word: &str, role: &str, end: &str) {
    let sql = format!("{what} {word} {}{end}", text::role(role));
    steps.push(Step::detail(&object.id, sql));
}

fn is_column(kind: Kind) -> bool {
    matches!(kind, Kind::Column | Kind::ViewColumn)
}

fn on(object: &Object) -> String {
    match object.id.kind() {
        kind if is_column(kind) => format!("TABLE {}", super::relation_path(&object.id)),
        kind => of(kind).grant_target(object),
    }
}

/// `SELECT, INSERT`, for columns `SELECT (a), INSERT (a)`.
fn privileges<'a>(object: &Object, list: impl Iterator<Item = &'a str>) -> String {
    let column = match object.id.kind() {
        kind if is_column(kind) => format!(" ({})", text::ident(object.id.part())),
        _ => String::new(),
    };
    let list: Vec<String> = list.map(|p| format!("{p}{column}")).collect();
    list.join(", ")
}

/// The roles that privileges by default, as they are while the plan runs, speak of for a kind.
fn roles_with_defaults(from: &Schema, kind: Kind, schema: &str) -> BTreeSet<String> {
    let class = match kind {
        Kind::Table | Kind::View | Kind::MaterializedView => "TABLES",
        Kind::Sequence => "SEQUENCES",
        Kind::Function | Kind::Procedure | Kind::Aggregate => "FUNCTIONS",
        Kind::BaseType | Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range => "TYPES",
        Kind::Schema => "SCHEMAS",
        _ => return BTreeSet::new(),
    };
    let mut roles = BTreeSet::new();
    for object in from.of_kind(Kind::DefaultPrivileges) {
        let id = &object.id;
        let applies = id.part() == class && (id.schema().is_empty() || id.schema() == schema);
        if applies {
            let built_in = parse(object.list("_builtin"));
            let altered = parse(object.list("grants"));
            for role in built_in.keys().chain(altered.keys()) {
                if built_in.get(role) != altered.get(role) {
                    roles.insert(role.clone());
                }
            }
        }
    }
    roles
}

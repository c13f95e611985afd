//! Columns of tables.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{Action, HazardKind, Step};
use super::super::text;
use super::{
    Alter, Changed, Loss, Rules, alter_only, alter_table, domains, inherited, links, not_null,
    retype, row_types, sequences,
};

pub(in super::super) struct Columns;

pub(super) fn table_id(part: &Id) -> Id {
    part.beside(Kind::Table, "")
}

/// A column as CREATE TABLE and ADD COLUMN take it, with the default that is made with it.
pub(super) fn clause(cx: &Context, column: &Object) -> String {
    let mut sql = format!("{} {}", text::ident(column.id.part()), column.get("type"));
    if let Some(collation) = column.text("collation") {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    sql.push_str(&attributes(cx, column));
    sql
}

/// What follows the type: options, default, identity, generated, not null.
pub(super) fn attributes(cx: &Context, column: &Object) -> String {
    let mut sql = String::new();
    if !column.list("foreign_options").is_empty() {
        sql.push_str(&text::with_foreign_options(column.list("foreign_options")));
    }
    if let Some(default) = inline_default(cx, column) {
        sql.push_str(&format!(" DEFAULT {}", default.get("definition")));
    }
    if let Some(expression) = column.text("expression") {
        let how = column.get("generated");
        sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {how}"));
    }
    if column.flag("not_null") && !column.flag("not_null_not_valid") {
        sql.push_str(&not_null::not_null(cx, column));
    }
    if let Some(identity) = column.text("identity") {
        sql.push_str(&format!(
            " GENERATED {identity} AS IDENTITY{}",
            sequences::identity_options(column)
        ));
    }
    sql
}

pub(super) fn default_of(column: &Id) -> Id {
    column.beside(Kind::Default, column.part())
}

fn inline_default<'a>(cx: &Context<'a>, column: &Object) -> Option<&'a Object> {
    let id = default_of(&column.id);
    let default = cx.to.get(&id)?;
    (cx.created(&id) && !cx.is_apart(&id)).then_some(default)
}

/// The new column before this one: they come in the order in which they shall stand. A computed one
/// may need others that stand after it.
fn new_before(cx: &Context, column: &Object) -> Option<Id> {
    let position = |o: &Object| o.get("_position").parse::<i16>().unwrap_or_default();
    let table = table_id(&column.id);
    let columns = cx.to.parts(&table, Kind::Column);
    let plain = |o: &&Object| o.text("expression").is_none() && cx.created(&o.id);
    columns
        .filter(plain)
        .filter(|o| position(o) < position(column))
        .max_by_key(|o| position(o))
        .map(|o| o.id.clone())
}

/// Whether a computed column stays as a plain one: its expression goes in place.
fn lets_go(cx: &Context, column: &Object) -> bool {
    let to = cx.to.get(&column.id);
    column.text("generated") == Some("STORED")
        && cx.stays(&column.id)
        && to.is_some_and(|to| to.text("generated").is_none())
}

/// Whether it is a column of another table.
pub(super) fn is_elsewhere(id: &Id, column: &Id) -> bool {
    id.kind() == Kind::Column && table_id(id) != table_id(column)
}

/// Stands for a column's being gone.
pub(super) fn gone(column: &Id) -> Id {
    column.beside(Kind::Column, &format!("{}\u{1}gone", column.part()))
}

/// Stands for the ends of those columns of a table that stays which are dropped by themselves.
pub(super) fn going<'a>(cx: &'a Context, table: &'a Id) -> impl Iterator<Item = Id> + 'a {
    let columns = cx.from.parts(table, Kind::Column);
    let goes = |column: &&Object| cx.stays(table) && cx.destroyed(&column.id);
    columns.filter(goes).map(|column| gone(&column.id))
}

impl Rules for Columns {
    fn maker(&self, cx: &Context, column: &Object) -> Option<Id> {
        let table = table_id(&column.id);
        if cx.created(&table) {
            return Some(table);
        }
        inherited::from_parent(cx, column).filter(|parent| {
            cx.created(parent) && (!column.flag("_local") || parent.kind() == Kind::Attribute)
        })
    }

    fn create(&self, cx: &Context, column: &Object) -> Vec<Step> {
        let table = table_id(&column.id);
        // Postgres adds no identity column to a table and its children at once.
        let plain = column.with("identity", None);
        let later = column.text("identity").is_some() && inherited::has_children(cx, &table);
        let clause = clause(cx, if later { &plain } else { column });
        let sql = format!("{} ADD COLUMN {clause}", alter_table(cx, &column.id));
        let children = cx.wanted_dependents(&column.id);
        let stays = |o: &&Object| is_elsewhere(&o.id, &column.id) && cx.stays(&o.id);
        let mut step = Step::create(&column.id, sql)
            .needing(links::unlinked_children(cx, &table))
            .needing(children.filter(stays).map(|child| child.id.clone()))
            .needing(new_before(cx, column))
            .needing(row_types::before_new(cx, column));
        let default = inline_default(cx, column);
        let rewrites = column.text("generated") == Some("STORED")
            || (column.text("identity").is_some() && !later)
            || default.is_some_and(|d| d.flag("_volatile"));
        if rewrites {
            step = step.rewriting(&table);
        }
        let empty = default.is_none()
            && column.text("expression").is_none()
            && (column.text("identity").is_none() || later);
        if column.flag("not_null") && !column.flag("not_null_not_valid") && empty {
            let message = "fails where the table has rows: a new column is null in them";
            step = step.hazard(HazardKind::DependsOnRows, message);
        } else if empty && let Some(domain) = domains::own_default_may_fail(cx, column) {
            let message = format!(
                "fails where the table has rows and what a new column holds in them is no value of {domain}"
            );
            step = step.hazard(HazardKind::DependsOnRows, message);
        }
        let mut steps = vec![step];
        if later {
            sequences::alter_identity(cx, &plain, column, &mut steps);
            for step in &mut steps[1..] {
                step.action = Action::Detail;
                step.needs.push(column.id.clone());
            }
        }
        steps
    }

    fn finish(&self, cx: &Context, column: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        if inherited::is_unsaid(cx, column) {
            let parents: Vec<&Object> = inherited::parents(cx, column).collect();
            let alter = |what: &str| {
                let alter = alter_only(cx, &column.id);
                let name = text::ident(column.id.part());
                Step::detail(&column.id, format!("{alter} ALTER COLUMN {name} {what}"))
            };
            if column.flag("not_null") && !parents.iter().any(|p| p.flag("not_null")) {
                steps.push(alter("SET NOT NULL"));
            }
            let has_default = |o: &Object| {
                let id = default_of(&o.id);
                cx.to.contains(&id) || cx.from.contains(&id)
            };
            let plain = column.text("expression").is_none();
            let none = plain && !cx.to.contains(&default_of(&column.id));
            if none && parents.iter().any(|p| has_default(p)) {
                steps.push(alter("DROP DEFAULT"));
            }
        }
        // A clause of the column cannot say NOT VALID.
        if column.flag("not_null_not_valid") && !column.flag("_inherited") {
            steps.push(Step::detail(&column.id, not_null::add_not_null(cx, column)));
        }
        steps.extend(not_null::not_null_comment(None, column));
        storage(cx, None, column, &mut steps);
        steps.extend(sequences::identity_persistence(cx, None, column));
        steps
    }

    fn drop(&self, cx: &Context, column: &Object) -> Vec<Step> {
        let kept = inherited::is_kept_below(cx, &column.id);
        let alter = if kept {
            alter_only(cx, &column.id)
        } else {
            alter_table(cx, &column.id)
        };
        let sql = format!("{alter} DROP COLUMN {}", text::ident(column.id.part()));
        let mut step = Step::drop(&column.id, sql);
        step.makes.push(gone(&column.id));
        let parents = column.needs.iter().map(|need| &need.id);
        step.needs
            .extend(parents.filter(|id| is_elsewhere(id, &column.id)).map(gone));
        if column.text("expression").is_some() {
            return vec![step];
        }
        vec![step.hazard(
            HazardKind::DataLoss,
            format!("every value of {} goes away", column.id),
        )]
    }

    fn goes_with(&self, cx: &Context, column: &Object, whole: &Id) -> bool {
        let table = table_id(&column.id);
        match whole.kind() {
            Kind::Column => {
                let stays = links::leaves(cx, &table, &table_id(whole))
                    || inherited::is_kept_below(cx, whole);
                !(stays || cx.destroyed(&table))
            }
            Kind::Attribute => !(links::leaves_type(cx, &table) || cx.destroyed(&table)),
            _ => true,
        }
    }

    /// What children had from their parent can be dropped by itself only after the parent's; what
    /// else is done to the table is no matter.
    fn waits_for(&self, column: &Object, need: &Id) -> bool {
        !is_elsewhere(need, &column.id) && *need != table_id(&column.id)
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let mut steps = Vec::new();
        let was = from.text("generated");
        let is = to.text("generated");
        // A plain column cannot become a computed one in place, nor a virtual one any other.
        if (was != is && (is.is_some() || was == Some("VIRTUAL")))
            || (changed.has("expression") && is.is_some() && cx.from.version < 170_000)
        {
            return Alter::Rebuild;
        }
        let parent = inherited::from_parent(cx, to);
        let follows = |names: &[&str]| {
            let parent = parent.as_ref();
            parent.is_some_and(|parent| inherited::same_change(cx, parent, from, to, names))
        };
        let inherited = follows(&["type", "collation"]);
        let only = alter_only(cx, &to.id);
        let alter =
            |what: &str| format!("{only} ALTER COLUMN {} {what}", text::ident(to.id.part()));
        let table = table_id(&to.id);
        let exclusive = |sql: String| Step::alter(&to.id, sql);
        if was.is_some() && is.is_none() && !follows(&["generated"]) {
            // Postgres takes it from the children in the same statement only.
            let sql = format!("{} ALTER COLUMN", alter_table(cx, &to.id));
            let sql = format!("{sql} {} DROP EXPRESSION", text::ident(to.id.part()));
            let mut step = exclusive(sql);
            step.alters = inherited::followers(cx, &to.id);
            steps.push(step);
        }
        if from.text("identity").is_some() && to.text("identity").is_none() {
            let alter = format!("{} ALTER COLUMN", alter_table(cx, &to.id));
            let sql = format!("{alter} {} DROP IDENTITY", text::ident(to.id.part()));
            steps.push(exclusive(sql));
        }
        let shrinks = sequences::outgrows(from, to);
        if shrinks {
            sequences::alter_identity(cx, from, to, &mut steps);
        }
        let retyped = cx.lost(&to.id).any(|lost| cx.is_remade(lost));
        let waits = row_types::lets_go(cx, &to.id);
        let new_type = changed.any(&["type", "collation"]) || retyped || waits;
        if new_type && !inherited {
            if from.flag("_in_key") {
                return Alter::RebuildWhole(table);
            }
            // Its values cannot be converted, but computed again.
            if is.is_some() && retype::using(cx, from, to, retyped).is_some() {
                return Alter::Rebuild;
            }
            let mut new = match waits {
                true => row_types::steps(cx, from, to, retyped),
                false => vec![retype::step(cx, from, to, retyped)],
            };
            let followers = inherited::followers(cx, &to.id);
            // What a parent still has a child cannot make another.
            let parents = from.needs.iter().map(|need| &need.id);
            let parents = parents.filter(|id| is_elsewhere(id, &to.id) && cx.destroyed(id));
            let parents = parents.map(gone);
            let dependents = cx.dependents(&to.id).map(|(dependent, _)| dependent);
            let free = dependents.filter(|dependent| lets_go(cx, dependent));
            let free = free.map(|dependent| dependent.id.clone());
            let rows = row_types::free(cx, followers.iter().chain([&to.id]));
            let first = &mut new[0].needs;
            first.extend(parents.chain(free).chain(rows));
            first.extend(retype::kept_toast(cx, &table));
            if let Some(last) = new.last_mut() {
                last.needs.extend(row_types::settled(cx, to));
            }
            for step in &mut new {
                step.alters.clone_from(&followers);
            }
            steps.extend(new);
        }
        if was.is_some() && is.is_some() && changed.has("expression") {
            let sql = alter(&format!("SET EXPRESSION AS ({})", to.get("expression")));
            steps.push(exclusive(sql).rewriting(&table));
        }
        let null_inherited =
            parent.as_ref().is_some_and(|p| p.kind() == Kind::Column) && follows(&["not_null"]);
        not_null::nullability(cx, from, to, changed, null_inherited, &mut steps);
        steps.extend(not_null::not_null_comment(Some(from), to));
        if !shrinks {
            sequences::alter_identity(cx, from, to, &mut steps);
        }
        steps.extend(sequences::identity_persistence(cx, Some(from), to));
        // A new type brings its own storage with it.
        let stored = from.with("storage", None).with("compression", None);
        let mut kept = Vec::new();
        storage(
            cx,
            Some(if new_type { &stored } else { from }),
            to,
            &mut kept,
        );
        // A type that comes from the parent comes with the parent's statement.
        steps.extend(kept.into_iter().map(|step| step.needing(parent.clone())));
        let options =
            text::foreign_option_changes(from.list("foreign_options"), to.list("foreign_options"));
        if !options.is_empty() {
            steps.push(exclusive(alter(&format!("OPTIONS ({options})"))));
        }
        Alter::Steps(steps)
    }

    fn loss(&self, _: &Context, column: &Object, lost: &Id) -> Loss {
        match lost.kind() {
            // A computed value can be computed again; anything else must be kept.
            _ if column.text("expression").is_some() => Loss::Rebuild,
            Kind::Table if *lost == table_id(&column.id) => Loss::Rebuild,
            _ => Loss::Alter,
        }
    }

    fn keepers(&self, cx: &Context, from: &Object, to: &Object) -> Vec<Id> {
        let table = table_id(&to.id);
        match is_retyped(cx, from, to) && cx.stays(&table) {
            true => row_types::keepers(cx, &table).into_iter().collect(),
            false => Vec::new(),
        }
    }

    fn disturbs(&self, cx: &Context, from: &Object, to: &Object, dependent: &Object) -> bool {
        if !is_retyped(cx, from, to) {
            return false;
        }
        match dependent.id.kind() {
            Kind::View
            | Kind::MaterializedView
            | Kind::Rule
            | Kind::Policy
            | Kind::Trigger
            | Kind::Function
            | Kind::Procedure
            | Kind::Publication => true,
            Kind::Column => {
                dependent.text("expression").is_some()
                    && !is_elsewhere(&dependent.id, &to.id)
                    && !lets_go(cx, dependent)
            }
            // While it is text, nothing of it can be told apart.
            _ if row_types::lets_go(cx, &to.id) => true,
            Kind::Default => !retype::default_survives(from, to),
            // Made anew by Postgres, without their target.
            Kind::Statistics => dependent.text("target").is_some(),
            Kind::Constraint => {
                dependent.get("form") == "foreign key" && from.text("_base") != to.text("_base")
            }
            _ => false,
        }
    }
}

/// Whether it gets another type, if only for a time.
pub(super) fn is_retyped(cx: &Context, from: &Object, to: &Object) -> bool {
    from.text("type") != to.text("type")
        || from.text("collation") != to.text("collation")
        || cx.lost(&to.id).any(|lost| cx.is_remade(lost))
        || row_types::lets_go(cx, &to.id)
}

/// How values are kept, and how the planner looks at them.
pub(super) fn storage(cx: &Context, from: Option<&Object>, to: &Object, steps: &mut Vec<Step>) {
    let relation = alter_only(cx, &to.id);
    let relation = relation.replace("ALTER VIEW", "ALTER TABLE");
    let column = format!("{relation} ALTER COLUMN {}", text::ident(to.id.part()));
    let differs = |name: &str| from.and_then(|f| f.text(name)) != to.text(name);
    let mut push = |sql: String| steps.push(Step::detail(&to.id, sql));
    if differs("storage") {
        let storage = to.text("storage").unwrap_or("DEFAULT");
        // DEFAULT is understood from 16 on.
        if storage != "DEFAULT" || cx.from.version >= 160_000 {
            push(format!("{column} SET STORAGE {storage}"));
        } else {
            push(format!("{column} SET STORAGE EXTENDED"));
        }
    }
    if differs("compression") {
        let method = to.text("compression").unwrap_or("default");
        push(format!("{column} SET COMPRESSION {method}"));
    }
    if differs("statistics") {
        let target = to.text("statistics").unwrap_or("-1");
        push(format!("{column} SET STATISTICS {target}"));
    }
    let none: &[String] = &[];
    let old = from.map_or(none, |f| f.list("options"));
    let (set, reset) = text::parameter_changes(old, to.list("options"));
    if !set.is_empty() {
        push(format!("{column} SET ({})", text::parameters(&set)));
    }
    if !reset.is_empty() {
        push(format!("{column} RESET ({})", reset.join(", ")));
    }
}

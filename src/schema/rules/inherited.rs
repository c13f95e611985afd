//! Columns that come from others: of a parent table, or of a table's type.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema};
use super::{Rules as _, columns, links};

/// Whether the statement that makes its table names it.
pub(super) fn is_named(cx: &Context, table: &Object, column: &Object) -> bool {
    links::is_partition(table)
        || links::is_linked_later(cx, table)
        || table.text("of_type").is_some()
        || column.flag("_local")
        || column.text("expression").is_some()
            && parents(cx, column).any(|p| p.text("expression") != column.text("expression"))
}

/// Whether it is made without a word of its own: by INHERITS, by its parent's statement, or by
/// the one of its table's type.
pub(super) fn is_unsaid(cx: &Context, column: &Object) -> bool {
    match columns::Columns.maker(cx, column) {
        Some(maker) if maker.kind() == Kind::Table => {
            cx.to.get(&maker).is_some_and(|t| !is_named(cx, t, column))
        }
        Some(_) => true,
        None => false,
    }
}

/// The columns of other tables that it comes from.
pub(super) fn parents<'a>(
    cx: &Context<'a>,
    column: &'a Object,
) -> impl Iterator<Item = &'a Object> {
    let needs = column.needs.iter().map(|need| &need.id);
    let to = cx.to;
    needs
        .filter(|id| columns::is_elsewhere(id, &column.id))
        .filter_map(|id| to.get(id))
}

/// Whether its default comes with it: named in the same statement, or taken over from the one
/// that its parent has then.
pub(super) fn brings_default(cx: &Context, column: &Object, default: &Object) -> bool {
    let table = columns::table_id(&column.id);
    if !is_unsaid(cx, column) {
        return true;
    }
    cx.created(&table)
        && parents(cx, column).any(|parent| {
            let id = columns::default_of(&parent.id);
            let same = |o: &Object| o.text("definition") == default.text("definition");
            let stays = cx.stays(&id) && cx.from.get(&id).is_some_and(same);
            let comes = |wanted: &Object| {
                cx.created(&columns::table_id(&parent.id))
                    && !cx.is_apart(&id)
                    && brings_default(cx, parent, wanted)
            };
            let wanted = cx.to.get(&id).filter(|wanted| same(wanted));
            wanted.is_some_and(|wanted| stays || comes(wanted))
        })
}

/// The part of a parent table, or the attribute of a table's type, whose statements carry over to
/// this part: the link stands before and after.
pub(super) fn from_parent(cx: &Context, object: &Object) -> Option<Id> {
    let table = columns::table_id(&object.id);
    if !cx.stays(&table) {
        return None;
    }
    let links = |schema: &Schema, whole: &Id| {
        schema.get(&table).is_some_and(|t| {
            let mut parents = t.list("_parents").chunks_exact(2);
            t.list("_of_type") == [whole.schema(), whole.name()]
                || parents.any(|p| p[0] == whole.schema() && p[1] == whole.name())
        })
    };
    let own = (object.id.schema(), object.id.name());
    object
        .needs
        .iter()
        .map(|need| &need.id)
        .find(|id| {
            (id.kind() == object.id.kind() || id.kind() == Kind::Attribute)
                && id.part() == object.id.part()
                && (id.kind() == Kind::Attribute || (id.schema(), id.name()) != own)
                && links(cx.from, id)
                && links(cx.to, id)
                && !links::leaves(cx, &table, &columns::table_id(id))
                && !(id.kind() == Kind::Attribute && links::leaves_type(cx, &table))
        })
        .cloned()
}

/// Whether a child, or a child of one, keeps the column that it has from this one, which goes.
pub(super) fn is_kept_below(cx: &Context, column: &Id) -> bool {
    cx.dependents(column).any(|(o, _)| {
        let table = columns::table_id(&o.id);
        o.id.kind() == Kind::Column
            && table != columns::table_id(column)
            && (cx.stays(&o.id) || is_kept_below(cx, &o.id))
            && !links::leaves(cx, &table, &columns::table_id(column))
    })
}

/// Whether tables inherit from a plain one while columns are added to it.
pub(super) fn has_children(cx: &Context, table: &Id) -> bool {
    let plain = cx.to.get(table).is_some_and(|t| t.get("form") == "plain");
    plain && cx.from.children.contains(table)
}

/// What gets a new type together with this column or attribute: the columns of children and of
/// typed tables.
pub(super) fn followers(cx: &Context, id: &Id) -> Vec<Id> {
    let follows = |child: &Object| {
        let sides = cx.from.get(&child.id).zip(cx.to.get(&child.id));
        sides.is_some_and(|(from, to)| {
            from_parent(cx, to).as_ref() == Some(id)
                && same_change(cx, id, from, to, &["type", "collation"])
        })
    };
    let children = cx.dependents(id).map(|(child, _)| child);
    let children = children.filter(|o| o.id.kind() == Kind::Column && follows(o));
    let children: Vec<Id> = children.map(|child| child.id.clone()).collect();
    let further: Vec<Id> = children.iter().flat_map(|id| followers(cx, id)).collect();
    [children, further].concat()
}

/// Whether the parent's part goes through the same change.
pub(super) fn same_change(
    cx: &Context,
    parent: &Id,
    from: &Object,
    to: &Object,
    names: &[&str],
) -> bool {
    let (Some(old), Some(new)) = (cx.from.get(parent), cx.to.get(parent)) else {
        return false;
    };
    names
        .iter()
        .all(|name| old.text(name) == from.text(name) && new.text(name) == to.text(name))
}

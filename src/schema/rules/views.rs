//! Views, materialized views, and what is said about their columns.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema};
use super::super::plan::Step;
use super::super::text;
use super::{Alter, Changed, Rules, columns};

pub(in super::super) struct Views;
pub(in super::super) struct MaterializedViews;
pub(in super::super) struct ViewColumns;

fn with_options(view: &Object) -> String {
    match view.list("options") {
        [] => String::new(),
        options => format!(" WITH ({})", text::parameters(options)),
    }
}

/// The query as Postgres prints it, without the semicolon at its end.
fn query(view: &Object) -> &str {
    view.get("definition").trim_end().trim_end_matches(';')
}

fn create_view(view: &Object, or_replace: &str) -> String {
    let path = view.id.path();
    let options = with_options(view);
    format!(
        "CREATE {or_replace}VIEW {path}{options} AS\n{}",
        query(view)
    )
}

impl Rules for Views {
    fn grant_target(&self, view: &Object) -> String {
        format!("TABLE {}", view.id.path())
    }

    fn create(&self, _: &Context, view: &Object) -> Vec<Step> {
        vec![Step::create(&view.id, create_view(view, ""))]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let mut steps = Vec::new();
        if changed.has("definition") {
            // Columns can only be added at the end.
            if !to.list("_columns").starts_with(from.list("_columns")) {
                return Alter::Rebuild;
            }
            let step = Step::alter(&to.id, create_view(to, "OR REPLACE "));
            return Alter::Steps(vec![step]);
        }
        options("VIEW", from, to, &mut steps);
        Alter::Steps(steps)
    }

    /// Views that need a column are in the way only of what makes the column another one.
    fn disturbs(&self, _: &Context, _: &Object, _: &Object, _: &Object) -> bool {
        false
    }
}

fn options(word: &str, from: &Object, to: &Object, steps: &mut Vec<Step>) {
    let (set, reset) = text::parameter_changes(from.list("options"), to.list("options"));
    let view = format!("ALTER {word} {}", to.id.path());
    if !set.is_empty() {
        steps.push(Step::alter(
            &to.id,
            format!("{view} SET ({})", text::parameters(&set)),
        ));
    }
    if !reset.is_empty() {
        steps.push(Step::alter(
            &to.id,
            format!("{view} RESET ({})", reset.join(", ")),
        ));
    }
}

impl Rules for MaterializedViews {
    fn grant_target(&self, view: &Object) -> String {
        format!("TABLE {}", view.id.path())
    }

    fn create(&self, _: &Context, view: &Object) -> Vec<Step> {
        let mut sql = format!("CREATE MATERIALIZED VIEW {}", view.id.path());
        if let Some(method) = view.text("access_method").filter(|m| *m != "heap") {
            sql.push_str(&format!(" USING {}", text::ident(method)));
        }
        sql.push_str(&with_options(view));
        if let Some(space) = view.text("tablespace") {
            sql.push_str(&format!(" TABLESPACE {}", text::ident(space)));
        }
        sql.push_str(&format!(" AS\n{}", query(view)));
        if !view.flag("_populated") {
            sql.push_str("\n WITH NO DATA");
        }
        vec![Step::create(&view.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.has("definition") {
            return Alter::Rebuild;
        }
        let mut steps = Vec::new();
        options("MATERIALIZED VIEW", from, to, &mut steps);
        let view = format!("ALTER MATERIALIZED VIEW {}", to.id.path());
        if changed.has("access_method") {
            let method = to.text("access_method").unwrap_or("heap");
            let sql = format!("{view} SET ACCESS METHOD {}", text::ident(method));
            steps.push(Step::alter(&to.id, sql));
        }
        if changed.has("tablespace") {
            let space = to.text("tablespace").unwrap_or("pg_default");
            let sql = format!("{view} SET TABLESPACE {}", text::ident(space));
            steps.push(Step::alter(&to.id, sql));
        }
        Alter::Steps(steps)
    }
}

fn view_of(schema: &Schema, column: &Object) -> Option<Id> {
    let views = [Kind::View, Kind::MaterializedView].map(|kind| column.id.beside(kind, ""));
    views.into_iter().find(|view| schema.contains(view))
}

impl Rules for ViewColumns {
    fn target(&self, column: &Object) -> String {
        format!("COLUMN {}", column.id.path())
    }

    fn maker(&self, cx: &Context, column: &Object) -> Option<Id> {
        view_of(cx.to, column)
    }

    /// A column whose type goes cannot stay as it is, whatever the view is made of.
    fn holder(&self, cx: &Context, column: &Object) -> Option<Id> {
        view_of(cx.from, column)
    }

    /// The view's own statement makes it.
    fn create(&self, _: &Context, _: &Object) -> Vec<Step> {
        Vec::new()
    }

    fn finish(&self, cx: &Context, column: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        columns::storage(cx, None, column, &mut steps);
        steps
    }

    fn drop(&self, _: &Context, _: &Object) -> Vec<Step> {
        Vec::new()
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        let mut steps = Vec::new();
        columns::storage(cx, Some(from), to, &mut steps);
        Alter::Steps(steps)
    }
}

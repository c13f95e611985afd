//! Tables: plain, partitioned and foreign ones. Columns and constraints are objects of their own,
//! made together with their table where nothing stands against it.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema};
use super::super::plan::{Action, HazardKind, Step};
use super::super::text;
use super::{
    Alter, Changed, Loss, Rules, carry, columns, constraints, inherited, links, row_types,
};

pub(in super::super) struct Tables;

impl Rules for Tables {
    fn target(&self, table: &Object) -> String {
        if table.get("form") == "foreign" {
            format!("FOREIGN TABLE {}", table.id.path())
        } else {
            format!("TABLE {}", table.id.path())
        }
    }

    fn grant_target(&self, table: &Object) -> String {
        format!("TABLE {}", table.id.path())
    }

    fn create(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let partition = links::is_partition(table);
        let typed = table.text("of_type").is_some();
        let apart = links::is_linked_apart(cx, table);
        let mut parts: Vec<(u32, String)> = Vec::new();
        for column in cx.to.parts(&table.id, Kind::Column) {
            let position = column.get("_position").parse().unwrap_or(0);
            if typed {
                let attributes = columns::attributes(cx, column);
                if !attributes.is_empty() {
                    let name = text::ident(column.id.part());
                    parts.push((position, format!("{name} WITH OPTIONS{attributes}")));
                }
            } else if inherited::is_named(cx, table, column) {
                parts.push((position, columns::clause(cx, column)));
            }
        }
        // A NULL position sorts constraints after all columns; a column number is 16 bits.
        for constraint in cx.to.parts(&table.id, Kind::Constraint) {
            let inherited = constraint.flag("_inherited") && !apart;
            if constraints::is_inline(cx, constraint) && !inherited {
                parts.push((u32::MAX, constraints::clause(constraint)));
            }
        }
        parts.sort_by_key(|(position, _)| *position);
        let body: Vec<String> = parts
            .into_iter()
            .map(|(_, part)| format!("    {part}"))
            .collect();
        let body = if body.is_empty() {
            if typed {
                String::new()
            } else {
                " ()".to_owned()
            }
        } else {
            format!(" (\n{}\n)", body.join(",\n"))
        };
        let mut sql = format!("CREATE {}", create_word(table));
        sql.push_str(&table.id.path());
        if let Some(of) = table.text("of_type") {
            sql.push_str(&format!(" OF {of}"));
        }
        sql.push_str(&body);
        if !apart && !table.list("inherits").is_empty() {
            sql.push_str(&format!(
                " INHERITS ({})",
                table.list("inherits").join(", ")
            ));
        }
        sql.push_str(&storage_clauses(table));
        let columns = cx.to.parts(&table.id, Kind::Column);
        let settled = columns.flat_map(|column| row_types::settled(cx, column));
        let mut step = Step::create(&table.id, sql).needing(settled);
        if !apart {
            // A computed column may need one that it inherits.
            for (_, parent) in links::parents(table) {
                let columns = cx.to.parts(&parent, Kind::Column);
                step.needs.extend(columns.map(|o| o.id.clone()));
            }
        }
        let mut steps = vec![step];
        if partition {
            steps.push(links::attach(cx, table));
        } else if apart {
            let parents = links::parents(table).into_iter();
            steps.extend(parents.map(|(_, parent)| links::inherit(cx, table, &parent)));
        }
        steps
    }

    fn finish(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        if carry::is_carried(cx, &table.id) {
            steps.extend(carry::fill(cx, &table.id));
        }
        security(None, table, &mut steps);
        if let Some(identity) = table.text("replica_identity") {
            steps.push(Step::detail(
                &table.id,
                format!(
                    "ALTER TABLE {} REPLICA IDENTITY {identity}",
                    table.id.path()
                ),
            ));
        }
        steps
    }

    fn drop(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let mut step = Step::drop(&table.id, format!("DROP {}", self.target(table)));
        step.makes.push(links::gone(&table.id));
        // What it computes may need what it inherits.
        for (_, parent) in links::parents(table) {
            let columns = cx.from.parts(&parent, Kind::Column);
            step.releases.extend(columns.map(|o| o.id.clone()));
        }
        if carry::is_carried(cx, &table.id) {
            let losses = carry::losses(cx, &table.id).into_iter();
            let step = losses.fold(step, |step, loss| step.hazard(HazardKind::DataLoss, loss));
            let kept = carry::keep(cx, &table.id).into_iter();
            return kept.chain([step]).collect();
        }
        // The rows of a partitioned table are in its partitions, which may stay.
        let mut dependents = cx.dependents(&table.id);
        let empty = match table.get("form") {
            "foreign" => true,
            "partitioned" => {
                !dependents.any(|(o, _)| o.id.kind() == Kind::Table && cx.destroyed(&o.id))
            }
            _ => false,
        };
        match empty {
            true => vec![step],
            false => vec![step.hazard(
                HazardKind::DataLoss,
                format!("{} goes away with all its rows", table.id),
            )],
        }
    }

    /// Its rows are taken out before.
    fn goes_with(&self, cx: &Context, table: &Object, _: &Id) -> bool {
        !carry::is_carried(cx, &table.id)
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.any(&["form", "partition_key", "server"]) || is_reordered(cx, &to.id) {
            return Alter::Rebuild;
        }
        let path = to.id.path();
        let table = format!("ALTER {}", self.target(to));
        let mut steps = Vec::new();
        links::links(cx, from, to, &mut steps);
        links::type_links(cx, from, to, &mut steps);
        let mut push = |sql: String| {
            steps.push(Step::alter(&to.id, sql));
        };
        if changed.has("tablespace") {
            let space = to.text("tablespace").unwrap_or("pg_default");
            push(format!("{table} SET TABLESPACE {}", text::ident(space)));
        }
        if changed.has("access_method") && to.get("form") == "plain" {
            let method = to.text("access_method").unwrap_or("heap");
            push(format!("{table} SET ACCESS METHOD {}", text::ident(method)));
        }
        let mut parameters = Vec::new();
        for (name, prefix) in [("options", ""), ("toast_options", "toast.")] {
            let list = |o: &Object| -> Vec<String> {
                o.list(name)
                    .iter()
                    .map(|p| format!("{prefix}{p}"))
                    .collect()
            };
            let (set, reset) = text::parameter_changes(&list(from), &list(to));
            if !set.is_empty() {
                let sql = format!("{table} SET ({})", text::parameters(&set));
                // A toast table comes with the first column that may need one; before, nothing is kept.
                let columns = cx.to.parts(&to.id, Kind::Column).map(|column| &column.id);
                let new = columns.filter(|id| !prefix.is_empty() && cx.created(id));
                parameters.push(Step::alter(&to.id, sql).needing(new.cloned()));
            }
            if !reset.is_empty() {
                let sql = format!("{table} RESET ({})", reset.join(", "));
                parameters.push(Step::alter(&to.id, sql));
            }
        }
        let options =
            text::foreign_option_changes(from.list("foreign_options"), to.list("foreign_options"));
        if !options.is_empty() {
            push(format!("{table} OPTIONS ({options})"));
        }
        steps.extend(parameters);
        if changed.has("unlogged") {
            let how = if to.flag("unlogged") {
                "UNLOGGED"
            } else {
                "LOGGED"
            };
            let step = Step::alter(&to.id, format!("{table} SET {how}")).rewriting(&to.id);
            steps.push(step);
        }
        security(Some(from), to, &mut steps);
        if changed.has("replica_identity") {
            let identity = to.text("replica_identity").unwrap_or("DEFAULT");
            steps.push(Step::alter(
                &to.id,
                format!("ALTER TABLE {path} REPLICA IDENTITY {identity}"),
            ));
        }
        Alter::Steps(steps)
    }

    fn loss(&self, _: &Context, table: &Object, lost: &Id) -> Loss {
        match lost.kind() {
            Kind::Server => Loss::Rebuild,
            // A partition key cannot do without its functions and operators.
            Kind::Function | Kind::Operator | Kind::OperatorClass
                if table.text("partition_key").is_some() =>
            {
                Loss::Rebuild
            }
            _ => Loss::Alter,
        }
    }
}

fn create_word(table: &Object) -> &'static str {
    match table.get("form") {
        "foreign" => "FOREIGN TABLE ",
        _ if table.flag("unlogged") => "UNLOGGED TABLE ",
        _ => "TABLE ",
    }
}

fn storage_clauses(table: &Object) -> String {
    let mut sql = String::new();
    if let Some(key) = table.text("partition_key") {
        sql.push_str(&format!(" PARTITION BY {key}"));
    }
    if let Some(server) = table.text("server") {
        sql.push_str(&format!(" SERVER {}", text::ident(server)));
        sql.push_str(&text::with_foreign_options(table.list("foreign_options")));
    }
    if let Some(method) = table.text("access_method").filter(|m| *m != "heap") {
        sql.push_str(&format!(" USING {}", text::ident(method)));
    }
    let mut options: Vec<String> = table.list("options").to_vec();
    options.extend(
        table
            .list("toast_options")
            .iter()
            .map(|o| format!("toast.{o}")),
    );
    if !options.is_empty() {
        sql.push_str(&format!(" WITH ({})", text::parameters(&options)));
    }
    if let Some(space) = table.text("tablespace") {
        sql.push_str(&format!(" TABLESPACE {}", text::ident(space)));
    }
    sql
}

/// Whether a table that stands shall be of a type whose attributes are in another order than its
/// columns would be: then it can only be made anew, and its rows are carried over.
pub(super) fn is_reordered(cx: &Context, table: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    let Some(of) = links::type_of(to)
        .filter(|of| links::type_of(from).as_ref() != Some(of) || cx.destroyed(of))
    else {
        return false;
    };
    let columns = |schema: &'_ Schema| {
        let columns = schema.parts(table, Kind::Column);
        let place = |o: &Object| o.get("_position").parse::<i16>().unwrap_or_default();
        let mut columns: Vec<(i16, Id)> = columns.map(|o| (place(o), o.id.clone())).collect();
        columns.sort();
        columns.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    let wanted = columns(cx.to);
    let mut kept = columns(cx.from);
    kept.retain(|id| wanted.contains(id));
    cx.to.contains(&of) && !wanted.starts_with(&kept)
}

fn security(from: Option<&Object>, to: &Object, steps: &mut Vec<Step>) {
    let differs = |name: &str| from.is_some_and(|f| f.flag(name)) != to.flag(name);
    let action = if from.is_some() {
        Action::Alter
    } else {
        Action::Detail
    };
    let mut push = |what: &str| {
        let mut step = Step::detail(
            &to.id,
            format!("ALTER TABLE {} {what} ROW LEVEL SECURITY", to.id.path()),
        );
        step.action = action;
        steps.push(step);
    };
    if differs("row_security") {
        push(if to.flag("row_security") {
            "ENABLE"
        } else {
            "DISABLE"
        });
    }
    if differs("force_row_security") {
        push(if to.flag("force_row_security") {
            "FORCE"
        } else {
            "NO FORCE"
        });
    }
}

//! Publications.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{LockMode, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules};

pub(in super::super) struct Publications;

/// `TABLE ONLY a, TABLE ONLY b, TABLES IN SCHEMA s`
fn members(publication: &Object) -> Vec<String> {
    let schemas = publication.list("schemas").iter();
    let schemas = schemas.map(|schema| format!("TABLES IN SCHEMA {schema}"));
    publication
        .list("tables")
        .iter()
        .cloned()
        .chain(schemas)
        .collect()
}

/// The member without what is said about it: `TABLE ONLY public.t` of `TABLE ONLY public.t (a)`.
fn bare(member: &str) -> &str {
    let mut quoted = false;
    let end = member
        .char_indices()
        .skip("TABLE ONLY ".len())
        .find(|(_, c)| {
            if *c == '"' {
                quoted = !quoted;
            }
            *c == ' ' && !quoted
        });
    match end {
        Some((end, _)) if member.starts_with("TABLE ONLY ") => &member[..end],
        _ => member,
    }
}

/// Says that the step locks the tables among `members`.
fn locking<'a>(
    mut step: Step,
    publication: &Object,
    members: impl IntoIterator<Item = &'a String>,
) -> Step {
    let needs = publication.needs.iter().map(|need| &need.id);
    let tables: Vec<Id> = needs.map(|id| id.beside(Kind::Table, "")).collect();
    for member in members {
        let path = bare(member).strip_prefix("TABLE ONLY ");
        if let Some(table) = tables.iter().find(|t| Some(t.path().as_str()) == path) {
            step = step.locking(LockMode::ShareUpdateExclusive, table);
        }
    }
    step
}

fn parameters(publication: &Object) -> Vec<String> {
    let mut list = Vec::new();
    let all = "insert, update, delete, truncate";
    if publication.get("publish") != all {
        list.push(format!(
            "publish = {}",
            text::literal(publication.get("publish"))
        ));
    }
    if publication.flag("via_root") {
        list.push("publish_via_partition_root = true".into());
    }
    if let Some(generated) = publication.text("generated_columns") {
        list.push(format!("publish_generated_columns = {generated}"));
    }
    list
}

impl Rules for Publications {
    fn create(&self, _: &Context, publication: &Object) -> Vec<Step> {
        let mut sql = format!("CREATE {}", self.target(publication));
        let members = members(publication);
        if publication.flag("all_tables") {
            sql.push_str(" FOR ALL TABLES");
        } else if !members.is_empty() {
            sql.push_str(&format!(" FOR {}", members.join(", ")));
        }
        let parameters = parameters(publication);
        if !parameters.is_empty() {
            sql.push_str(&format!(" WITH ({})", parameters.join(", ")));
        }
        let step = Step::create(&publication.id, sql);
        vec![locking(step, publication, &members)]
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let needs_column = cx
            .lost(&to.id)
            .any(|lost| lost.kind() != super::Kind::Table);
        if changed.has("all_tables") || needs_column {
            return Alter::Rebuild;
        }
        let target = self.target(to);
        let mut steps = Vec::new();
        if changed.any(&["publish", "via_root", "generated_columns"]) {
            let generated = to.text("generated_columns").unwrap_or("none");
            let mut list = format!(
                "publish = {}, publish_via_partition_root = {}",
                text::literal(to.get("publish")),
                to.flag("via_root")
            );
            if changed.has("generated_columns") {
                list.push_str(&format!(", publish_generated_columns = {generated}"));
            }
            steps.push(Step::alter(&to.id, format!("ALTER {target} SET ({list})")));
        }
        // A table that is dropped leaves by itself.
        let lost: Vec<String> = cx
            .lost(&to.id)
            .map(|table| format!("TABLE ONLY {}", table.path()))
            .collect();
        let (old, new) = (members(from), members(to));
        let kept =
            |m: &String, list: &[String]| list.contains(m) && !lost.iter().any(|l| l == bare(m));
        for gone in old
            .iter()
            .filter(|m| !kept(m, &new) && !lost.iter().any(|l| l == bare(m)))
        {
            let tables = from.needs.iter().map(|need| need.id.clone());
            let sql = format!("ALTER {target} DROP {}", bare(gone));
            let step = Step::detail(&to.id, sql).releasing(tables);
            steps.push(locking(step, from, [gone]));
        }
        for added in new.iter().filter(|m| !kept(m, &old)) {
            let step = Step::alter(&to.id, format!("ALTER {target} ADD {added}"));
            steps.push(locking(step, to, [added]));
        }
        Alter::Steps(steps)
    }

    fn loss(&self, _: &Context, _: &Object, lost: &Id) -> Loss {
        match lost.kind() {
            super::Kind::Table => Loss::Alter,
            _ => Loss::Rebuild,
        }
    }
}

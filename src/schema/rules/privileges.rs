//! Privileges by default.

use std::collections::BTreeSet;

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::Step;
use super::super::text;
use super::details::parse;
use super::{Alter, Changed, Rules};

pub(in super::super) struct DefaultPrivileges;

/// From one list of grants to another, in the order taken, then given.
fn steps(object: &Object, from: &[String], to: &[String]) -> Vec<String> {
    let (from, to) = (parse(from), parse(to));
    let mut head = format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {}",
        text::role(object.id.name())
    );
    if !object.id.schema().is_empty() {
        head.push_str(&format!(" IN SCHEMA {}", text::ident(object.id.schema())));
    }
    let class = object.id.part();
    let roles: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let mut revokes = Vec::new();
    let mut gives = Vec::new();
    for role in roles {
        let (has, wants) = (from.get(role), to.get(role));
        if has == wants {
            continue;
        }
        if has.is_some() {
            let sql = format!("{head} REVOKE ALL ON {class} FROM {}", text::role(role));
            revokes.push(sql);
        }
        for option in [false, true] {
            let list: Vec<&str> = wants
                .into_iter()
                .flatten()
                .filter(|(_, o)| **o == option)
                .map(|(p, _)| p.as_str())
                .collect();
            if !list.is_empty() {
                let with = if option { " WITH GRANT OPTION" } else { "" };
                gives.push(format!(
                    "{head} GRANT {} ON {class} TO {}{with}",
                    list.join(", "),
                    text::role(role)
                ));
            }
        }
    }
    revokes.append(&mut gives);
    revokes
}

impl Rules for DefaultPrivileges {
    fn create(&self, _: &Context, object: &Object) -> Vec<Step> {
        let statements = steps(object, object.list("_builtin"), object.list("grants"));
        let steps = statements.into_iter();
        steps.map(|sql| Step::create(&object.id, sql)).collect()
    }

    fn drop(&self, _: &Context, object: &Object) -> Vec<Step> {
        let statements = steps(object, object.list("grants"), object.list("_builtin"));
        let steps = statements.into_iter();
        steps.map(|sql| Step::drop(&object.id, sql)).collect()
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        let statements = steps(to, from.list("grants"), to.list("grants")).into_iter();
        Alter::Steps(statements.map(|sql| Step::alter(&to.id, sql)).collect())
    }
}

//! Operators, their classes and families, casts, transforms.

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Rules};

pub(in super::super) struct Operators;
pub(in super::super) struct Families;
pub(in super::super) struct Classes;
pub(in super::super) struct Casts;
pub(in super::super) struct Transforms;

/// The name of an operator is never quoted.
fn operator_path(operator: &Object) -> String {
    format!(
        "{}.{}",
        text::ident(operator.id.schema()),
        operator.id.name()
    )
}

impl Rules for Operators {
    fn target(&self, operator: &Object) -> String {
        format!(
            "OPERATOR {} ({})",
            operator_path(operator),
            operator.id.part()
        )
    }

    fn create(&self, _: &Context, operator: &Object) -> Vec<Step> {
        let words = [
            ("function", "FUNCTION"),
            ("left_type", "LEFTARG"),
            ("right_type", "RIGHTARG"),
            ("commutator", "COMMUTATOR"),
            ("negator", "NEGATOR"),
            ("restrict", "RESTRICT"),
            ("join", "JOIN"),
        ];
        let mut options: Vec<String> = words
            .iter()
            .filter_map(|(name, word)| Some(format!("{word} = {}", operator.text(name)?)))
            .collect();
        for (name, word) in [("hashes", "HASHES"), ("merges", "MERGES")] {
            if operator.flag(name) {
                options.push(word.into());
            }
        }
        let sql = format!(
            "CREATE OPERATOR {} ({})",
            operator_path(operator),
            options.join(", ")
        );
        vec![Step::create(&operator.id, sql)]
    }

    fn alter(&self, _: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if !changed.only(&["restrict", "join"]) {
            return Alter::Rebuild;
        }
        let mut options = Vec::new();
        for (name, word) in [("restrict", "RESTRICT"), ("join", "JOIN")] {
            if changed.has(name) {
                options.push(format!("{word} = {}", to.text(name).unwrap_or("NONE")));
            }
        }
        let sql = format!("ALTER {} SET ({})", self.target(to), options.join(", "));
        Alter::Steps(vec![Step::alter(&to.id, sql)])
    }
}

fn using(word: &str, object: &Object) -> String {
    let path = super::relation_path(&object.id);
    format!("{word} {path} USING {}", text::ident(object.id.part()))
}

fn superuser(step: Step) -> Step {
    step.hazard(HazardKind::Privilege, "needs a superuser")
}

impl Rules for Families {
    fn target(&self, family: &Object) -> String {
        using("OPERATOR FAMILY", family)
    }

    fn create(&self, _: &Context, family: &Object) -> Vec<Step> {
        let sql = format!("CREATE {}", self.target(family));
        vec![superuser(Step::create(&family.id, sql))]
    }

    fn finish(&self, _: &Context, family: &Object) -> Vec<Step> {
        let steps = add_members(&self.target(family), family, family.list("members"));
        steps.into_iter().collect()
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        let target = self.target(to);
        let (old, new) = (from.list("members"), to.list("members"));
        let gone: Vec<String> = old
            .iter()
            .filter(|m| !new.contains(m))
            .map(|m| slot(m))
            .collect();
        let mut steps = Vec::new();
        if !gone.is_empty() {
            let sql = format!("ALTER {target} DROP {}", gone.join(", "));
            steps.push(Step::alter(&to.id, sql));
        }
        let added: Vec<String> = new.iter().filter(|m| !old.contains(m)).cloned().collect();
        steps.extend(add_members(&target, to, &added));
        Alter::Steps(steps)
    }
}

fn add_members(target: &str, family: &Object, members: &[String]) -> Option<Step> {
    let sql = format!("ALTER {target} ADD {}", members.join(", "));
    // Members are among the needs of the family; the statement waits for them.
    let needs = family.needs.iter().map(|need| need.id.clone());
    (!members.is_empty()).then(|| superuser(Step::detail(&family.id, sql).needing(needs)))
}

/// `OPERATOR 1 (integer, integer)` of `OPERATOR 1 public.<(integer,integer)`.
fn slot(member: &str) -> String {
    let mut words = member.splitn(3, ' ');
    let (what, number, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    let types = match (what, rest.find('('), rest.find(')')) {
        (_, Some(open), Some(close)) => &rest[open..=close],
        _ => "",
    };
    format!(
        "{} {} {types}",
        what.unwrap_or_default(),
        number.unwrap_or_default()
    )
}

impl Rules for Classes {
    fn target(&self, class: &Object) -> String {
        using("OPERATOR CLASS", class)
    }

    fn create(&self, _: &Context, class: &Object) -> Vec<Step> {
        let mut members = class.list("members").to_vec();
        if let Some(storage) = class.text("storage") {
            members.push(format!("STORAGE {storage}"));
        }
        if members.is_empty() {
            // A class has to say something; its own type as storage says nothing.
            members.push(format!("STORAGE {}", class.get("type")));
        }
        let default = if class.flag("is_default") {
            "DEFAULT "
        } else {
            ""
        };
        let sql = format!(
            "CREATE OPERATOR CLASS {} {default}FOR TYPE {} USING {} FAMILY {} AS {}",
            super::relation_path(&class.id),
            class.get("type"),
            text::ident(class.id.part()),
            class.get("family"),
            members.join(", ")
        );
        vec![superuser(Step::create(&class.id, sql))]
    }
}

impl Rules for Casts {
    fn target(&self, cast: &Object) -> String {
        format!("CAST {}", cast.id.name())
    }

    fn create(&self, _: &Context, cast: &Object) -> Vec<Step> {
        let sql = format!("CREATE {} {}", self.target(cast), cast.get("definition"));
        vec![Step::create(&cast.id, sql)]
    }
}

impl Rules for Transforms {
    fn target(&self, transform: &Object) -> String {
        format!("TRANSFORM {}", transform.id.name())
    }

    fn create(&self, _: &Context, transform: &Object) -> Vec<Step> {
        let sql = format!(
            "CREATE {} ({})",
            self.target(transform),
            transform.get("definition")
        );
        vec![Step::create(&transform.id, sql)]
    }
}

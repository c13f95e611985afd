//! Text search: parsers, templates, dictionaries, configurations.

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Rules};

pub(in super::super) struct Parsers;
pub(in super::super) struct Templates;
pub(in super::super) struct Dictionaries;
pub(in super::super) struct Configurations;

fn create_defined(rules: &dyn Rules, object: &Object) -> Vec<Step> {
    let sql = format!(
        "CREATE {} ({})",
        rules.target(object),
        object.get("definition")
    );
    let step = Step::create(&object.id, sql);
    vec![step.hazard(HazardKind::Privilege, "needs a superuser")]
}

impl Rules for Parsers {
    fn create(&self, _: &Context, parser: &Object) -> Vec<Step> {
        create_defined(self, parser)
    }
}

impl Rules for Templates {
    fn create(&self, _: &Context, template: &Object) -> Vec<Step> {
        create_defined(self, template)
    }
}

impl Rules for Dictionaries {
    fn create(&self, _: &Context, dictionary: &Object) -> Vec<Step> {
        let mut sql = format!(
            "CREATE {} (TEMPLATE = {}",
            self.target(dictionary),
            dictionary.get("template")
        );
        if let Some(options) = dictionary.text("options") {
            sql.push_str(&format!(", {options}"));
        }
        sql.push(')');
        vec![Step::create(&dictionary.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        // Options that are no longer there have to be named one by one: Postgres keeps them as text.
        match to.text("options") {
            Some(options) if changed.only(&["options"]) && from.text("options").is_none() => {
                let sql = format!("ALTER {} ({options})", self.target(to));
                Alter::Steps(vec![Step::alter(&to.id, sql)])
            }
            _ => Alter::Rebuild,
        }
    }
}

fn mappings(configuration: &Object) -> impl Iterator<Item = (&str, &str)> {
    text::options(configuration.list("mappings"))
}

impl Rules for Configurations {
    fn create(&self, _: &Context, configuration: &Object) -> Vec<Step> {
        let target = self.target(configuration);
        let sql = format!("CREATE {target} (PARSER = {})", configuration.get("parser"));
        let mut steps = vec![Step::create(&configuration.id, sql)];
        for (token, dictionaries) in mappings(configuration) {
            let token = text::ident(token);
            let sql = format!("ALTER {target} ADD MAPPING FOR {token} WITH {dictionaries}");
            let mut step = Step::create(&configuration.id, sql);
            step.needs.push(configuration.id.clone());
            steps.push(step);
        }
        steps
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.has("parser") {
            return Alter::Rebuild;
        }
        let target = self.target(to);
        let find = |object: &Object, token: &str| {
            mappings(object)
                .find(|(t, _)| *t == token)
                .map(|(_, d)| d.to_owned())
        };
        let mut steps = Vec::new();
        for (token, _) in mappings(from).filter(|(token, _)| find(to, token).is_none()) {
            let sql = format!("ALTER {target} DROP MAPPING FOR {}", text::ident(token));
            steps.push(Step::alter(&to.id, sql));
        }
        for (token, dictionaries) in mappings(to) {
            let word = match find(from, token) {
                None => "ADD",
                Some(old) if old != dictionaries => "ALTER",
                Some(_) => continue,
            };
            let token = text::ident(token);
            let sql = format!("ALTER {target} {word} MAPPING FOR {token} WITH {dictionaries}");
            steps.push(Step::alter(&to.id, sql));
        }
        Alter::Steps(steps)
    }
}

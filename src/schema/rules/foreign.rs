//! Foreign data wrappers, servers and user mappings.

use super::super::expand::Context;
use super::super::model::{Id, Object};
use super::super::plan::Step;
use super::super::text;
use super::{Alter, Changed, Loss, Rules};

pub(in super::super) struct Wrappers;
pub(in super::super) struct Servers;
pub(in super::super) struct UserMappings;

fn options_step(rules: &dyn Rules, from: &Object, to: &Object) -> Option<Step> {
    let changes =
        text::foreign_option_changes(from.list("foreign_options"), to.list("foreign_options"));
    let sql = format!("ALTER {} OPTIONS ({changes})", rules.target(to));
    (!changes.is_empty()).then(|| Step::alter(&to.id, sql))
}

impl Rules for Wrappers {
    fn create(&self, _: &Context, wrapper: &Object) -> Vec<Step> {
        let mut sql = format!("CREATE {}", self.target(wrapper));
        for (name, word) in [("handler", "HANDLER"), ("validator", "VALIDATOR")] {
            if let Some(function) = wrapper.text(name) {
                sql.push_str(&format!(" {word} {function}"));
            }
        }
        sql.push_str(&text::with_foreign_options(wrapper.list("foreign_options")));
        vec![Step::create(&wrapper.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let target = self.target(to);
        let mut steps = Vec::new();
        for (name, word) in [("handler", "HANDLER"), ("validator", "VALIDATOR")] {
            if changed.has(name) {
                let sql = match to.text(name) {
                    Some(function) => format!("ALTER {target} {word} {function}"),
                    None => format!("ALTER {target} NO {word}"),
                };
                steps.push(Step::alter(&to.id, sql));
            }
        }
        steps.extend(options_step(self, from, to));
        Alter::Steps(steps)
    }
}

impl Rules for Servers {
    fn grant_target(&self, server: &Object) -> String {
        format!("FOREIGN SERVER {}", server.id.path())
    }

    fn create(&self, _: &Context, server: &Object) -> Vec<Step> {
        let mut sql = format!("CREATE {}", self.target(server));
        for (name, word) in [("server_type", "TYPE"), ("server_version", "VERSION")] {
            if let Some(value) = server.text(name) {
                sql.push_str(&format!(" {word} {}", text::literal(value)));
            }
        }
        let wrapper = text::ident(server.get("wrapper"));
        sql.push_str(&format!(" FOREIGN DATA WRAPPER {wrapper}"));
        sql.push_str(&text::with_foreign_options(server.list("foreign_options")));
        vec![Step::create(&server.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.any(&["wrapper", "server_type"]) {
            return Alter::Rebuild;
        }
        let mut steps = Vec::new();
        if changed.has("server_version") {
            // It cannot be taken away; an empty one is none to pg_dump either.
            let version = text::literal(to.text("server_version").unwrap_or_default());
            let sql = format!("ALTER {} VERSION {version}", self.target(to));
            steps.push(Step::alter(&to.id, sql));
        }
        steps.extend(options_step(self, from, to));
        Alter::Steps(steps)
    }
}

impl Rules for UserMappings {
    /// The user is quoted already.
    fn target(&self, mapping: &Object) -> String {
        let server = text::ident(mapping.id.name());
        format!("USER MAPPING FOR {} SERVER {server}", mapping.id.part())
    }

    fn create(&self, _: &Context, mapping: &Object) -> Vec<Step> {
        let options = text::with_foreign_options(mapping.list("foreign_options"));
        let sql = format!("CREATE {}{options}", self.target(mapping));
        vec![Step::create(&mapping.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        Alter::Steps(options_step(self, from, to).into_iter().collect())
    }

    fn loss(&self, _: &Context, _: &Object, _: &Id) -> Loss {
        Loss::Rebuild
    }
}

//! Schemas, extensions, languages, access methods, conversions, collations, event triggers.

use super::super::expand::Context;
use super::super::model::{Id, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules};

pub(in super::super) struct Schemas;
pub(in super::super) struct Extensions;
pub(in super::super) struct Languages;
pub(in super::super) struct AccessMethods;
pub(in super::super) struct Conversions;
pub(in super::super) struct Collations;
pub(in super::super) struct EventTriggers;

/// What only a superuser may do.
fn privileged(step: Step) -> Step {
    step.hazard(HazardKind::Privilege, "needs a superuser")
}

impl Rules for Schemas {
    fn create(&self, _: &Context, schema: &Object) -> Vec<Step> {
        let sql = format!("CREATE SCHEMA {}", schema.id.path());
        vec![Step::create(&schema.id, sql)]
    }
}

impl Rules for Extensions {
    fn create(&self, _: &Context, extension: &Object) -> Vec<Step> {
        // An extension that names its own schema makes it, or finds it.
        let schema = if extension.flag("_own_schema") || extension.get("schema") == "pg_catalog" {
            String::new()
        } else {
            format!(" SCHEMA {}", text::ident(extension.get("schema")))
        };
        let sql = format!("CREATE EXTENSION {}{schema}", extension.id.path());
        let step = Step::create(&extension.id, sql);
        vec![step.hazard(
            HazardKind::Privilege,
            "needs a superuser unless the extension is trusted",
        )]
    }

    fn alter(&self, _: &Context, _: &Object, to: &Object, _: &Changed) -> Alter {
        if !to.flag("_relocatable") {
            return Alter::Rebuild;
        }
        let schema = text::ident(to.get("schema"));
        let sql = format!("ALTER EXTENSION {} SET SCHEMA {schema}", to.id.path());
        Alter::Steps(vec![Step::alter(&to.id, sql)])
    }

    /// Dropping it would take all columns of its types along.
    fn loss(&self, _: &Context, _: &Object, _: &Id) -> Loss {
        Loss::Alter
    }
}

impl Rules for Languages {
    fn create(&self, _: &Context, language: &Object) -> Vec<Step> {
        let trusted = if language.flag("trusted") {
            "TRUSTED "
        } else {
            ""
        };
        let mut sql = format!("CREATE {trusted}LANGUAGE {}", language.id.path());
        for (name, word) in [
            ("handler", "HANDLER"),
            ("inline", "INLINE"),
            ("validator", "VALIDATOR"),
        ] {
            if let Some(function) = language.text(name) {
                sql.push_str(&format!(" {word} {function}"));
            }
        }
        vec![privileged(Step::create(&language.id, sql))]
    }
}

impl Rules for AccessMethods {
    fn create(&self, _: &Context, method: &Object) -> Vec<Step> {
        let sql = format!(
            "CREATE ACCESS METHOD {} TYPE {} HANDLER {}",
            method.id.path(),
            method.get("type"),
            method.get("handler")
        );
        vec![privileged(Step::create(&method.id, sql))]
    }
}

impl Rules for Conversions {
    fn create(&self, _: &Context, conversion: &Object) -> Vec<Step> {
        let default = if conversion.flag("is_default") {
            "DEFAULT "
        } else {
            ""
        };
        let sql = format!(
            "CREATE {default}CONVERSION {} FOR {} TO {} FROM {}",
            conversion.id.path(),
            text::literal(conversion.get("from_encoding")),
            text::literal(conversion.get("to_encoding")),
            conversion.get("function")
        );
        vec![Step::create(&conversion.id, sql)]
    }
}

impl Rules for Collations {
    fn create(&self, _: &Context, collation: &Object) -> Vec<Step> {
        let mut options = vec![format!("provider = {}", collation.get("provider"))];
        let mut add =
            |name: &str, value: &str| options.push(format!("{name} = {}", text::literal(value)));
        match (
            collation.text("locale"),
            collation.text("lc_collate"),
            collation.text("lc_ctype"),
        ) {
            (Some(locale), ..) => add("locale", locale),
            (None, Some(collate), Some(ctype)) if collate == ctype => add("locale", collate),
            (None, collate, ctype) => {
                if let Some(collate) = collate {
                    add("lc_collate", collate);
                }
                if let Some(ctype) = ctype {
                    add("lc_ctype", ctype);
                }
            }
        }
        if let Some(rules) = collation.text("rules") {
            add("rules", rules);
        }
        if collation.flag("nondeterministic") {
            options.push("deterministic = false".into());
        }
        let sql = format!(
            "CREATE COLLATION {} ({})",
            collation.id.path(),
            options.join(", ")
        );
        vec![Step::create(&collation.id, sql)]
    }

    fn rename(&self, collation: &Object, name: &str) -> Vec<String> {
        let target = self.target(collation);
        vec![format!("ALTER {target} RENAME TO {}", text::ident(name))]
    }
}

impl Rules for EventTriggers {
    fn create(&self, _: &Context, trigger: &Object) -> Vec<Step> {
        let tags: Vec<String> = trigger
            .list("tags")
            .iter()
            .map(|t| text::literal(t))
            .collect();
        let when = if tags.is_empty() {
            String::new()
        } else {
            format!(" WHEN TAG IN ({})", tags.join(", "))
        };
        let sql = format!(
            "CREATE EVENT TRIGGER {} ON {}{when} EXECUTE FUNCTION {}()",
            trigger.id.path(),
            trigger.get("event"),
            trigger.get("function")
        );
        vec![privileged(Step::create(&trigger.id, sql))]
    }

    fn finish(&self, _: &Context, trigger: &Object) -> Vec<Step> {
        let enabled = trigger.text("enabled");
        enabled.map(|_| enable(trigger)).into_iter().collect()
    }

    fn alter(&self, _: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.only(&["enabled"]) {
            Alter::Steps(vec![enable(to)])
        } else {
            Alter::Rebuild
        }
    }
}

fn enable(trigger: &Object) -> Step {
    let how = trigger.text("enabled").unwrap_or("ENABLE");
    Step::detail(
        &trigger.id,
        format!("ALTER EVENT TRIGGER {} {how}", trigger.id.path()),
    )
}

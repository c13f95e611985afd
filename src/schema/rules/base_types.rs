//! Base types. A type and its functions need each other: first comes a shell, then the functions
//! that speak of it, then the type; and all go together.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::{Alter, Changed, Loss, Rules};

pub(in super::super) struct BaseTypes;

/// What ALTER TYPE … SET can change, and how it calls that.
const SETTABLE: [(&str, &str); 7] = [
    ("typreceive", "RECEIVE"),
    ("typsend", "SEND"),
    ("typmodin", "TYPMOD_IN"),
    ("typmodout", "TYPMOD_OUT"),
    ("typanalyze", "ANALYZE"),
    ("typsubscript", "SUBSCRIPT"),
    ("storage", "STORAGE"),
];

/// Stands for a type's shell.
pub(super) fn shell(base_type: &Id) -> Id {
    base_type.beside(Kind::BaseType, "\u{1}shell")
}

fn privileged(step: Step) -> Step {
    step.hazard(HazardKind::Privilege, "needs a superuser")
}

/// Whether values of it may be kept somewhere. What bytes mean is up to its functions: no value
/// can be carried over to another definition, and none is thrown away for one.
fn holds_values(cx: &Context, id: &Id) -> bool {
    cx.dependents(id).any(|(object, _)| {
        let kind = object.id.kind();
        let holder = matches!(
            kind,
            Kind::Column | Kind::Attribute | Kind::Domain | Kind::Range | Kind::MaterializedView
        );
        holder && cx.to.contains(&object.id)
    })
}

impl Rules for BaseTypes {
    fn target(&self, object: &Object) -> String {
        format!("TYPE {}", object.id.path())
    }

    fn create(&self, _: &Context, object: &Object) -> Vec<Step> {
        let sql = format!("CREATE {}", self.target(object));
        if object.flag("shell") {
            return vec![privileged(Step::create(&object.id, sql))];
        }
        let mut clauses = vec![object.get("definition").to_owned()];
        for (property, word) in SETTABLE {
            if let Some(value) = object.text(property) {
                clauses.push(format!("{word} = {value}"));
            }
        }
        let full = format!("{sql} ({})", clauses.join(", "));
        let mut first = Step::create(&object.id, sql);
        first.makes = vec![shell(&object.id)];
        vec![
            privileged(first),
            privileged(Step::create(&object.id, full)),
        ]
    }

    /// CASCADE for its functions alone: whatever else needs it has let go of it before.
    fn drop(&self, _: &Context, object: &Object) -> Vec<Step> {
        let cascade = if object.flag("shell") { "" } else { " CASCADE" };
        let sql = format!("DROP {}{cascade}", self.target(object));
        vec![Step::drop(&object.id, sql)]
    }

    fn alter(&self, cx: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.any(&["definition", "shell"]) {
            return match holds_values(cx, &to.id) {
                true => Alter::Steps(Vec::new()),
                false => Alter::Rebuild,
            };
        }
        let settings: Vec<String> = SETTABLE
            .iter()
            .filter(|(property, _)| changed.has(property))
            .map(|(property, word)| format!("{word} = {}", to.text(property).unwrap_or("NONE")))
            .collect();
        if settings.is_empty() {
            return Alter::Steps(Vec::new());
        }
        let settings = settings.join(", ");
        let sql = format!("ALTER {} SET ({settings})", self.target(to));
        Alter::Steps(vec![privileged(Step::alter(&to.id, sql))])
    }

    fn loss(&self, cx: &Context, object: &Object, _: &Id) -> Loss {
        match holds_values(cx, &object.id) {
            true => Loss::Alter,
            false => Loss::Rebuild,
        }
    }
}

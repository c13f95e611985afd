//! Functions, procedures and aggregates.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::Step;
use super::{Alter, Changed, Rules, base_types};

/// Functions and procedures.
pub(in super::super) struct Routines;
pub(in super::super) struct Aggregates;

fn create(routine: &Object) -> Step {
    let sql = routine.get("definition").trim_end().to_owned();
    let mut step = Step::create(&routine.id, sql);
    step.late = routine.flag("_late");
    let shells = routine
        .needs
        .iter()
        .filter(|need| is_support(routine, &need.id));
    step.needing(shells.map(|need| base_types::shell(&need.id)))
}

/// Whether it is a function of this base type: made when the type is but a shell, and gone with it.
fn is_support(routine: &Object, of: &Id) -> bool {
    let mut needs = routine.needs.iter();
    of.kind() == Kind::BaseType && needs.any(|need| need.id == *of && need.auto)
}

impl Rules for Routines {
    fn create(&self, _: &Context, routine: &Object) -> Vec<Step> {
        vec![create(routine)]
    }

    fn waits_for(&self, routine: &Object, need: &Id) -> bool {
        !is_support(routine, need)
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, _: &Changed) -> Alter {
        // OR REPLACE keeps who needs it, but not another result, other names, fewer defaults.
        let defaults = |o: &Object| o.get("_defaults").parse::<u32>().unwrap_or(0);
        let same = |name: &str| from.text(name) == to.text(name);
        if !same("_result") || !same("_parameters") || defaults(from) > defaults(to) {
            return Alter::Rebuild;
        }
        let mut step = Step::alter(&to.id, create(to).sql);
        step.late = to.flag("_late");
        Alter::Steps(vec![step])
    }
}

impl Rules for Aggregates {
    fn target(&self, aggregate: &Object) -> String {
        let path = super::relation_path(&aggregate.id);
        format!("AGGREGATE {path}({})", aggregate.get("arguments"))
    }

    fn grant_target(&self, aggregate: &Object) -> String {
        format!("FUNCTION {}", aggregate.id.path())
    }

    fn create(&self, _: &Context, aggregate: &Object) -> Vec<Step> {
        let target = self.target(aggregate);
        let sql = format!("CREATE {target} ({})", aggregate.get("definition"));
        vec![Step::create(&aggregate.id, sql)]
    }
}

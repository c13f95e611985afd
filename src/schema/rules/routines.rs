//! Functions, procedures and aggregates.

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::Step;
use super::{Alter, Changed, Rules};

/// Functions and procedures.
pub(in super::super) struct Routines;
pub(in super::super) struct Aggregates;

fn create(routine: &Object) -> Step {
    let sql = routine.get("definition").trim_end().to_owned();
    let mut step = Step::create(&routine.id, sql);
    step.late = routine.flag("_late");
    step
}

impl Rules for Routines {
    fn create(&self, _: &Context, routine: &Object) -> Vec<Step> {
        vec![create(routine)]
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

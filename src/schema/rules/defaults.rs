//! Defaults of columns.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{Action, Step};
use super::super::text;
use super::{Alter, Changed, Rules, alter_only, inherited};

pub(in super::super) struct Defaults;

impl Rules for Defaults {
    fn maker(&self, cx: &Context, default: &Object) -> Option<Id> {
        let column = default.id.beside(Kind::Column, default.id.part());
        let object = cx.to.get(&column)?;
        (cx.created(&column)
            && !cx.is_apart(&default.id)
            && inherited::brings_default(cx, object, default))
        .then_some(column)
    }

    fn create(&self, cx: &Context, default: &Object) -> Vec<Step> {
        vec![set_default(cx, default)]
    }

    fn drop(&self, cx: &Context, default: &Object) -> Vec<Step> {
        let sql = format!(
            "{} ALTER COLUMN {} DROP DEFAULT",
            alter_only(cx, &default.id),
            text::ident(default.id.part())
        );
        vec![Step::drop(&default.id, sql)]
    }

    fn alter(&self, cx: &Context, _: &Object, to: &Object, _: &Changed) -> Alter {
        let mut step = set_default(cx, to);
        step.action = Action::Alter;
        step.makes.clear();
        Alter::Steps(vec![step])
    }
}

fn set_default(cx: &Context, default: &Object) -> Step {
    let sql = format!(
        "{} ALTER COLUMN {} SET DEFAULT {}",
        alter_only(cx, &default.id),
        text::ident(default.id.part()),
        default.get("definition")
    );
    Step::create(&default.id, sql)
}

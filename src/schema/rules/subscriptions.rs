//! Subscriptions. No statement here talks to the other server: a subscription is made without
//! connecting and disabled, and let go of without touching its slot over there.

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Rules};

pub(in super::super) struct Subscriptions;

fn privileged(step: Step) -> Step {
    step.hazard(
        HazardKind::Privilege,
        "needs a superuser, or from 16 on pg_create_subscription",
    )
}

fn connection(subscription: &Object) -> String {
    text::literal(subscription.get("connection"))
}

fn without_password(step: Step) -> Step {
    let message = "a password is never read: put it into the connection afterwards";
    privileged(step).hazard(HazardKind::Privilege, message)
}

fn publications(subscription: &Object) -> String {
    let names = subscription.list("publications").iter();
    names.map(|p| text::ident(p)).collect::<Vec<_>>().join(", ")
}

/// What WITH (…) and SET (…) take, with the property that each comes from.
fn option(subscription: &Object, property: &str) -> String {
    let flag = |on: bool| if on { "true" } else { "false" };
    let is = subscription.flag(property);
    match property {
        "slot_name" => match subscription.text("slot_name") {
            Some(slot) => format!("slot_name = {}", text::literal(slot)),
            None => "slot_name = NONE".into(),
        },
        "streaming" => format!(
            "streaming = {}",
            subscription.text("streaming").unwrap_or("off")
        ),
        "synchronous_commit" => format!(
            "synchronous_commit = {}",
            text::literal(subscription.get("synchronous_commit"))
        ),
        "origin" => format!("origin = {}", subscription.text("origin").unwrap_or("any")),
        "no_password_required" => format!("password_required = {}", flag(!is)),
        _ => format!("{property} = {}", flag(is)),
    }
}

/// What can be set at any time, without the other server.
const SETTABLE: [&str; 8] = [
    "slot_name",
    "synchronous_commit",
    "binary",
    "streaming",
    "disable_on_error",
    "no_password_required",
    "run_as_owner",
    "origin",
];

impl Rules for Subscriptions {
    fn create(&self, _: &Context, subscription: &Object) -> Vec<Step> {
        let mut options = vec!["connect = false".to_owned()];
        options.push(option(subscription, "slot_name"));
        // Its default is another on newer servers.
        options.push(option(subscription, "streaming"));
        if subscription.get("synchronous_commit") != "off" {
            options.push(option(subscription, "synchronous_commit"));
        }
        let rest = [
            "binary",
            "two_phase",
            "disable_on_error",
            "no_password_required",
            "run_as_owner",
            "failover",
            "origin",
        ];
        let rest = rest.iter().filter(|p| subscription.text(p).is_some());
        options.extend(rest.map(|property| option(subscription, property)));
        let sql = format!(
            "CREATE {} CONNECTION {} PUBLICATION {} WITH ({})",
            self.target(subscription),
            connection(subscription),
            publications(subscription),
            options.join(", ")
        );
        vec![without_password(Step::create(&subscription.id, sql))]
    }

    fn drop(&self, _: &Context, subscription: &Object) -> Vec<Step> {
        let target = self.target(subscription);
        let mut statements = Vec::new();
        if subscription.flag("_enabled") {
            statements.push(format!("ALTER {target} DISABLE"));
        }
        if subscription.text("slot_name").is_some() {
            statements.push(format!("ALTER {target} SET (slot_name = NONE)"));
        }
        let mut steps: Vec<Step> = statements
            .into_iter()
            .map(|sql| Step::drop(&subscription.id, sql))
            .collect();
        // Only the last one destroys it; the others have to come before.
        for step in &mut steps {
            step.destroys.clear();
        }
        let mut last = Step::drop(&subscription.id, format!("DROP {target}"));
        if let Some(slot) = subscription.text("slot_name") {
            let message = format!("the slot {slot} stays on the other server: drop it there");
            last = last.hazard(HazardKind::NotReversible, message);
        }
        steps.push(privileged(last));
        steps
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.any(&["two_phase", "failover"]) {
            return Alter::Rebuild;
        }
        let target = self.target(to);
        let mut steps = Vec::new();
        // Not to be seen on one side, it cannot be told to be another.
        let seen = from.text("connection").is_some() && to.text("connection").is_some();
        if changed.has("connection") && seen {
            let sql = format!("ALTER {target} CONNECTION {}", connection(to));
            steps.push(without_password(Step::alter(&to.id, sql)));
        }
        if changed.has("publications") {
            let list = publications(to);
            let sql = format!("ALTER {target} SET PUBLICATION {list} WITH (refresh = false)");
            steps.push(privileged(Step::alter(&to.id, sql)));
        }
        if changed.has("slot_name") && to.text("slot_name").is_none() && from.flag("_enabled") {
            steps.push(Step::alter(&to.id, format!("ALTER {target} DISABLE")));
        }
        let options = SETTABLE.iter().filter(|property| changed.has(property));
        let options: Vec<String> = options.map(|property| option(to, property)).collect();
        if !options.is_empty() {
            let sql = format!("ALTER {target} SET ({})", options.join(", "));
            steps.push(privileged(Step::alter(&to.id, sql)));
        }
        Alter::Steps(steps)
    }
}

//! What hangs on tables and views besides columns, constraints and indexes: triggers, rules,
//! policies, extended statistics.

use super::super::expand::Context;
use super::super::model::{Kind, Object};
use super::super::plan::Step;
use super::super::text;
use super::{Alter, Changed, Rules, alter_table, carry, links, relation_path};

pub(in super::super) struct Triggers;
pub(in super::super) struct RewriteRules;
pub(in super::super) struct Policies;
pub(in super::super) struct ExtendedStatistics;

fn part_target(word: &str, object: &Object) -> String {
    let name = text::ident(object.id.part());
    format!("{word} {name} ON {}", relation_path(&object.id))
}

/// `ALTER TABLE t DISABLE TRIGGER g`, where it is not simply enabled.
fn enabling(cx: &Context, word: &str, object: &Object) -> String {
    // Views take it as tables do.
    let table = alter_table(cx, &object.id).replace("ALTER VIEW", "ALTER TABLE");
    let how = object.text("enabled").unwrap_or("ENABLE");
    format!("{table} {how} {word} {}", text::ident(object.id.part()))
}

impl Rules for Triggers {
    fn target(&self, trigger: &Object) -> String {
        part_target("TRIGGER", trigger)
    }

    fn create(&self, cx: &Context, trigger: &Object) -> Vec<Step> {
        let table = trigger.id.beside(Kind::Table, "");
        let step = Step::create(&trigger.id, trigger.get("definition"));
        // Rows that only come back are no event. A partition that goes may have one of that name.
        let step = step.needing([carry::filled(&table)]);
        vec![step.needing(links::partitions_gone(cx, &table))]
    }

    fn finish(&self, cx: &Context, trigger: &Object) -> Vec<Step> {
        let enabled = trigger.text("enabled");
        let step = enabled.map(|_| Step::detail(&trigger.id, enabling(cx, "TRIGGER", trigger)));
        step.into_iter().collect()
    }

    fn alter(&self, cx: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.only(&["enabled"]) {
            let step = Step::alter(&to.id, enabling(cx, "TRIGGER", to));
            Alter::Steps(vec![step])
        } else {
            Alter::Rebuild
        }
    }
}

impl Rules for RewriteRules {
    fn target(&self, rule: &Object) -> String {
        part_target("RULE", rule)
    }

    fn create(&self, _: &Context, rule: &Object) -> Vec<Step> {
        let sql = rule.get("definition").trim_end_matches(';');
        let step = Step::create(&rule.id, sql);
        vec![step.needing([carry::filled(&rule.id.beside(Kind::Table, ""))])]
    }

    fn finish(&self, cx: &Context, rule: &Object) -> Vec<Step> {
        let enabled = rule.text("enabled");
        let step = enabled.map(|_| Step::detail(&rule.id, enabling(cx, "RULE", rule)));
        step.into_iter().collect()
    }

    fn alter(&self, cx: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.only(&["enabled"]) {
            Alter::Steps(vec![Step::alter(&to.id, enabling(cx, "RULE", to))])
        } else {
            Alter::Rebuild
        }
    }
}

impl Rules for Policies {
    fn target(&self, policy: &Object) -> String {
        part_target("POLICY", policy)
    }

    fn create(&self, _: &Context, policy: &Object) -> Vec<Step> {
        let kind = if policy.flag("restrictive") {
            " AS RESTRICTIVE"
        } else {
            ""
        };
        let mut sql = format!("CREATE {}{kind}", self.target(policy));
        if policy.get("command") != "ALL" {
            sql.push_str(&format!(" FOR {}", policy.get("command")));
        }
        let roles = roles(policy);
        if roles != "PUBLIC" {
            sql.push_str(&format!(" TO {roles}"));
        }
        sql.push_str(&expressions(policy, |_| true));
        vec![Step::create(&policy.id, sql)]
    }

    fn alter(&self, _: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let gone = |name: &str| from.text(name).is_some() && to.text(name).is_none();
        if changed.any(&["command", "restrictive"])
            || gone("using_expression")
            || gone("check_expression")
        {
            return Alter::Rebuild;
        }
        let mut sql = format!("ALTER {}", self.target(to));
        if changed.has("roles") {
            sql.push_str(&format!(" TO {}", roles(to)));
        }
        sql.push_str(&expressions(to, |name| changed.has(name)));
        Alter::Steps(vec![Step::alter(&to.id, sql)])
    }
}

fn roles(policy: &Object) -> String {
    let roles: Vec<String> = policy.list("roles").iter().map(|r| text::role(r)).collect();
    roles.join(", ")
}

fn expressions(policy: &Object, pick: impl Fn(&str) -> bool) -> String {
    let mut sql = String::new();
    for (name, word) in [
        ("using_expression", "USING"),
        ("check_expression", "WITH CHECK"),
    ] {
        if let Some(expression) = policy.text(name).filter(|_| pick(name)) {
            sql.push_str(&format!(" {word} ({expression})"));
        }
    }
    sql
}

impl Rules for ExtendedStatistics {
    fn create(&self, _: &Context, statistics: &Object) -> Vec<Step> {
        vec![Step::create(&statistics.id, statistics.get("definition"))]
    }

    fn finish(&self, _: &Context, statistics: &Object) -> Vec<Step> {
        let target = statistics.text("target");
        target.map(|_| set_target(statistics)).into_iter().collect()
    }

    fn alter(&self, _: &Context, _: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.only(&["target"]) {
            Alter::Steps(vec![set_target(to)])
        } else {
            Alter::Rebuild
        }
    }
}

fn set_target(statistics: &Object) -> Step {
    let target = statistics.text("target").unwrap_or("-1");
    let sql = format!(
        "ALTER STATISTICS {} SET STATISTICS {target}",
        statistics.id.path()
    );
    Step::detail(&statistics.id, sql)
}

//! Steps as SQL text, and where one transaction ends and the next begins.

use super::plan::{Action, Plan, Step, Transaction};
use super::text;

/// Bodies of functions are text to Postgres: what they use has no place in the order.
const BODIES_OFF: &str = "SET check_function_bodies = off";
const BODIES_ON: &str = "RESET check_function_bodies";

/// Gives every step the number of its transaction. A new one begins before the first step that
/// uses an enum value which the current one added, and around a step that must run alone.
pub(super) fn number_transactions(steps: &mut [Step]) {
    let mut number = 1;
    let mut used = false;
    let mut fresh: Vec<String> = Vec::new();
    for step in steps {
        if step.alone {
            if used {
                number += 1;
                used = false;
            }
            fresh.clear();
            step.transaction = None;
            continue;
        }
        if fresh.iter().any(|value| step.sql.contains(value)) && step.adds_value.is_none() {
            number += 1;
            fresh.clear();
        }
        fresh.extend(step.adds_value.as_deref().map(text::literal));
        step.transaction = Some(number);
        used = true;
    }
}

/// Puts the statements of one transaction together; each lone statement is one of its own.
pub(super) fn transactions(plan: &Plan) -> Vec<Transaction> {
    let mut result: Vec<Transaction> = Vec::new();
    for group in groups(&plan.steps) {
        let mut statements: Vec<String> = group.iter().map(with_hazards).collect();
        if has_loose_bodies(group) {
            statements.insert(0, BODIES_OFF.into());
            statements.push(BODIES_ON.into());
        }
        result.push(Transaction {
            statements,
            transactional: group[0].transaction.is_some(),
        });
    }
    result
}

/// The statement, with what it risks as comments above it.
fn with_hazards(step: &Step) -> String {
    let mut sql = String::new();
    for hazard in &step.hazards {
        // A name may hold the end of a line, which would end the comment.
        sql.push_str(&format!("-- {}\n", text::one_line(&hazard.to_string())));
    }
    sql.push_str(&step.sql);
    sql
}

pub(super) fn to_sql(plan: &Plan) -> String {
    let groups: Vec<&[Step]> = groups(&plan.steps).collect();
    let several = groups.len() > 1;
    let mut sql = String::new();
    for group in groups {
        let begin = several && group[0].transaction.is_some();
        let bodies = has_loose_bodies(group);
        if !sql.is_empty() {
            sql.push('\n');
        }
        if begin {
            sql.push_str("BEGIN;\n");
        }
        if bodies {
            sql.push_str(&format!("{BODIES_OFF};\n"));
        }
        for step in group {
            sql.push_str(&with_hazards(step));
            sql.push_str(";\n");
        }
        if bodies {
            sql.push_str(&format!("{BODIES_ON};\n"));
        }
        if begin {
            sql.push_str("COMMIT;\n");
        }
    }
    sql
}

fn groups(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    steps.chunk_by(|a, b| a.transaction.is_some() && a.transaction == b.transaction)
}

/// Whether a function is made among other things that its body may speak of.
fn has_loose_bodies(group: &[Step]) -> bool {
    group.len() > 1
        && group
            .iter()
            .any(|step| step.late && step.action == Action::Create)
}

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
        if step.separate && used {
            number += 1;
            fresh.clear();
        }
        if step.adds_value.is_none() && fresh.iter().any(|value| uses_value(&step.sql, value)) {
            number += 1;
            fresh.clear();
        }
        fresh.extend(step.adds_value.clone());
        step.transaction = Some(number);
        used = true;
        if step.separate {
            number += 1;
            used = false;
            fresh.clear();
        }
    }
}

/// Whether a statement has the value in a literal, or in the literal of an array or a row. One
/// commit too many does no harm.
fn uses_value(sql: &str, value: &str) -> bool {
    if value.contains(['\\', '"']) {
        // Escaped in a way that depends on how deep it stands.
        return sql.contains("::");
    }
    let value = value.replace('\'', "''");
    sql.match_indices(&value).any(|(at, _)| {
        let before = sql[..at].chars().next_back();
        let after = sql[at + value.len()..].chars().next();
        before.is_some_and(|c| "'{(,\"".contains(c)) && after.is_some_and(|c| "'}),\"".contains(c))
    })
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

#[cfg(test)]
mod tests {
    use super::super::model::{Id, Kind};
    use super::*;

    fn plan(mut steps: Vec<Step>) -> Plan {
        number_transactions(&mut steps);
        Plan {
            steps,
            unmodelled: Vec::new(),
        }
    }

    fn step(sql: &str) -> Step {
        Step::alter(&Id::new(Kind::Table, "s", "t", ""), sql)
    }

    fn adding(value: &str) -> Step {
        let mut step = step(&format!("ADD VALUE '{value}'"));
        step.adds_value = Some(value.into());
        step
    }

    #[test]
    fn one_transaction_needs_no_boundary() {
        assert_eq!(plan(vec![step("a"), step("b")]).to_sql(), "a;\nb;\n");
        assert_eq!(plan(Vec::new()).to_sql(), "");
    }

    #[test]
    fn a_new_value_is_committed_before_its_first_use() {
        let plan = plan(vec![
            adding("x"),
            adding("y"),
            step("c"),
            step("'y'"),
            step("'x'"),
        ]);
        let numbers: Vec<_> = plan.steps.iter().map(|s| s.transaction).collect();
        assert_eq!(numbers, [Some(1), Some(1), Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn a_value_is_seen_inside_of_other_literals() {
        assert!(uses_value("SET DEFAULT '{a,c}'::e[]", "c"));
        assert!(uses_value("SET DEFAULT '(1,c)'::t", "c"));
        assert!(uses_value("CHECK (x <> 'it''s'::e)", "it's"));
        assert!(!uses_value("CREATE INDEX c ON s.c USING btree (c)", "c "));
        assert!(!uses_value("ALTER TABLE s.t ADD COLUMN c integer", "c"));
    }

    #[test]
    fn what_must_run_alone_stands_between_transactions() {
        let mut lone = step("alone");
        lone.alone = true;
        let plan = plan(vec![step("a"), lone, step("b")]);
        let numbers: Vec<_> = plan.steps.iter().map(|s| s.transaction).collect();
        assert_eq!(numbers, [Some(1), None, Some(2)]);
        let kinds: Vec<bool> = plan
            .transactions()
            .iter()
            .map(|t| t.transactional)
            .collect();
        assert_eq!(kinds, [true, false, true]);
    }

    #[test]
    fn a_body_may_speak_of_what_comes_later() {
        let mut function = Step::create(&Id::new(Kind::Function, "s", "f", ""), "make f");
        function.late = true;
        let statements = &plan(vec![function, step("a")]).transactions()[0].statements;
        assert_eq!(statements, &[BODIES_OFF, "make f", "a", BODIES_ON]);
    }
}

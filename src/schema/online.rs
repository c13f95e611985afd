//! A plan for a database that others work with meanwhile: indexes are built `CONCURRENTLY`, and
//! what has to be checked of all rows is checked under a lock that lets them write.

use std::collections::HashSet;

use super::model::{Id, Kind, Object, Schema};
use super::plan::{Action, HazardKind, Lock, LockMode, Plan, Step};
use super::{locks, render, text};

impl Plan {
    /// The same changes in more transactions, each of which blocks writers as shortly as Postgres
    /// can. `from` and `to` are the schemas that the plan leads from and to. What concerns tables
    /// that the plan makes, and partitioned ones, for which Postgres has no such way, stays as it is.
    pub fn online(self, from: &Schema, to: &Schema) -> Plan {
        let mut made: HashSet<Id> = HashSet::new();
        let mut steps = Vec::new();
        let mut checks = Vec::new();
        for step in self.steps {
            made.extend(step.makes.iter().cloned());
            let sides = Sides {
                from,
                to,
                made: &made,
            };
            match sides.gentler(&step) {
                Some(mut instead) => {
                    if step.kind() == Kind::Constraint {
                        checks.extend(instead.pop_if(|step| step.separate));
                    }
                    steps.extend(instead);
                }
                None => steps.push(step),
            }
        }
        // Nothing waits for a constraint's being valid.
        steps.extend(checks);
        locks::tell(&mut steps);
        render::number_transactions(&mut steps);
        Plan {
            steps,
            unmodelled: self.unmodelled,
        }
    }
}

struct Sides<'a> {
    from: &'a Schema,
    to: &'a Schema,
    made: &'a HashSet<Id>,
}

impl Sides<'_> {
    /// The steps that take the place of one, where there are better ones.
    fn gentler(&self, step: &Step) -> Option<Vec<Step>> {
        let object = match step.action {
            Action::Drop => self.from.get(&step.object),
            _ => self.to.get(&step.object),
        }?;
        match (object.id.kind(), step.action) {
            (Kind::Index, Action::Create) => {
                let table = self.plain_table(object)?;
                let sql = concurrently(&step.sql, "INDEX ")?;
                Some(vec![alone(step, sql, &table)])
            }
            (Kind::Index, Action::Drop) if !step.sql.ends_with(" CASCADE") => {
                let table = self.plain_table(object)?;
                self.to.get(&table)?;
                let sql = concurrently(&step.sql, "DROP INDEX ")?;
                Some(vec![alone(step, sql, &table)])
            }
            (Kind::Constraint, Action::Create) => match object.get("form") {
                "foreign key" | "check" if !object.flag("not_valid") => {
                    self.checked_later(step, object)
                }
                "primary key" | "unique" => self.over_index(step, object),
                _ => None,
            },
            (Kind::Column, _) if step.sql.ends_with(" SET NOT NULL") => self.not_null(step, object),
            _ => None,
        }
    }

    /// The table of an index, a constraint or a column, where it stood before, has rows of its own
    /// and is no partition.
    fn plain_table(&self, part: &Object) -> Option<Id> {
        let id = match part.list("_table") {
            [schema, name] => Id::new(Kind::Table, schema, name, ""),
            _ => part.id.beside(Kind::Table, ""),
        };
        let table = self.from.get(&id)?;
        let plain = table.get("form") != "partitioned"
            && table.text("partition_bound").is_none()
            && !self.made.contains(&id);
        plain.then_some(id)
    }

    /// Added without a look at the rows that are there; they are looked at in a transaction of its
    /// own, in which others can write.
    fn checked_later(&self, step: &Step, constraint: &Object) -> Option<Vec<Step>> {
        let table = self.plain_table(constraint)?;
        if constraint.flag("not_enforced") {
            return None;
        }
        let mut add = step.clone();
        add.sql.push_str(" NOT VALID");
        add.hazards.clear();
        Some(vec![add, validate(step, &table, constraint.id.part())])
    }

    /// A key over an index that was built before.
    fn over_index(&self, step: &Step, key: &Object) -> Option<Vec<Step>> {
        let table = self.plain_table(key)?;
        let (words, rest) = key.get("definition").split_once(" (")?;
        let distinct = match words {
            "PRIMARY KEY" | "UNIQUE" => "",
            "UNIQUE NULLS NOT DISTINCT" => " NULLS NOT DISTINCT",
            _ => return None,
        };
        let (before, after) = step.sql.split_once(key.get("definition"))?;
        if rest.contains(" WITHOUT OVERLAPS") {
            return None;
        }
        // Storage parameters belong to the index, everything else to the constraint.
        let (parameters, after) = match after.strip_prefix(" WITH (") {
            Some(list) => {
                let (list, after) = list.split_once(')')?;
                (format!(" WITH ({list})"), after)
            }
            None => (String::new(), after),
        };
        let name = text::ident(key.id.part());
        let index = format!(
            "CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} ({rest}{distinct}{parameters}",
            table.path()
        );
        let build = alone(step, index, &table);
        let word = words.trim_end_matches(" NULLS NOT DISTINCT");
        let mut add = step.clone();
        add.sql = format!("{before}{word} USING INDEX {name}{after}");
        add.hazards.clear();
        Some(vec![build, add])
    }

    /// Postgres looks at no row where a valid CHECK says already that there is no null.
    fn not_null(&self, step: &Step, column: &Object) -> Option<Vec<Step>> {
        let table = self.plain_table(column)?;
        let alter = format!("ALTER TABLE {}", table.path());
        let mut name = "devdb_not_null".to_owned();
        let is_taken = |name: &str| {
            let id = table.beside(Kind::Constraint, name);
            self.from.contains(&id) || self.to.contains(&id)
        };
        while is_taken(&name) {
            name.push('_');
        }
        let brief = |sql: String| {
            let mut brief = step.clone();
            brief.sql = sql;
            brief.hazards.clear();
            brief
        };
        let check = brief(format!(
            "{alter} ADD CONSTRAINT {name} CHECK ({} IS NOT NULL) NOT VALID",
            text::ident(column.id.part())
        ));
        let validate = validate(step, &table, &name);
        let set = brief(step.sql.clone());
        let end = brief(format!("{alter} DROP CONSTRAINT {name}"));
        Some(vec![check, validate, set, end])
    }
}

fn validate(step: &Step, table: &Id, constraint: &str) -> Step {
    let mut validate = step.clone();
    validate.action = Action::Alter;
    validate.sql = format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}",
        table.path(),
        text::ident(constraint)
    );
    validate.locks = weak(table);
    validate
        .hazards
        .retain(|hazard| hazard.kind == HazardKind::DependsOnRows);
    validate.separate = true;
    validate
}

fn alone(step: &Step, sql: String, table: &Id) -> Step {
    let mut alone = step.clone();
    alone.sql = sql;
    alone.alone = true;
    alone.locks = weak(table);
    alone
        .hazards
        .retain(|hazard| hazard.kind != HazardKind::IndexBuild);
    alone.hazard(
        HazardKind::OwnTransaction,
        "runs outside a transaction; where it fails, an invalid index stays",
    )
}

fn weak(table: &Id) -> Vec<Lock> {
    vec![Lock {
        mode: LockMode::ShareUpdateExclusive,
        on: table.clone(),
    }]
}

/// Puts the word behind the first `after`.
fn concurrently(sql: &str, after: &str) -> Option<String> {
    let at = sql.find(after)? + after.len();
    Some(format!("{}CONCURRENTLY {}", &sql[..at], &sql[at..]))
}

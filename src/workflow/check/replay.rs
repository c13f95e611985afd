//! The chain on a scratch database: from nothing to where the new migrations begin, and then each of
//! these up, down and up again.

use std::time::Instant;

use super::super::bench::Bench;
use super::super::compare::{lines, read_project};
use super::super::{Context, proof, provision};
use super::wanted;
use super::{CheckOptions, Finding, Level, Report, Rule, relative};
use crate::databases::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{Chain, Migration, MigrationTool, Rollback};
use crate::postgres;
use crate::schema::{self, HazardKind, Schema};

impl Report<'_> {
    /// Everything that takes a database. `there` is the context of the bench.
    pub(super) async fn databases(
        &mut self,
        there: &Context,
        bench: &mut Bench,
        chain: &Chain,
        new: &[Migration],
        options: &CheckOptions,
    ) -> Result<()> {
        let mut tool = there.tool()?;
        let base = provision::base(there, bench.workshop.connection()).await?;
        let slot = bench.workshop.make("check", &base).await?;
        // Only what comes last can be taken back by itself.
        let first = chain.migrations.len() - new.len();
        let is_last = chain.migrations[first..].iter().eq(new.iter());
        let start = match is_last {
            true => first,
            false => chain.migrations.len(),
        };
        let mut walk = Walk {
            context: there,
            tool: &mut tool,
            slot: &slot,
        };
        let started = Instant::now();
        if let Err(error) = walk.up(&chain.migrations[..start]).await {
            let found = vec![self.of_error(Rule::Replay, &error, &chain.migrations)];
            let outcome = "the chain does not replay from nothing";
            self.looked(Rule::Replay, outcome, started, found);
            return Ok(());
        }
        let steps = match self.steps(&mut walk, bench, chain, start, options).await? {
            Some(steps) => steps,
            None => return Ok(()),
        };
        let outcome = match chain.migrations.len() {
            1 => "1 migration from nothing".to_owned(),
            n => format!("{n} migrations from nothing"),
        };
        self.looked(Rule::Replay, outcome, started, steps.replay);
        let failed = steps
            .back
            .iter()
            .filter(|f| f.level == Level::Error)
            .count();
        let outcome = match (is_last, new.len()) {
            (_, n) if failed > 0 => format!("{failed} of {n} new migrations"),
            (_, 0) => "nothing new".to_owned(),
            (true, 1) => "1 new migration up, down and up again".to_owned(),
            (true, n) => format!("{n} new migrations up, down and up again"),
            (false, _) => "not tried: new migrations stand among those of the base".to_owned(),
        };
        self.looked(Rule::WayBack, outcome, started, steps.back);
        let outcome = match steps.hazards.len() {
            0 => "none in what is new".to_owned(),
            1 => "1 in what is new".to_owned(),
            n => format!("{n} in what is new"),
        };
        self.looked(Rule::Hazards, outcome, started, steps.hazards);

        let started = Instant::now();
        let (outcome, found) = wanted::compare(there, bench, tool, slot).await?;
        self.looked(Rule::Wanted, outcome, started, found);
        Ok(())
    }

    /// Walks over what is new. `None` where it does not apply: that was reported.
    async fn steps(
        &mut self,
        walk: &mut Walk<'_>,
        bench: &mut Bench,
        chain: &Chain,
        start: usize,
        options: &CheckOptions,
    ) -> Result<Option<Steps>> {
        let started = Instant::now();
        let root = self.context.config().project.root.clone();
        let mut steps = Steps::default();
        for at in start..chain.migrations.len() {
            let migration = &chain.migrations[at];
            let file = Some(relative(&root, &migration.file));
            let before = walk.schema().await?;
            let rows = bench.workshop.make("check_rows", &walk.slot.name).await?;
            if let Err(error) = walk.up(std::slice::from_ref(migration)).await {
                let found = vec![self.of_error(Rule::Replay, &error, &chain.migrations)];
                let outcome = "the chain does not replay from nothing";
                self.looked(Rule::Replay, outcome, started, found);
                return Ok(None);
            }
            let after = walk.schema().await?;
            let plan = schema::plan(&before, &after);
            for (step, hazard) in plan.hazards() {
                if hazard.kind == HazardKind::Lock {
                    continue;
                }
                let message = format!("{}: {hazard}", step.object);
                let mut finding = match options.deny.contains(&hazard.kind) {
                    true => Finding::new(Rule::Hazards, ErrorKind::Refused, message),
                    false => Finding::warning(Rule::Hazards, message),
                };
                finding.file = file.clone();
                steps.hazards.push(finding);
            }
            if let Some(why) = walk
                .fails_with_rows(bench, &rows, &before, migration)
                .await?
            {
                let message = format!("it fails where tables have rows: {}", why.message());
                let mut finding = match options.deny.contains(&HazardKind::DependsOnRows) {
                    true => Finding::new(Rule::Hazards, ErrorKind::Refused, message),
                    false => Finding::warning(Rule::Hazards, message),
                };
                finding.file = file.clone();
                steps.hazards.push(finding);
            }
            bench.workshop.discard(&rows).await?;
            if !migration.reversible {
                let any = chain.migrations.iter().any(|m| m.reversible);
                if any {
                    let mut finding = Finding::warning(
                        Rule::WayBack,
                        format!("{} has no way back", migration.id),
                    );
                    finding.file = file;
                    steps.back.push(finding);
                }
                continue;
            }
            let tried = walk.back_and_forth(migration, &before, &after).await;
            if let Err(error) = tried {
                let mut finding = self.of_error(Rule::WayBack, &error, &chain.migrations);
                finding.file = finding.file.or(file);
                steps.back.push(finding);
                // Where it stands now is not known: begin anew behind it.
                walk.recover(bench, &chain.migrations[..=at]).await?;
            }
        }
        Ok(Some(steps))
    }
}

#[derive(Default)]
struct Steps {
    replay: Vec<Finding>,
    back: Vec<Finding>,
    hazards: Vec<Finding>,
}

/// A tool and the database that it works in.
struct Walk<'a> {
    context: &'a Context,
    tool: &'a mut MigrationTool,
    slot: &'a Scratch,
}

impl Walk<'_> {
    async fn up(&mut self, migrations: &[Migration]) -> Result<()> {
        let variables = self.context.variables(&self.slot.target);
        // A graph has more than one end on the way.
        let ends = migrations.iter().filter(|m| {
            let builds_on = |other: &Migration| other.parents.contains(&m.id);
            !migrations.iter().any(builds_on)
        });
        for end in ends {
            self.tool
                .migrate(
                    &self.slot.target,
                    &variables,
                    Some(&end.id),
                    &self.context.events,
                )
                .await?;
        }
        Ok(())
    }

    async fn schema(&mut self) -> Result<Schema> {
        let mut connection = postgres::connect(&self.slot.target).await?;
        let schema = read_project(self.context, &mut connection).await;
        connection.close().await;
        schema
    }

    async fn back_and_forth(
        &mut self,
        migration: &Migration,
        before: &Schema,
        after: &Schema,
    ) -> Result<()> {
        let variables = self.context.variables(&self.slot.target);
        let to = match migration.parents.as_slice() {
            [] => Rollback::Base,
            [parent] => Rollback::To(parent.clone()),
            _ => Rollback::Steps(1),
        };
        self.tool
            .rollback(&self.slot.target, &variables, &to, &self.context.events)
            .await?;
        let present = self.schema().await?;
        same(
            &present,
            before,
            "after its way back the schema is not what it was",
        )?;
        self.up(std::slice::from_ref(migration)).await?;
        let present = self.schema().await?;
        same(
            &present,
            after,
            "after the way back and forward again the schema differs",
        )
    }

    /// Why a migration fails on tables with rows, as far as it does.
    async fn fails_with_rows(
        &mut self,
        bench: &mut Bench,
        rows: &Scratch,
        before: &Schema,
        migration: &Migration,
    ) -> Result<Option<Error>> {
        let mut connection = postgres::connect(&rows.target).await?;
        let filled = proof::fill(&mut connection, before).await;
        connection.close().await;
        filled?;
        // Under the name that Python knows.
        let kept = bench.workshop.rename(self.slot, "check_kept").await?;
        let slot = bench.workshop.rename_to(rows, self.slot).await?;
        let failed = self.up(std::slice::from_ref(migration)).await.err();
        bench.workshop.rename_to(&slot, rows).await?;
        bench.workshop.rename_to(&kept, self.slot).await?;
        Ok(failed)
    }

    async fn recover(&mut self, bench: &mut Bench, migrations: &[Migration]) -> Result<()> {
        let base = provision::base(self.context, bench.workshop.connection()).await?;
        bench.workshop.replace(self.slot, &base).await?;
        self.up(migrations).await
    }
}

fn same(present: &Schema, wanted: &Schema, what: &str) -> Result<()> {
    let left = lines(&schema::diff(present, wanted));
    match left.is_empty() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Unproved, what).detail(left.join("\n"))),
    }
}

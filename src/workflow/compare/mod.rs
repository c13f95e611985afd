//! `devdb diff`, `devdb drift` and `devdb schema`: schemas beside each other.

mod drift;
mod filter;
mod report;
mod schemas;
mod side;
mod tables;

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::time::Instant;

use serde::Serialize;

use crate::databases::Workshop;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres;
use crate::schema::{self, Change, HazardKind, Kind, Plan, Schema, What};

use super::bench::{Bench, session};
use super::proof::{self, Moment, Survivors};
use super::renames::{self, Decisions, Settled, undecided};
use super::{Context, stakes};

pub use drift::{Drift, drift, keep_drift};
pub use filter::Filter;
pub use report::graph;
pub use schemas::{Dump, dump};
pub use side::Side;
pub(super) use side::{own_table, read_project};

/// What differs and what would change it.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The two sides as they were named.
    pub from: String,
    pub to: String,
    /// One readable line for each change.
    pub changes: Vec<String>,
    /// What may be a rename, and nobody has decided.
    pub undecided: Vec<String>,
    /// `{"format": 1, "steps": […], "unmodelled": […]}`
    #[serde(flatten)]
    pub plan: Plan,
    /// Whether the plan was applied to a clone and read back equal.
    pub proved: bool,
    /// The whole as one HTML file, where it was asked for.
    #[serde(skip)]
    pub html: Option<String>,
    /// Why the plan is not to be used: a hazard that is denied, or a proof that failed.
    #[serde(skip)]
    pub problem: Option<Error>,
    /// Seconds.
    pub took: f64,
}

/// How `devdb diff` compares.
#[derive(Default)]
pub struct DiffOptions {
    pub filter: Filter,
    /// Kinds of hazard that are an error.
    pub deny: Vec<HazardKind>,
    /// Whether to prove the plan on a clone.
    pub prove: bool,
    /// Whether to make a page of it.
    pub html: bool,
    /// Whether others shall be able to write while the plan runs, see [`Plan::online`].
    pub online: bool,
    pub renames: Decisions,
}

/// Compares two sides and plans the way from the one to the other. The result may have a problem:
/// `Refused` for a denied hazard, `Unproved` where the plan does not lead to `to`.
///
/// # Errors
/// What reading the sides gives.
pub async fn diff(
    context: &Context,
    from: &Side,
    to: &Side,
    options: &DiffOptions,
) -> Result<Difference> {
    let started = Instant::now();
    let mut desk = Desk::new(context);
    let result = desk.difference(from, to, options).await;
    desk.close().await?;
    let mut difference = result?;
    difference.took = started.elapsed().as_secs_f64();
    Ok(difference)
}

/// Where sides are read: makes scratch databases when the first one is needed.
pub(super) struct Desk<'a> {
    /// Of the project's own server, where the dev database is.
    home: &'a Context,
    bench: Option<Bench>,
    /// Where earlier sides stand, before a replay needed a server of its own.
    before: Vec<Bench>,
    made: usize,
}

impl<'a> Desk<'a> {
    pub(super) fn new(home: &'a Context) -> Self {
        Desk {
            home,
            bench: None,
            before: Vec::new(),
            made: 0,
        }
    }

    async fn bench(&mut self) -> Result<&mut Bench> {
        if self.bench.is_none() {
            self.bench = Some(Bench::on_projects_server(self.home).await?);
        }
        self.bench.as_mut().ok_or_else(|| Error::failed("no bench"))
    }

    async fn workshop(&mut self) -> Result<&mut Workshop> {
        Ok(&mut self.bench().await?.workshop)
    }

    /// From here on, scratch databases stand where the chain can be replayed.
    async fn bench_for_replay(&mut self, to: Option<&str>) -> Result<&mut Bench> {
        let present = self.bench().await?;
        if !present.is_own() && present.why_not_here(to).await?.is_some() {
            self.go_to_own_server().await?;
        }
        self.bench().await
    }

    /// From here on, scratch databases stand on a server that no migration has changed.
    async fn bench_as_clean(&mut self) -> Result<()> {
        let present = self.bench().await?;
        match present.is_own() || present.is_clean().await? {
            true => Ok(()),
            false => self.go_to_own_server().await,
        }
    }

    async fn go_to_own_server(&mut self) -> Result<()> {
        let own = Bench::on_own_server(self.home).await?;
        self.before.extend(self.bench.replace(own));
        Ok(())
    }

    /// Whether there is a server to prove on; none is started for that alone.
    async fn has_server(&self) -> bool {
        self.bench.is_some() || session(self.home).await.is_some()
    }

    /// A purpose that no scratch database of this desk has yet.
    fn purpose(&mut self) -> String {
        self.made += 1;
        format!("side{}", self.made)
    }

    pub(super) async fn close(self) -> Result<()> {
        for bench in self.before.into_iter().chain(self.bench) {
            bench.close().await?;
        }
        Ok(())
    }

    async fn difference(
        &mut self,
        from: &Side,
        to: &Side,
        options: &DiffOptions,
    ) -> Result<Difference> {
        let (from_at, to_at) = (self.place(from).await?, self.place(to).await?);
        let (a, b) = self.read_at_once(from_at.clone(), to_at).await?;
        let (a, b) = (options.filter.apply(a), options.filter.apply(b));
        let (on_a, on_b) = (a.version(), b.version());
        let (a, b) = (a.as_on(on_b), b.as_on(on_a));
        let b = self.as_printed(&a, b).await?;
        let settled = self.settle(&a, &b, &options.renames).await?;
        let mut plan = schema::plan_after(&settled.done, &settled.after, &b);
        if options.online {
            plan = plan.online(&settled.after, &b);
        }
        if matches!(from, Side::Dev | Side::Url(_)) {
            stakes::count(&from_at, &settled.done, &mut plan).await?;
        }
        let mut problem = deny(&plan, &options.deny).err();
        let prove = options.prove && problem.is_none() && !plan.is_empty();
        let mut proved = prove && self.has_server().await;
        if proved && let Err(error) = self.prove(&a, &b, &settled, &plan).await {
            if error.kind() != ErrorKind::Unproved {
                return Err(error);
            }
            proved = false;
            problem = Some(error);
        }
        let changes = schema::diff(&settled.after, &b);
        let undecided: Vec<String> = settled.open.iter().map(undecided).collect();
        let html = options.html.then(|| {
            crate::report::html(&crate::report::Report {
                from: from.to_string(),
                to: to.to_string(),
                proved,
                undecided: undecided.clone(),
                problem: problem.as_ref().map(|error| match error.detail_text() {
                    Some(detail) => format!("{}\n{detail}", error.message()),
                    None => error.message().to_owned(),
                }),
                ..report::report(&settled.after, &b, &settled.done, &changes, &plan)
            })
        });
        Ok(Difference {
            from: from.to_string(),
            to: to.to_string(),
            changes: settled
                .done
                .iter()
                .map(|r| format!("~ {r}"))
                .chain(lines(&changes))
                .collect(),
            undecided,
            plan,
            proved,
            html,
            problem,
            took: 0.0,
        })
    }

    /// `b`, after it went through a server once more where its text may not have settled.
    pub(super) async fn as_printed(&mut self, a: &Schema, b: Schema) -> Result<Schema> {
        if !proof::may_print_otherwise(a, &b) || !self.has_server().await {
            return Ok(b);
        }
        let purpose = self.purpose();
        let workshop = self.workshop().await?;
        proof::printed_again(workshop, &purpose, b).await
    }

    /// Runs the renames that are meant on a database that is made to be `a`.
    async fn settle<'s>(
        &mut self,
        a: &'s Schema,
        b: &Schema,
        decisions: &Decisions,
    ) -> Result<Settled<'s>> {
        if !renames::is_needed(a, b, decisions) {
            return Ok(Settled::nothing(a));
        }
        let purpose = self.purpose();
        let context = self.home;
        let scratch = self.workshop().await?.make(&purpose, "template0").await?;
        let mut connection = postgres::connect(&scratch.target).await?;
        let result = async {
            let empty = schema::read(&mut connection).await?;
            let present = schema::plan(&empty, a);
            proof::run(&mut connection, &present, "the present schema").await?;
            renames::settle(context, &mut connection, a, b, decisions).await
        }
        .await;
        connection.close().await;
        result
    }

    /// Builds `a` in a scratch database with rows in it, applies the plan, reads back: it must be
    /// `b`, and what should stay must be there.
    async fn prove(
        &mut self,
        a: &Schema,
        b: &Schema,
        settled: &Settled<'_>,
        plan: &Plan,
    ) -> Result<()> {
        let task = self.home.events.begin("proving the plan on a clone", None);
        let survivors = Survivors::of(&settled.done, &settled.after, b, plan);
        match self.prove_with(a, b, plan, Some(&survivors)).await {
            Ok(()) => task.end("it leads to the wanted schema, and rows stay"),
            Err(error) if proof::is_about_rows(&error, plan) => {
                self.prove_with(a, b, plan, None).await?;
                task.end(format!(
                    "it leads to the wanted schema, on empty tables: rows made up for the proof are in its way ({})",
                    error.message()
                ));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn prove_with(
        &mut self,
        a: &Schema,
        b: &Schema,
        plan: &Plan,
        survivors: Option<&Survivors>,
    ) -> Result<()> {
        let purpose = self.purpose();
        let workshop = self.workshop().await?;
        let scratch = workshop.make(&purpose, "template0").await?;
        let mut connection = postgres::connect(&scratch.target).await?;
        let result = async {
            let empty = schema::read(&mut connection).await?;
            proof::run(
                &mut connection,
                &schema::plan(&empty, a),
                "the present schema",
            )
            .await?;
            let before = match survivors {
                Some(survivors) => {
                    proof::fill(&mut connection, a).await?;
                    Some(
                        survivors
                            .fingerprints(&mut connection, Moment::Before)
                            .await?,
                    )
                }
                None => None,
            };
            proof::run(&mut connection, plan, "the plan").await?;
            if let (Some(survivors), Some(before)) = (survivors, before) {
                let after = survivors
                    .fingerprints(&mut connection, Moment::After)
                    .await?;
                proof::ensure_same(&before, &after, "after the plan")?;
            }
            let left = lines(&schema::diff(&schema::read(&mut connection).await?, b));
            match left.is_empty() {
                true => Ok(()),
                false => Err(Error::new(
                    ErrorKind::Unproved,
                    "after the plan the schema still differs",
                )
                .detail(left.join("\n"))),
            }
        }
        .await;
        connection.close().await;
        result
    }
}

pub(super) fn deny(plan: &Plan, kinds: &[HazardKind]) -> Result<()> {
    let found: Vec<String> = plan
        .hazards()
        .filter(|(_, hazard)| kinds.contains(&hazard.kind))
        .map(|(step, hazard)| format!("{}: {hazard}", step.object))
        .collect();
    match found.is_empty() {
        true => Ok(()),
        false => Err(Error::refused(format!(
            "the plan has {} that --deny forbids",
            match found.len() {
                1 => "a hazard".to_owned(),
                n => format!("{n} hazards"),
            }
        ))
        .detail(found.join("\n"))),
    }
}

/// One readable line for each change. What goes with its whole is not said twice: the parts of a
/// dropped object, the columns of a new view.
pub(super) fn lines(changes: &[Change]) -> Vec<String> {
    let wholes: HashSet<(&str, &str, Discriminant<What>)> = changes
        .iter()
        .filter(|c| c.object.part().is_empty())
        .map(|c| (c.object.schema(), c.object.name(), discriminant(&c.what)))
        .collect();
    let goes_with_whole = |c: &Change| {
        let whole = (c.object.schema(), c.object.name(), discriminant(&c.what));
        !c.object.part().is_empty() && wholes.contains(&whole)
    };
    changes
        .iter()
        .filter(|c| match c.what {
            What::Dropped => !goes_with_whole(c),
            What::Created { .. } => c.kind != Kind::ViewColumn || !goes_with_whole(c),
            What::Altered { .. } => true,
        })
        .map(ToString::to_string)
        .collect()
}

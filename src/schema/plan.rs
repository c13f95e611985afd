//! A plan: steps in order, each with its SQL, what it risks, and the transaction it belongs to.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::model::{Id, Kind, Unmodelled};
use super::render;

/// What a step does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Alter,
    Drop,
    /// Something that is said about an object when it stands: a comment, a grant, an owner.
    Detail,
}

/// A named risk of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hazard {
    pub kind: HazardKind,
    /// One clause that names what is at stake.
    pub message: String,
    /// How many rows are, where a database was there to count them in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HazardKind {
    /// Rows or values go away.
    DataLoss,
    /// Whether it works depends on the rows.
    DependsOnRows,
    /// The whole table is written anew, under an exclusive lock.
    TableRewrite,
    /// All rows are read while others wait.
    FullScan,
    /// An index is built while others cannot write.
    IndexBuild,
    /// The server refuses it to ordinary roles.
    Privilege,
    /// It cannot run inside a transaction, or what it makes can be used only after a commit.
    OwnTransaction,
    /// There is no step back.
    NotReversible,
    /// What others have to wait for meanwhile.
    Lock,
}

impl HazardKind {
    /// Every kind, the gravest first.
    pub const ALL: &[HazardKind] = &[
        HazardKind::DataLoss,
        HazardKind::DependsOnRows,
        HazardKind::TableRewrite,
        HazardKind::FullScan,
        HazardKind::IndexBuild,
        HazardKind::Privilege,
        HazardKind::OwnTransaction,
        HazardKind::NotReversible,
        HazardKind::Lock,
    ];

    /// The word for it on a command line and in a file: `data-loss`.
    pub fn name(self) -> &'static str {
        match self {
            HazardKind::DataLoss => "data-loss",
            HazardKind::DependsOnRows => "depends-on-rows",
            HazardKind::TableRewrite => "table-rewrite",
            HazardKind::FullScan => "full-scan",
            HazardKind::IndexBuild => "index-build",
            HazardKind::Privilege => "privilege",
            HazardKind::OwnTransaction => "own-transaction",
            HazardKind::NotReversible => "not-reversible",
            HazardKind::Lock => "lock",
        }
    }
}

impl Hazard {
    /// What is at stake, with the number of rows where it is known.
    pub fn text(&self) -> String {
        match self.rows {
            None => self.message.clone(),
            Some(1) => format!("{} (1 row)", self.message),
            Some(rows) => format!("{} ({rows} rows)", self.message),
        }
    }
}

/// `data-loss: the column and its values go away (12 rows)`
impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text())
    }
}

/// How strongly a step locks a relation, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    AccessExclusive,
}

impl LockMode {
    /// As the manual says it: `SHARE ROW EXCLUSIVE`, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            LockMode::ShareUpdateExclusive => "share update exclusive",
            LockMode::Share => "share",
            LockMode::ShareRowExclusive => "share row exclusive",
            LockMode::AccessExclusive => "access exclusive",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lock {
    pub mode: LockMode,
    pub on: Id,
}

/// One statement, and what has to be known to order it and to judge it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Without a semicolon at its end.
    pub sql: String,
    pub action: Action,
    pub object: Id,
    pub hazards: Vec<Hazard>,
    /// Which transaction it runs in, counted from 1; none where it cannot run in one.
    pub transaction: Option<u32>,
    /// What stands after it and did not before.
    pub makes: Vec<Id>,
    /// What it alters besides its object: the columns of children.
    pub alters: Vec<Id>,
    /// What is gone after it.
    pub destroys: Vec<Id>,
    /// What must stand before it, as it shall be.
    pub needs: Vec<Id>,
    /// What must not go before it.
    pub releases: Vec<Id>,
    pub locks: Vec<Lock>,
    /// What is written to disk anew.
    pub rewrites: Vec<Id>,
    /// An enum value that cannot be used before a commit.
    pub(super) adds_value: Option<String>,
    /// Cannot run inside a transaction block.
    pub(super) alone: bool,
    /// Runs in a transaction of its own, so that its lock is held no longer than it takes.
    pub(super) separate: bool,
    /// A later place in the order than its kind alone would give.
    pub(super) late: bool,
}

impl Step {
    fn new(action: Action, object: &Id, sql: impl Into<String>) -> Self {
        Step {
            sql: sql.into(),
            action,
            object: object.clone(),
            hazards: Vec::new(),
            transaction: Some(1),
            makes: Vec::new(),
            alters: Vec::new(),
            destroys: Vec::new(),
            needs: Vec::new(),
            releases: Vec::new(),
            locks: Vec::new(),
            rewrites: Vec::new(),
            adds_value: None,
            alone: false,
            separate: false,
            late: false,
        }
    }

    pub(super) fn create(object: &Id, sql: impl Into<String>) -> Self {
        let mut step = Step::new(Action::Create, object, sql);
        step.makes.push(object.clone());
        step
    }

    pub(super) fn drop(object: &Id, sql: impl Into<String>) -> Self {
        let mut step = Step::new(Action::Drop, object, sql);
        step.destroys.push(object.clone());
        step
    }

    pub(super) fn alter(object: &Id, sql: impl Into<String>) -> Self {
        Step::new(Action::Alter, object, sql)
    }

    pub(super) fn detail(object: &Id, sql: impl Into<String>) -> Self {
        let mut step = Step::new(Action::Detail, object, sql);
        step.needs.push(object.clone());
        step
    }

    pub(super) fn hazard(mut self, kind: HazardKind, message: impl Into<String>) -> Self {
        self.hazards.push(Hazard {
            kind,
            message: message.into(),
            rows: None,
        });
        self
    }

    pub(super) fn locking(mut self, mode: LockMode, on: &Id) -> Self {
        self.locks.push(Lock {
            mode,
            on: on.clone(),
        });
        self
    }

    pub(super) fn rewriting(mut self, table: &Id) -> Self {
        self.rewrites.push(table.clone());
        let message = format!("{table} is written anew under an exclusive lock");
        self.hazard(HazardKind::TableRewrite, message)
    }

    pub(super) fn needing(mut self, ids: impl IntoIterator<Item = Id>) -> Self {
        self.needs.extend(ids);
        self
    }

    pub(super) fn releasing(mut self, ids: impl IntoIterator<Item = Id>) -> Self {
        self.releases.extend(ids);
        self
    }

    /// The kind of the object it is about.
    pub fn kind(&self) -> Kind {
        self.object.kind()
    }
}

/// `{"sql", "kind", "object", "action", "hazards", "transaction"}`
impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 7)?;
        step.serialize_field("sql", &self.sql)?;
        step.serialize_field("kind", &self.kind())?;
        step.serialize_field("object", &self.object)?;
        step.serialize_field("action", &self.action)?;
        step.serialize_field("hazards", &self.hazards)?;
        step.serialize_field("locks", &self.locks)?;
        step.serialize_field("transaction", &self.transaction)?;
        step.end()
    }
}

/// Statements that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Without semicolons at their ends; hazards stand as comments above their statement.
    pub statements: Vec<String>,
    /// Whether they run in one transaction; otherwise there is one statement, which must run alone.
    pub transactional: bool,
}

impl Transaction {
    /// All statements, to be sent as one.
    pub fn to_sql(&self) -> String {
        let statements = self.statements.iter();
        statements.map(|sql| format!("{sql};\n")).collect()
    }
}

/// What turns one schema into another.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What stands on either side and devdb does not model: the plan does nothing about it.
    pub unmodelled: Vec<Unmodelled>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// All hazards, with the step that each belongs to.
    pub fn hazards(&self) -> impl Iterator<Item = (&Step, &Hazard)> {
        self.steps
            .iter()
            .flat_map(|step| step.hazards.iter().map(move |hazard| (step, hazard)))
    }

    /// The steps as SQL that `psql -f` applies, with `BEGIN` and `COMMIT` where it takes more than
    /// one transaction; hazards stand as comments above their step. Empty where there is no step.
    pub fn to_sql(&self) -> String {
        render::to_sql(self)
    }

    /// The same statements, for those who run them one by one or write them to files.
    pub fn transactions(&self) -> Vec<Transaction> {
        render::transactions(self)
    }
}

/// `{"format": 1, "steps": […], "unmodelled": […]}`
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 3)?;
        plan.serialize_field("format", &1)?;
        plan.serialize_field("steps", &self.steps)?;
        plan.serialize_field("unmodelled", &self.unmodelled)?;
        plan.end()
    }
}

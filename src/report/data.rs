//! What a report shows, as plain data. Names are as people read them, never quoted for SQL.

use serde::Serialize;

/// How an object stands to the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    Same,
    Created,
    Dropped,
    Altered,
}

impl State {
    /// What stands before a name, so that nothing is told by colour alone.
    pub fn sign(self) -> &'static str {
        match self {
            State::Same => "",
            State::Created => "+",
            State::Dropped => "−",
            State::Altered => "~",
        }
    }
}

/// The tables of a schema, or of two beside each other; of views those that changed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Graph {
    pub tables: Vec<Table>,
    pub links: Vec<Link>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    pub schema: String,
    pub name: String,
    /// In words, where it is no table: `view`.
    pub kind: String,
    /// The name on the other side, where it is another one.
    pub name_before: Option<String>,
    pub state: State,
    pub columns: Vec<Column>,
    /// What belongs to the table, is no column, and is not the same: an index, a trigger.
    pub parts: Vec<Part>,
    /// How many partitions it has, at any depth. They are not tables of their own here.
    pub partitions: usize,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Column {
    pub name: String,
    /// The name on the other side, where it is another one.
    pub name_before: Option<String>,
    #[serde(rename = "type")]
    pub data_type: String,
    /// The type on the other side, where it is another one.
    pub type_before: Option<String>,
    pub not_null: bool,
    /// Part of the primary key.
    pub primary: bool,
    /// Unique by itself.
    pub unique: bool,
    /// Part of a foreign key.
    pub foreign: bool,
    pub state: State,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Part {
    /// In words: `index`.
    pub kind: String,
    pub name: String,
    pub state: State,
}

/// What a table has to do with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// By a foreign key.
    #[default]
    Refers,
    Inherits,
    /// A view, what its query reads.
    Reads,
}

/// A foreign key, or another way to need a table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Link {
    pub relation: Relation,
    /// The name of the constraint.
    pub name: String,
    /// The table that refers, by its place in [`Graph::tables`].
    pub from: usize,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub to: usize,
    /// A row need not refer to any.
    pub optional: bool,
    /// At most one row refers to the same one.
    pub unique: bool,
    pub state: State,
}

/// Everything that one page says about a difference.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The two sides as they were named.
    pub from: String,
    pub to: String,
    /// Whether the plan was applied to a clone and read back equal.
    pub proved: bool,
    pub groups: Vec<Group>,
    pub steps: Vec<Step>,
    /// The whole plan as one SQL text.
    pub sql: String,
    /// What may be a rename, and nobody has decided.
    pub undecided: Vec<String>,
    /// Why the plan is not to be used.
    pub problem: Option<String>,
    /// What is not compared, by name.
    pub unmodelled: Vec<String>,
    pub graph: Graph,
}

/// What changes about one object and its parts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Group {
    /// In words: `table`.
    pub kind: String,
    pub name: String,
    /// Its place in [`Graph::tables`], where it has one.
    pub table: Option<usize>,
    pub state: State,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    pub kind: String,
    /// For a part of the group's object its own name alone.
    pub name: String,
    pub state: State,
    /// The most telling property in one line: a type, a definition.
    pub summary: String,
    pub properties: Vec<Property>,
}

/// `before` is empty for what is created, `after` for what is dropped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Property {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A statement of the plan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    pub sql: String,
    /// In one word: `create`, `alter`, `drop`, `detail`.
    pub action: String,
    pub kind: String,
    pub object: String,
    /// The place of what it belongs to in [`Report::groups`].
    pub group: Option<usize>,
    pub hazards: Vec<Hazard>,
    /// `access exclusive on public.users`
    pub locks: Vec<String>,
    /// Counted from 1; none for a statement that runs outside any transaction.
    pub transaction: Option<u32>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Hazard {
    /// The word for it: `data-loss`.
    pub kind: String,
    pub message: String,
}

impl Graph {
    /// `schema.name`, or the name alone where all tables are in one schema.
    pub(super) fn label(&self, table: &Table) -> String {
        match self.one_schema() {
            true => table.name.clone(),
            false => format!("{}.{}", table.schema, table.name),
        }
    }

    fn one_schema(&self) -> bool {
        self.tables.windows(2).all(|w| w[0].schema == w[1].schema)
    }
}

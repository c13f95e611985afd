//! The kinds of object, in the order in which they are usually made.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// A kind of object. The order is the usual order of making; `pg_depend` overrules it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind, in order.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// In words, as people write it: `foreign data wrapper`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// Only ever made, and by name alone: roles are the server's.
    Role = "role",
    Schema = "schema",
    Language = "language",
    Extension = "extension",
    AccessMethod = "access method",
    ForeignDataWrapper = "foreign data wrapper",
    Server = "server",
    UserMapping = "user mapping",
    Collation = "collation",
    Conversion = "conversion",
    /// With input and output functions of its own, or a shell that waits for them.
    BaseType = "base type",
    Enum = "enum",
    Composite = "composite type",
    Attribute = "attribute",
    Range = "range type",
    Domain = "domain",
    DomainConstraint = "domain constraint",
    TextSearchParser = "text search parser",
    TextSearchTemplate = "text search template",
    TextSearchDictionary = "text search dictionary",
    TextSearchConfiguration = "text search configuration",
    Sequence = "sequence",
    /// Plain, partitioned and foreign tables.
    Table = "table",
    Column = "column",
    Default = "default",
    Constraint = "constraint",
    Index = "index",
    Statistics = "statistics",
    View = "view",
    MaterializedView = "materialized view",
    /// A column of a view or of a materialized view.
    ViewColumn = "view column",
    Function = "function",
    Procedure = "procedure",
    Aggregate = "aggregate",
    OperatorFamily = "operator family",
    Operator = "operator",
    OperatorClass = "operator class",
    Cast = "cast",
    Transform = "transform",
    Trigger = "trigger",
    Rule = "rule",
    Policy = "policy",
    EventTrigger = "event trigger",
    Publication = "publication",
    Subscription = "subscription",
    DefaultPrivileges = "default privileges",
}

impl Kind {
    /// Whether the name is a clause of SQL already: `(integer AS public.colour)`.
    pub fn is_sentence(self) -> bool {
        matches!(self, Kind::Cast | Kind::Transform)
    }

    /// Whether the name goes with argument types: `f(integer)`.
    pub fn takes_arguments(self) -> bool {
        matches!(
            self,
            Kind::Function | Kind::Procedure | Kind::Aggregate | Kind::Operator
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

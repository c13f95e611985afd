//! What to do about a change: one file for each kind of object (or for a few that are alike).
//!
//! Rules write SQL for one object at a time. What must happen to others because of it is worked
//! out in `expand`, and the order in `order`; neither knows a kind.

mod base_types;
mod carry;
mod columns;
mod constraints;
mod defaults;
mod details;
mod domains;
mod foreign;
mod indexes;
mod inherited;
mod links;
mod misc;
mod not_null;
mod operators;
mod privileges;
mod publications;
mod relations;
mod retype;
mod roles;
mod routines;
mod row_types;
mod search;
mod sequences;
mod subscriptions;
mod tables;
mod types;
mod views;

use super::diff::Property;
use super::expand::Context;
use super::model::{Id, Kind, Object};
use super::plan::Step;
use super::text;

pub(super) use details::details;
pub(super) use roles::missing as missing_roles;

/// How an object can be altered.
pub(super) enum Alter {
    Steps(Vec<Step>),
    /// Only by dropping and making it again.
    Rebuild,
    /// Only by making the whole again that it is part of.
    RebuildWhole(Id),
}

/// What happens to an object that stands on both sides when something goes that it needs.
pub(super) enum Loss {
    /// It is dropped before, and made again after.
    Rebuild,
    /// Its own steps let go: `alter` is called, with what is lost in [`Context::lost`].
    Alter,
}

/// The properties in which an object differs.
pub(super) struct Changed<'a>(pub &'a [Property]);

impl Changed<'_> {
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|property| property.name == name)
    }

    pub fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Whether nothing else than these differs.
    pub fn only(&self, names: &[&str]) -> bool {
        self.0
            .iter()
            .all(|property| names.contains(&property.name.as_str()))
    }
}

/// A name that only one thing can have at a time, although the two are of different kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Claim {
    Relation(String, String),
    Type(String, String),
    Routine(String, String, String),
    /// Marks that only one index of a table has.
    Mark(&'static str, String, String),
}

impl Claim {
    /// Schema and name of a type.
    pub fn of_type(&self) -> Option<(&str, &str)> {
        match self {
            Claim::Type(schema, name) => Some((schema, name)),
            _ => None,
        }
    }
}

/// The rules of one kind.
pub(super) trait Rules: Sync {
    /// The object as `DROP`, `COMMENT ON` and `ALTER … OWNER TO` name it: `TABLE public.t`.
    fn target(&self, object: &Object) -> String {
        format!(
            "{} {}",
            object.id.kind().name().to_uppercase(),
            object.id.path()
        )
    }

    /// The object as `GRANT … ON` names it.
    fn grant_target(&self, object: &Object) -> String {
        self.target(object)
    }

    /// The statement that makes it, together with the parts whose maker it is.
    fn create(&self, cx: &Context, object: &Object) -> Vec<Step>;

    /// What else it takes once it stands, whoever made it.
    fn finish(&self, _cx: &Context, _object: &Object) -> Vec<Step> {
        Vec::new()
    }

    fn drop(&self, _cx: &Context, object: &Object) -> Vec<Step> {
        vec![Step::drop(
            &object.id,
            format!("DROP {}", self.target(object)),
        )]
    }

    /// From one state to the other. Comment, owner and grants are no matter of the kind.
    fn alter(&self, _cx: &Context, _from: &Object, _to: &Object, _changed: &Changed) -> Alter {
        Alter::Rebuild
    }

    /// The whole that must be made anew for this to become a part of it.
    fn remakes(&self, _cx: &Context, _object: &Object) -> Option<Id> {
        None
    }

    /// `object` stands on both sides and needs `lost`, which goes.
    fn loss(&self, _cx: &Context, _object: &Object, _lost: &Id) -> Loss {
        Loss::Rebuild
    }

    /// Whether a dependent must be out of the way while the object is altered.
    fn disturbs(&self, _cx: &Context, _from: &Object, _to: &Object, _dependent: &Object) -> bool {
        false
    }

    /// The objects that keep values of it and must let go of them while it is altered.
    fn keepers(&self, _cx: &Context, _from: &Object, _to: &Object) -> Vec<Id> {
        Vec::new()
    }

    /// The object whose making makes this one too, directly.
    fn maker(&self, _cx: &Context, _object: &Object) -> Option<Id> {
        None
    }

    /// Whether it really goes unasked when `whole` goes, which the catalog says it does: not when
    /// the plan takes the two apart before.
    fn goes_with(&self, _cx: &Context, _object: &Object, _whole: &Id) -> bool {
        true
    }

    /// What must go as well when it goes: Postgres does not let it go alone.
    fn holder(&self, _cx: &Context, _object: &Object) -> Option<Id> {
        None
    }

    /// Whether its making, and before that its dropping, has to mind what it needs here.
    fn waits_for(&self, _object: &Object, _need: &Id) -> bool {
        true
    }

    /// For kinds that columns hold on to: gives the old one another name, so that the new one can
    /// be made and the columns moved over before the old one is dropped. Nothing for all others.
    fn rename(&self, _object: &Object, _name: &str) -> Vec<String> {
        Vec::new()
    }
}

/// The rules of a kind.
pub(super) fn of(kind: Kind) -> &'static dyn Rules {
    match kind {
        Kind::Role => &roles::Roles,
        Kind::Schema => &misc::Schemas,
        Kind::Language => &misc::Languages,
        Kind::Extension => &misc::Extensions,
        Kind::AccessMethod => &misc::AccessMethods,
        Kind::Conversion => &misc::Conversions,
        Kind::EventTrigger => &misc::EventTriggers,
        Kind::Collation => &misc::Collations,
        Kind::ForeignDataWrapper => &foreign::Wrappers,
        Kind::Server => &foreign::Servers,
        Kind::UserMapping => &foreign::UserMappings,
        Kind::BaseType => &base_types::BaseTypes,
        Kind::Enum => &types::Enums,
        Kind::Composite => &types::Composites,
        Kind::Attribute => &types::Attributes,
        Kind::Range => &types::Ranges,
        Kind::Domain => &domains::Domains,
        Kind::DomainConstraint => &domains::DomainConstraints,
        Kind::TextSearchParser => &search::Parsers,
        Kind::TextSearchTemplate => &search::Templates,
        Kind::TextSearchDictionary => &search::Dictionaries,
        Kind::TextSearchConfiguration => &search::Configurations,
        Kind::Sequence => &sequences::Sequences,
        Kind::Table => &tables::Tables,
        Kind::Column => &columns::Columns,
        Kind::Default => &defaults::Defaults,
        Kind::Constraint => &constraints::Constraints,
        Kind::Index => &indexes::Indexes,
        Kind::Statistics => &relations::ExtendedStatistics,
        Kind::View => &views::Views,
        Kind::MaterializedView => &views::MaterializedViews,
        Kind::ViewColumn => &views::ViewColumns,
        Kind::Function | Kind::Procedure => &routines::Routines,
        Kind::Aggregate => &routines::Aggregates,
        Kind::OperatorFamily => &operators::Families,
        Kind::Operator => &operators::Operators,
        Kind::OperatorClass => &operators::Classes,
        Kind::Cast => &operators::Casts,
        Kind::Transform => &operators::Transforms,
        Kind::Trigger => &relations::Triggers,
        Kind::Rule => &relations::RewriteRules,
        Kind::Policy => &relations::Policies,
        Kind::Publication => &publications::Publications,
        Kind::Subscription => &subscriptions::Subscriptions,
        Kind::DefaultPrivileges => &privileges::DefaultPrivileges,
    }
}

/// The names that an object takes for itself beyond its id.
pub(super) fn claims(object: &Object) -> Vec<Claim> {
    let id = &object.id;
    let relation = || Claim::Relation(id.schema().into(), id.name().into());
    let type_name = || Claim::Type(id.schema().into(), id.name().into());
    let part = |name: &str| Claim::Relation(id.schema().into(), name.into());
    match id.kind() {
        // A sequence has no type, but Postgres makes none where there is a type of its name.
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::Composite | Kind::Sequence => {
            vec![relation(), type_name()]
        }
        Kind::Index => {
            let mut claims = vec![relation()];
            claims.extend(marks(object));
            claims
        }
        Kind::Range => match object.list("_multirange") {
            [schema, name] => vec![type_name(), Claim::Type(schema.clone(), name.clone())],
            _ => vec![type_name()],
        },
        Kind::BaseType | Kind::Enum | Kind::Domain => vec![type_name()],
        Kind::Function | Kind::Procedure | Kind::Aggregate => vec![Claim::Routine(
            id.schema().into(),
            id.name().into(),
            id.part().into(),
        )],
        Kind::Constraint if !matches!(object.get("form"), "check" | "foreign key") => {
            let mut claims = vec![part(id.part())];
            claims.extend(marks(object));
            claims
        }
        Kind::Column => object
            .text("_sequence_name")
            .into_iter()
            .flat_map(|name| [part(name), Claim::Type(id.schema().into(), name.into())])
            .collect(),
        _ => Vec::new(),
    }
}

fn marks(index: &Object) -> Vec<Claim> {
    let [schema, table] = index.list("_table") else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    if index.get("form") == "primary key" {
        marks.push(Claim::Mark("primary key", schema.clone(), table.clone()));
    }
    marks
}

/// `ALTER TABLE public.t`, or what else the relation of a part is.
fn alter_table(cx: &Context, part: &Id) -> String {
    let table = table_of(cx, part);
    let word = match table {
        Some(table) => match table.id.kind() {
            Kind::View => "VIEW",
            Kind::MaterializedView => "MATERIALIZED VIEW",
            _ if table.get("form") == "foreign" => "FOREIGN TABLE",
            _ => "TABLE",
        },
        None => "TABLE",
    };
    format!("ALTER {word} {}", relation_path(part))
}

/// The same without what inherits from it, where there is any difference.
fn alter_only(cx: &Context, part: &Id) -> String {
    let has_children = |schema: &super::model::Schema| {
        let id = part.beside(Kind::Table, "");
        schema.children.contains(&id)
    };
    let alter = alter_table(cx, part);
    if has_children(cx.from) || has_children(cx.to) {
        alter.replacen("TABLE ", "TABLE ONLY ", 1)
    } else {
        alter
    }
}

/// The relation that a column, trigger, rule … belongs to.
fn table_of<'a>(cx: &Context<'a>, part: &Id) -> Option<&'a Object> {
    [Kind::Table, Kind::View, Kind::MaterializedView]
        .iter()
        .find_map(|kind| {
            let id = part.beside(*kind, "");
            cx.to.get(&id).or_else(|| cx.from.get(&id))
        })
}

/// `public.t` of any part of it.
fn relation_path(part: &Id) -> String {
    text::qualified(part.schema(), part.name())
}

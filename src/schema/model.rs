//! A schema as plain data: objects by [`Id`], each with its properties and what it needs.
//!
//! Nothing here knows a kind of object; what a property means is known to the query that reads it
//! and to the kind's rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

pub use super::kind::Kind;
use super::text;

/// The name of one object: its kind, schema, name, and for a part of something (a column, a
/// constraint …) or something with arguments (a function, an operator) that too. Cheap to clone;
/// ordered by kind first, in the order in which kinds are usually made.
///
/// The three names are one text, parted by NUL, which no name in Postgres has and which comes
/// before everything else in the order: a large schema has many ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    kind: Kind,
    names: Arc<str>,
}

impl Id {
    /// `schema` is empty for objects that live in none; `part` is the name of a part, or the
    /// argument types (`integer, text`) of what can be overloaded.
    pub fn new(kind: Kind, schema: &str, name: &str, part: &str) -> Self {
        Id {
            kind,
            names: [schema, "\0", name, "\0", part].concat().into(),
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn split(&self) -> (&str, &str, &str) {
        let (schema, rest) = self.names.split_once('\0').unwrap_or_default();
        let (name, part) = rest.split_once('\0').unwrap_or_default();
        (schema, name, part)
    }

    /// The schema it lives in, or nothing.
    pub fn schema(&self) -> &str {
        self.split().0
    }

    /// Its name, or for a part the name of the whole.
    pub fn name(&self) -> &str {
        self.split().1
    }

    /// The name of the part, or the argument types; empty where there is neither.
    pub fn part(&self) -> &str {
        self.split().2
    }

    /// Another object under the same schema and name: a part of a whole, or the whole of a part.
    pub fn beside(&self, kind: Kind, part: &str) -> Id {
        Id::new(kind, self.schema(), self.name(), part)
    }

    /// The name without the kind, quoted where SQL needs it: `public.documents.tags`.
    pub fn path(&self) -> String {
        let mut path = text::qualified(self.schema(), self.name());
        if self.kind().is_sentence() {
            // A cast or a transform has no name but what it says.
            path = self.name().to_owned();
        } else if self.kind().takes_arguments() {
            path.push_str(&format!("({})", self.part()));
        } else if !self.part().is_empty() {
            path.push('.');
            path.push_str(&text::ident(self.part()));
        }
        path
    }
}

/// `column public.documents.tags`
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.path())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path())
    }
}

/// The value of a property. A flag is the text `true`, or no value at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Value {
    Text(Arc<str>),
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::List(list) => f.write_str(&list.join(", ")),
        }
    }
}

/// What an object stands on. `auto`: when that goes, the object goes with it unasked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub id: Id,
    pub auto: bool,
}

/// One object. Properties whose name begins with `_` are known, but are no difference.
#[derive(Debug, Clone)]
pub struct Object {
    pub id: Id,
    /// Shared by all objects that one query read.
    names: Arc<[String]>,
    /// What has a value, with the place of its name in `names`, in that order. Most have few.
    values: Box<[(u16, Value)]>,
    /// Sorted, each id once.
    pub needs: Vec<Need>,
}

impl Object {
    /// `values` stand beside `names`.
    pub fn new(
        id: Id,
        names: Arc<[String]>,
        values: impl IntoIterator<Item = Option<Value>>,
    ) -> Self {
        let places = 0..;
        let values = places.zip(values);
        let values = values.filter_map(|(place, value)| Some((place, value?)));
        Object {
            id,
            names,
            values: values.collect(),
            needs: Vec::new(),
        }
    }

    /// The value of a property, where it has one.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let has_name = |(place, _): &&(u16, Value)| self.names[usize::from(*place)] == name;
        self.values.iter().find(has_name).map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::List(_) => None,
        }
    }

    /// The text of a property that is never absent.
    pub fn get(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// All properties, in the order of the query.
    pub fn properties(&self) -> impl Iterator<Item = (&str, Option<&Value>)> {
        let mut values = self.values.iter().peekable();
        self.names.iter().enumerate().map(move |(at, name)| {
            let value = values.next_if(|(place, _)| usize::from(*place) == at);
            (name.as_str(), value.map(|(_, value)| value))
        })
    }

    /// Whether both were read by the same query, so that values can be compared by place.
    pub(super) fn same_shape(&self, other: &Object) -> bool {
        Arc::ptr_eq(&self.names, &other.names) || self.names == other.names
    }

    pub(super) fn same_values(&self, other: &Object) -> bool {
        self.values == other.values
    }

    pub fn needs_id(&self, id: &Id) -> bool {
        self.needs.iter().any(|need| need.id == *id)
    }

    /// A copy with one value changed, for rules that plan in two moves.
    pub fn with(&self, name: &str, value: Option<Value>) -> Object {
        let values = self.properties().map(|(known, old)| match known == name {
            true => value.clone(),
            false => old.cloned(),
        });
        Object {
            needs: self.needs.clone(),
            ..Object::new(self.id.clone(), self.names.clone(), values)
        }
    }
}

/// `role=SELECT,UPDATE*` without MAINTAIN, where anything else is left.
fn without_maintain(grant: &str) -> Option<String> {
    let (role, privileges) = grant.rsplit_once('=')?;
    let known = privileges.split(',');
    let known = known.filter(|privilege| privilege.trim_end_matches('*') != "MAINTAIN");
    let known: Vec<&str> = known.collect();
    (!known.is_empty()).then(|| format!("{role}={}", known.join(",")))
}

/// Something that stands in the database and that devdb does not model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unmodelled {
    /// What it is, in a word or two: `base type`.
    pub kind: String,
    /// Its name, as Postgres prints it.
    pub name: String,
}

impl fmt::Display for Unmodelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Everything that a database holds besides rows: objects in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(super) objects: BTreeMap<Id, Object>,
    /// What stands there and is not in `objects`, by name.
    pub unmodelled: Vec<Unmodelled>,
    /// Tables that others inherit from or are partitions of.
    pub(super) children: BTreeSet<Id>,
    /// The role that read it, and that owns what it makes.
    pub(super) role: String,
    /// All roles of its server.
    pub(super) roles: BTreeSet<String>,
    /// `server_version_num`: 170004.
    pub(super) version: u32,
    /// How one type becomes another: `i`mplicitly, on `a`ssignment or `e`xplicitly.
    pub(super) casts: HashMap<(String, String), char>,
}

impl Schema {
    /// All objects, in the order of their ids.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub fn get(&self, id: &Id) -> Option<&Object> {
        self.objects.get(id)
    }

    pub fn contains(&self, id: &Id) -> bool {
        self.objects.contains_key(id)
    }

    /// The same schema with the texts that another server's reading of it gave.
    pub fn printed_as(self, printed: Schema) -> Schema {
        Schema {
            objects: printed.objects,
            children: printed.children,
            ..self
        }
    }

    /// `server_version_num` of the server that it was read from: 170004.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The schema as a server of this version can have it: where that is older, without privileges
    /// that it does not know.
    pub fn as_on(mut self, version: u32) -> Schema {
        const MAINTAIN_SINCE: u32 = 170_000;
        if self.version < MAINTAIN_SINCE || version >= MAINTAIN_SINCE {
            return self;
        }
        self.version = version;
        for object in self.objects.values_mut() {
            for name in ["acl", "grants", "_builtin"] {
                if let Some(Value::List(grants)) = object.value(name) {
                    let known = grants.iter().filter_map(|grant| without_maintain(grant));
                    *object = object.with(name, Some(Value::List(known.collect())));
                }
            }
        }
        self
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The schema as if the objects that `pred` picks were not there, nor anything that needs them.
    pub fn without(mut self, pred: impl Fn(&Id) -> bool) -> Schema {
        let mut gone: BTreeSet<Id> = BTreeSet::new();
        let mut todo: Vec<&Id> = self.objects.keys().filter(|id| pred(id)).collect();
        if !todo.is_empty() {
            let dependents = Dependents::of(&self);
            while let Some(id) = todo.pop() {
                if gone.insert(id.clone()) {
                    todo.extend(dependents.on(id).map(|(object, _)| &object.id));
                }
            }
        }
        self.objects.retain(|id, _| !gone.contains(id));
        self
    }

    /// The same schema, in which these objects are what `other` has of them, or gone.
    pub fn taking(&self, other: &Schema, ids: &BTreeSet<Id>) -> Schema {
        let mut result = self.clone();
        for id in ids {
            match other.get(id) {
                Some(object) => result.put(object.clone()),
                None => {
                    result.objects.remove(id);
                }
            }
        }
        result
    }

    /// Adds an object, or puts it in the place of the one with its id.
    pub fn put(&mut self, object: Object) {
        self.objects.insert(object.id.clone(), object);
    }

    /// All objects of one kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        let first = Id::new(kind, "", "", "");
        self.objects
            .range(first..)
            .take_while(move |(id, _)| id.kind() == kind)
            .map(|(_, object)| object)
    }

    /// The parts of one kind of a whole, in the order of their names: the columns of a table.
    pub fn parts<'a>(&'a self, of: &Id, kind: Kind) -> impl Iterator<Item = &'a Object> {
        let first = of.beside(kind, "");
        self.objects
            .range(first.clone()..)
            .take_while(move |(id, _)| id.kind == kind && id.names.starts_with(&*first.names))
            .map(|(_, object)| object)
    }
}

/// Who needs whom, the other way round.
pub struct Dependents<'a>(FxHashMap<&'a Id, Vec<(&'a Object, bool)>>);

impl<'a> Dependents<'a> {
    pub fn of(schema: &'a Schema) -> Self {
        let mut map: FxHashMap<&Id, Vec<(&Object, bool)>> = FxHashMap::default();
        map.reserve(schema.objects.len());
        for object in schema.objects.values() {
            for need in &object.needs {
                map.entry(&need.id).or_default().push((object, need.auto));
            }
        }
        Dependents(map)
    }

    /// The objects that need it, in order, and whether they go with it unasked.
    pub fn on(&self, id: &Id) -> impl Iterator<Item = (&'a Object, bool)> + '_ {
        self.0.get(id).into_iter().flatten().copied()
    }
}

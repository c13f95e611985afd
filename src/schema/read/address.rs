//! From addresses in the catalog to ids: which object an address belongs to, and who needs whom.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::Result;
use crate::postgres::Connection;

use super::super::model::{Need, Object};
use super::class;

/// Where an object, or a part of one, stands in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Address {
    class: u32,
    oid: u32,
    sub: i32,
}

impl Address {
    pub fn new(class: u32, oid: i64, sub: i64) -> Self {
        Address {
            class,
            // Oids are 32 bits without a sign, column numbers 16 with one.
            oid: u32::try_from(oid).unwrap_or_default(),
            sub: i32::try_from(sub).unwrap_or_default(),
        }
    }

    fn whole(self) -> Self {
        Address { sub: 0, ..self }
    }
}

/// How closely something belongs to a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Inside {
    Internal,
    Partition,
    Auto,
}

/// Which object stands at which address, and what is only the inside of something else.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    objects: FxHashMap<Address, usize>,
    /// An address that is no object of its own, and what it is part of.
    inside: FxHashMap<Address, (Inside, Address)>,
    /// What depends on something and is neither.
    unknown: BTreeSet<(u32, u32)>,
}

impl Addresses {
    pub fn insert(&mut self, address: Address, index: usize) {
        self.objects.insert(address, index);
    }

    /// Of several wholes that something may be inside of, the closest counts.
    fn put_inside(&mut self, part: Address, whole: Address, kind: char) {
        let how = match kind {
            'i' | 'e' => Inside::Internal,
            'P' => Inside::Partition,
            'a' | 'S' => Inside::Auto,
            _ => return,
        };
        let entry = self.inside.entry(part).or_insert((how, whole));
        if how < entry.0 {
            *entry = (how, whole);
        }
    }

    /// Whether it is what a partition has of something on its parent, and no object itself: it
    /// goes with its table, and the whole stays.
    fn is_on_partition(&self, address: Address) -> bool {
        !self.objects.contains_key(&address)
            && matches!(self.inside.get(&address), Some((Inside::Partition, _)))
    }

    /// Whether it is the inside of an object that stands and falls with it: an index of a
    /// constraint. What such an inside would go with unasked, its object does not.
    fn is_internal(&self, address: Address) -> bool {
        !self.objects.contains_key(&address)
            && matches!(self.inside.get(&address), Some((Inside::Internal, _)))
    }

    /// Catalog and oid of what is known to be there, and to nobody here.
    pub fn unknown(&self) -> &BTreeSet<(u32, u32)> {
        &self.unknown
    }

    /// The object at an address, or the one whose inside it is. An unknown column is its table.
    pub fn find(&self, mut address: Address) -> Option<usize> {
        // Insides nest a few levels deep; a longer way can only be a circle.
        for _ in 0..8 {
            if let Some(index) = self.objects.get(&address) {
                return Some(*index);
            }
            address = match self.inside.get(&address) {
                Some((_, outer)) => *outer,
                None if address.sub != 0 => address.whole(),
                None => return None,
            };
        }
        None
    }
}

/// Who depends on whom, by address.
pub(super) struct Edges(Vec<(Address, Address, char)>);

impl Edges {
    /// Reads `pg_depend` once.
    pub async fn read(connection: &mut Connection) -> Result<Self> {
        let mut edges = Vec::new();
        connection
            .for_each(
                "select classid::int8, objid::int8, objsubid, refclassid::int8, refobjid::int8, \
                        refobjsubid, deptype::text \
                 from pg_catalog.pg_depend where objid >= 16384 \
                 union all \
                 select 'pg_catalog.pg_type'::regclass::int8, rngmultitypid::int8, 0, \
                        'pg_catalog.pg_type'::regclass::int8, rngtypid::int8, 0, 'i' \
                 from pg_catalog.pg_range where rngtypid >= 16384 \
                 union all \
                 select 'pg_catalog.pg_publication_rel'::regclass::int8, oid::int8, 0, \
                        'pg_catalog.pg_publication'::regclass::int8, prpubid::int8, 0, 'i' \
                 from pg_catalog.pg_publication_rel \
                 union all \
                 select 'pg_catalog.pg_publication_namespace'::regclass::int8, oid::int8, 0, \
                        'pg_catalog.pg_publication'::regclass::int8, pnpubid::int8, 0, 'i' \
                 from pg_catalog.pg_publication_namespace",
                |columns, row| {
                    let address = |at: usize| -> Result<Address> {
                        let class = u32::try_from(columns.number(row, at)?).unwrap_or_default();
                        let (oid, sub) =
                            (columns.number(row, at + 1)?, columns.number(row, at + 2)?);
                        Ok(Address::new(class, oid, sub))
                    };
                    let kind = columns.text(row, 6)?.chars().next().unwrap_or('n');
                    edges.push((address(0)?, address(3)?, kind));
                    Ok(())
                },
            )
            .await?;
        Ok(Edges(edges))
    }

    /// The catalogs that hold something that depends on anything and belongs to no extension.
    pub fn classes(&self) -> FxHashSet<u32> {
        let member = |edge: &&(Address, Address, char)| edge.2 == 'e';
        let members: FxHashSet<Address> = self.0.iter().filter(member).map(|e| e.0).collect();
        let own = self.0.iter().map(|edge| edge.0);
        own.filter(|from| !members.contains(&from.whole()))
            .map(|from| from.class)
            .collect()
    }
}

/// Fills in the needs of all objects.
pub(super) fn resolve(edges: Edges, addresses: &mut Addresses, objects: &mut [Object]) {
    let edges = edges.0;
    for &(from, to, kind) in &edges {
        // A member of an extension is the extension; what is internal to something is that, and
        // so is what goes with it unasked and is no object itself (a NOT NULL of its column).
        if !addresses.objects.contains_key(&from) {
            addresses.put_inside(from, to, kind);
        }
    }
    for (from, ..) in &edges {
        // The inside of something unknown is named by that.
        if addresses.find(*from).is_none() && !addresses.inside.contains_key(from) {
            addresses.unknown.insert((from.class, from.oid));
        }
    }
    for (from, to, kind) in edges {
        // A member that goes leaves its publication or operator family standing.
        let member = matches!(
            from.class,
            class::PUBLICATION_REL | class::PUBLICATION_NAMESPACE | class::AMOP | class::AMPROC
        );
        if addresses.is_on_partition(from) {
            continue;
        }
        let asked = member || (kind == 'a' && addresses.is_internal(from));
        let (Some(from), Some(to)) = (addresses.find(from), addresses.find(to)) else {
            continue;
        };
        if from != to {
            let need = Need {
                id: objects[to].id.clone(),
                auto: !asked && matches!(kind, 'a' | 'i' | 'P' | 'S'),
            };
            objects[from].needs.push(need);
        }
    }
    columns_need_their_tables(addresses, objects);
    for object in objects {
        object.needs.sort();
        // Sorted, the automatic one of two comes second: it is the one that tells.
        object.needs.reverse();
        object.needs.dedup_by(|b, a| a.id == b.id);
        object.needs.reverse();
    }
}

/// A column and its table are one in `pg_depend`.
fn columns_need_their_tables(addresses: &Addresses, objects: &mut [Object]) {
    let parts: Vec<(usize, Address)> = addresses
        .objects
        .iter()
        .filter(|(address, _)| address.class == class::CLASS && address.sub != 0)
        .map(|(address, index)| (*index, address.whole()))
        .collect();
    for (index, whole) in parts {
        if let Some(table) = addresses.find(whole)
            && table != index
        {
            let id = objects[table].id.clone();
            objects[index].needs.push(Need { id, auto: true });
        }
    }
}

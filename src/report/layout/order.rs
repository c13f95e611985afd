//! Where in its layer each box and each passing line stands.

use std::collections::BTreeMap;

use super::layers::Arc;
use super::{Edge, Node};

/// A box, or the place where a trunk passes through a layer.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// None for a trunk that passes.
    pub node: Option<usize>,
    pub height: i32,
}

/// An item, or its place in a layer, and how far below its top.
pub type End = (usize, i32);
/// For each item the others that it is joined to on one side, with their ports and its own.
pub type Neighbours = Vec<Vec<(usize, i32, i32)>>;

/// One trunk in one channel: every place on the left is joined to every place on the right. On
/// one of the two sides there is one place only.
#[derive(Debug, Clone)]
pub struct Joint {
    /// The layer on the left of the channel.
    pub channel: usize,
    pub lefts: Vec<End>,
    pub rights: Vec<End>,
}

/// All links to one table from one of its sides.
#[derive(Debug)]
pub struct Trunk {
    /// By channel.
    pub joints: BTreeMap<usize, Joint>,
}

/// Boxes and passing lines in layers, and what joins them.
pub struct Net {
    pub items: Vec<Item>,
    /// The items of each layer, from top to bottom.
    pub layers: Vec<Vec<usize>>,
    /// The layer of each node; the first items are the nodes.
    pub layer_of: Vec<usize>,
    pub trunks: Vec<Trunk>,
    /// The trunk of each edge.
    pub trunk_of: Vec<Option<usize>>,
    /// Where each edge leaves its child.
    pub child_ports: Vec<i32>,
}

/// Lines that go the other way leave a little lower, so that they do not lie on those that go
/// the usual way.
const REVERSED: i32 = 5;
/// How often the layers are gone through.
pub const SWEEPS: usize = 16;

impl Net {
    pub fn new(nodes: &[Node], edges: &[Edge], arcs: &[Option<Arc>], layer_of: Vec<usize>) -> Self {
        let count = layer_of.iter().max().map_or(0, |m| m + 1);
        let mut net = Net {
            items: Vec::new(),
            layers: vec![Vec::new(); count],
            layer_of,
            trunks: Vec::new(),
            trunk_of: vec![None; edges.len()],
            child_ports: edges
                .iter()
                .zip(arcs)
                .map(|(edge, arc)| {
                    let lower = if arc.is_some_and(|a| a.reversed) {
                        REVERSED
                    } else {
                        0
                    };
                    edge.child_port.unwrap_or(nodes[edge.child].height / 2) + lower
                })
                .collect(),
        };
        for (node, size) in nodes.iter().enumerate() {
            net.layers[net.layer_of[node]].push(node);
            net.items.push(Item {
                node: Some(node),
                height: size.height,
            });
        }
        let mut bundles: BTreeMap<(usize, bool), Vec<usize>> = BTreeMap::new();
        for (e, arc) in arcs.iter().enumerate() {
            if let Some(arc) = arc {
                bundles
                    .entry((edges[e].parent, arc.reversed))
                    .or_default()
                    .push(e);
            }
        }
        for ((parent, reversed), bundle) in bundles {
            for &e in &bundle {
                net.trunk_of[e] = Some(net.trunks.len());
            }
            let port = edges[bundle[0]].parent_port + if reversed { REVERSED } else { 0 };
            let trunk = net.trunk(parent, port, reversed, edges, &bundle);
            net.trunks.push(trunk);
        }
        net
    }

    fn trunk(
        &mut self,
        parent: usize,
        port: i32,
        reversed: bool,
        edges: &[Edge],
        bundle: &[usize],
    ) -> Trunk {
        let home = self.layer_of[parent];
        let child_layers = bundle.iter().map(|&e| self.layer_of[edges[e].child]);
        let far = match reversed {
            true => child_layers.min(),
            false => child_layers.max(),
        }
        .unwrap_or(home);
        let (first, last) = (home.min(far), home.max(far));
        let mut passes = BTreeMap::new();
        for layer in first + 1..last {
            passes.insert(layer, self.items.len());
            self.layers[layer].push(self.items.len());
            self.items.push(Item {
                node: None,
                height: 0,
            });
        }
        let mut joints = BTreeMap::new();
        for channel in first..last {
            let (near, beyond) = match reversed {
                true => (channel + 1, channel),
                false => (channel, channel + 1),
            };
            let one = match passes.get(&near) {
                Some(&item) => (item, 0),
                None => (parent, port),
            };
            let mut many: Vec<(usize, i32)> = bundle
                .iter()
                .filter(|&&e| self.layer_of[edges[e].child] == beyond)
                .map(|&e| (edges[e].child, self.child_ports[e]))
                .chain(passes.get(&beyond).map(|&item| (item, 0)))
                .collect();
            many.sort_unstable();
            many.dedup();
            let (lefts, rights) = match reversed {
                true => (many, vec![one]),
                false => (vec![one], many),
            };
            joints.insert(
                channel,
                Joint {
                    channel,
                    lefts,
                    rights,
                },
            );
        }
        Trunk { joints }
    }

    fn joints(&self) -> impl Iterator<Item = &Joint> {
        self.trunks.iter().flat_map(|t| t.joints.values())
    }

    /// For each item its neighbours on the left (or right), with both ports.
    pub fn neighbours(&self, on_left: bool) -> Neighbours {
        let mut all = vec![Vec::new(); self.items.len()];
        for joint in self.joints() {
            for &(left, left_port) in &joint.lefts {
                for &(right, right_port) in &joint.rights {
                    match on_left {
                        true => all[right].push((left, left_port, right_port)),
                        false => all[left].push((right, right_port, left_port)),
                    }
                }
            }
        }
        all
    }

    /// Orders the layers so that few lines cross: each item goes to the middle of its neighbours,
    /// to and fro, and the best order that was met is kept.
    pub fn order(&mut self) {
        let sides = [self.neighbours(true), self.neighbours(false)];
        let mut place = self.places();
        let mut best = (self.crossings(&place), self.layers.clone());
        for sweep in 0..SWEEPS {
            let rightwards = sweep % 2 == 0;
            let neighbours = &sides[usize::from(!rightwards)];
            for step in 0..self.layers.len() {
                let at = if rightwards {
                    step
                } else {
                    self.layers.len() - 1 - step
                };
                let middle = |item: usize| {
                    let of = &neighbours[item];
                    let sum: f64 = of
                        .iter()
                        .map(|&(n, port, _)| {
                            let height = f64::from(self.items[n].height.max(1));
                            place[n] as f64 + f64::from(port) / height
                        })
                        .sum();
                    match of.is_empty() {
                        true => place[item] as f64,
                        false => sum / of.len() as f64,
                    }
                };
                let mut keyed: Vec<(f64, usize, usize)> = self.layers[at]
                    .iter()
                    .map(|&item| (middle(item), place[item], item))
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                self.layers[at] = keyed.into_iter().map(|k| k.2).collect();
                for (i, &item) in self.layers[at].iter().enumerate() {
                    place[item] = i;
                }
            }
            let crossings = self.crossings(&place);
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn places(&self) -> Vec<usize> {
        let mut place = vec![0; self.items.len()];
        for layer in &self.layers {
            for (i, &item) in layer.iter().enumerate() {
                place[item] = i;
            }
        }
        place
    }

    fn crossings(&self, place: &[usize]) -> usize {
        let mut channels: Vec<Vec<(End, End)>> = vec![Vec::new(); self.layers.len()];
        for joint in self.joints() {
            for &(left, left_port) in &joint.lefts {
                for &(right, right_port) in &joint.rights {
                    channels[joint.channel]
                        .push(((place[left], left_port), (place[right], right_port)));
                }
            }
        }
        channels.iter_mut().map(|pairs| inversions(pairs)).sum()
    }

    /// Where a line may leave its box anywhere, lines to higher places leave higher.
    pub fn spread_ports(&mut self, edges: &[Edge]) {
        let place = self.places();
        let mut free: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (e, edge) in edges.iter().enumerate() {
            if let (None, Some(trunk)) = (edge.child_port, self.trunk_of[e]) {
                let of = free.entry(edge.child).or_default();
                let layer = self.layer_of[edge.child];
                let joint = [layer.wrapping_sub(1), layer]
                    .into_iter()
                    .find_map(|channel| {
                        let joint = self.trunks[trunk].joints.get(&channel)?;
                        let ends = if channel == layer {
                            &joint.rights
                        } else {
                            &joint.lefts
                        };
                        Some(ends[0].0)
                    });
                of.push((joint.map_or(0, |item| place[item]), trunk));
            }
        }
        for (child, mut trunks) in free {
            trunks.sort_unstable();
            trunks.dedup();
            let slots = i32::try_from(trunks.len()).unwrap_or(1) + 1;
            for (i, &(_, trunk)) in trunks.iter().enumerate() {
                let slot = i32::try_from(i).unwrap_or(0) + 1;
                let port = self.items[child].height * slot / slots;
                for (e, edge) in edges.iter().enumerate() {
                    if edge.child == child && self.trunk_of[e] == Some(trunk) {
                        self.child_ports[e] = port;
                    }
                }
                for joint in self.trunks[trunk].joints.values_mut() {
                    let many = match joint.lefts.len() == 1 && joint.lefts[0].0 != child {
                        true => &mut joint.rights,
                        false => &mut joint.lefts,
                    };
                    for end in many.iter_mut().filter(|end| end.0 == child) {
                        end.1 = port;
                    }
                }
            }
        }
    }
}

/// Pairs that are in one order on the left and in the other on the right.
fn inversions(pairs: &mut [(End, End)]) -> usize {
    pairs.sort_unstable();
    let mut rights: Vec<End> = pairs.iter().map(|p| p.1).collect();
    rights.sort_unstable();
    rights.dedup();
    // A Fenwick tree over the places on the right.
    let mut tree = vec![0usize; rights.len() + 1];
    let mut count = 0;
    for (seen, pair) in pairs.iter().enumerate() {
        let rank = rights.binary_search(&pair.1).unwrap_or(0) + 1;
        let (mut not_above, mut i) = (0, rank);
        while i > 0 {
            not_above += tree[i];
            i &= i - 1;
        }
        count += seen - not_above;
        i = rank;
        while i < tree.len() {
            tree[i] += 1;
            i += i & i.wrapping_neg();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_counted() {
        let at = |left, right| ((left, 0), (right, 0));
        assert_eq!(inversions(&mut [at(0, 0), at(1, 1)]), 0);
        assert_eq!(inversions(&mut [at(0, 2), at(1, 1), at(2, 0)]), 3);
    }
}

//! Which box stands in which layer, from left to right.

use super::{Edge, GAP, Node};

/// A link with its place: from a node in a layer on the left to one in a layer on the right. None
/// for a link from a box to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arc {
    pub left: usize,
    pub right: usize,
    /// The parent is on the right: the link would close a circle otherwise.
    pub reversed: bool,
}

/// Turns the links that would close a circle, the weak ones first.
pub fn arcs(nodes: usize, edges: &[Edge]) -> Vec<Option<Arc>> {
    let mut rights: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut arcs = vec![None; edges.len()];
    let (weak, strong): (Vec<usize>, Vec<usize>) = (0..edges.len()).partition(|&e| edges[e].weak);
    for e in strong.into_iter().chain(weak) {
        let (parent, child) = (edges[e].parent, edges[e].child);
        if parent == child {
            continue;
        }
        let reversed = reaches(&rights, child, parent);
        let (left, right) = match reversed {
            true => (child, parent),
            false => (parent, child),
        };
        rights[left].push(right);
        arcs[e] = Some(Arc {
            left,
            right,
            reversed,
        });
    }
    arcs
}

fn reaches(rights: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; rights.len()];
    let mut todo = vec![from];
    while let Some(n) = todo.pop() {
        if n == to {
            return true;
        }
        if !std::mem::replace(&mut seen[n], true) {
            todo.extend(&rights[n]);
        }
    }
    false
}

/// Ways to put the nodes into layers, with layers of different heights.
pub fn candidates(nodes: &[Node], arcs: &[Option<Arc>]) -> Vec<Vec<usize>> {
    let graph = Graph::new(nodes, arcs);
    let area: f64 = nodes
        .iter()
        .map(|n| f64::from(n.width + 70) * f64::from(n.height + GAP))
        .sum();
    let tallest = nodes.iter().map(|n| n.height).max().unwrap_or(0);
    // Trying takes its time where there are many.
    let tenths: &[i32] = match nodes.len() {
        0..=400 => &[4, 5, 6, 7, 8, 10, 12, 15],
        _ => &[6, 8],
    };
    let mut candidates: Vec<Vec<usize>> = Vec::new();
    for tenths in tenths {
        let bound = (area.sqrt() * f64::from(*tenths) / 10.0) as i32;
        let layers = graph.layers(bound.max(tallest));
        if !candidates.contains(&layers) {
            candidates.push(layers);
        }
    }
    candidates
}

struct Graph<'a> {
    nodes: &'a [Node],
    lefts: Vec<Vec<usize>>,
    rights: Vec<Vec<usize>>,
    /// Every node after those to its left; children of the same parents together.
    sequence: Vec<usize>,
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node], arcs: &[Option<Arc>]) -> Self {
        let mut lefts: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        let mut rights = lefts.clone();
        for arc in arcs.iter().flatten() {
            lefts[arc.right].push(arc.left);
            rights[arc.left].push(arc.right);
        }
        for list in lefts.iter_mut().chain(&mut rights) {
            list.sort_unstable();
            list.dedup();
        }
        let mut depth = vec![0; nodes.len()];
        let mut open: Vec<usize> = lefts.iter().map(Vec::len).collect();
        let mut todo: Vec<usize> = (0..nodes.len()).filter(|&n| open[n] == 0).collect();
        while let Some(n) = todo.pop() {
            for &right in &rights[n] {
                depth[right] = depth[right].max(depth[n] + 1);
                open[right] -= 1;
                if open[right] == 0 {
                    todo.push(right);
                }
            }
        }
        let mut sequence: Vec<usize> = (0..nodes.len()).collect();
        sequence.sort_by(|&a, &b| (depth[a], &lefts[a], a).cmp(&(depth[b], &lefts[b], b)));
        Graph {
            nodes,
            lefts,
            rights,
            sequence,
        }
    }

    /// As far left as its parents and the height of a layer allow; then to the right again where
    /// that makes lines shorter.
    fn layers(&self, bound: i32) -> Vec<usize> {
        let mut layer = vec![0; self.nodes.len()];
        let mut filled: Vec<i32> = Vec::new();
        for &n in &self.sequence {
            let height = self.nodes[n].height + GAP;
            let mut at = self.lefts[n]
                .iter()
                .map(|&l| layer[l] + 1)
                .max()
                .unwrap_or(0);
            while filled.get(at).is_some_and(|f| f + height > bound + GAP) {
                at += 1;
            }
            filled.resize(filled.len().max(at + 1), 0);
            filled[at] += height;
            layer[n] = at;
        }
        for &n in self.sequence.iter().rev() {
            let Some(first) = self.rights[n].iter().map(|&r| layer[r]).min() else {
                continue;
            };
            if self.lefts[n].len() > self.rights[n].len() {
                continue;
            }
            let height = self.nodes[n].height + GAP;
            let room = |at: &usize| filled[*at] + height <= bound + GAP;
            if let Some(at) = (layer[n] + 1..first).rev().find(room) {
                filled[layer[n]] -= height;
                filled[at] += height;
                layer[n] = at;
            }
        }
        // A layer may have been left empty.
        let mut used: Vec<usize> = layer.clone();
        used.sort_unstable();
        used.dedup();
        for at in &mut layer {
            *at = used.binary_search(at).unwrap_or(0);
        }
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_broken_at_its_weak_link() {
        let edge = |child, parent, weak| Edge {
            child,
            parent,
            child_port: None,
            parent_port: 0,
            weak,
        };
        let arcs = arcs(2, &[edge(0, 1, true), edge(1, 0, false), edge(1, 1, false)]);
        let arc = |reversed| {
            Some(Arc {
                left: 0,
                right: 1,
                reversed,
            })
        };
        assert_eq!(arcs, [arc(true), arc(false), None]);
    }
}

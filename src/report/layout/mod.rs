//! Boxes and links → places and lines. Tables that are referred to stand left of those that refer,
//! in layers; lines run in the channels between layers and in lanes of their own through them, so
//! that none crosses a box. All links to one table share a trunk. Whole numbers throughout, in CSS
//! pixels: the same input gives the same picture.

mod layers;
mod order;
mod pack;
mod routes;
mod settle;

/// A box.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub width: i32,
    pub height: i32,
}

/// A link from the side of one box to the side of another, or of the same.
#[derive(Debug, Clone)]
pub struct Edge {
    pub child: usize,
    pub parent: usize,
    /// How far below the top of the child's box the line begins; none where any place will do.
    pub child_port: Option<i32>,
    pub parent_port: i32,
    /// Gives way where links run in a circle.
    pub weak: bool,
}

/// Where everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    pub width: i32,
    pub height: i32,
    /// The top left corner of each node.
    pub at: Vec<(i32, i32)>,
    /// The corners of each edge's line, from the child to the parent.
    pub routes: Vec<Vec<(i32, i32)>>,
}

/// Wider than high, as screens are.
const ASPECT: f64 = 1.6;
/// Between boxes above each other.
const GAP: i32 = 20;
/// Between a line that passes and what it passes.
const LANE_GAP: i32 = 9;

/// Places everything. Each connected part is laid out by itself; then the parts are packed.
pub fn place(nodes: &[Node], edges: &[Edge]) -> Drawing {
    let mut drawings = Vec::new();
    for part in pack::parts(nodes.len(), edges) {
        let own_nodes: Vec<Node> = part.nodes.iter().map(|&n| nodes[n]).collect();
        let mut number = vec![usize::MAX; nodes.len()];
        for (own, &n) in part.nodes.iter().enumerate() {
            number[n] = own;
        }
        let own_edges: Vec<Edge> = part
            .edges
            .iter()
            .map(|&e| Edge {
                child: number[edges[e].child],
                parent: number[edges[e].parent],
                ..edges[e].clone()
            })
            .collect();
        drawings.push((part, connected(&own_nodes, &own_edges)));
    }
    pack::pack(nodes.len(), edges.len(), drawings)
}

/// Lays out nodes that hang together, with layers of several heights; the picture that is largest
/// when it fills a screen is kept.
fn connected(nodes: &[Node], edges: &[Edge]) -> Drawing {
    let arcs = layers::arcs(nodes.len(), edges);
    let size = |d: &Drawing| (f64::from(d.width) / ASPECT).max(f64::from(d.height));
    let mut best: Option<Drawing> = None;
    for layers in layers::candidates(nodes, &arcs) {
        let mut net = order::Net::new(nodes, edges, &arcs, layers);
        net.order();
        net.spread_ports(edges);
        let tops = net.settle();
        let drawing = routes::draw(nodes, edges, &arcs, &net, &tops);
        if best.as_ref().is_none_or(|b| size(&drawing) < size(b)) {
            best = Some(drawing);
        }
    }
    best.unwrap_or_default()
}

#[cfg(test)]
mod tests;

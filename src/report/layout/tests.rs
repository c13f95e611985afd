//! What every picture must keep, tried on random graphs.

use super::*;

/// A linear congruential generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

/// Any table may refer to any other, also to itself and in circles.
fn graph(seed: u64, nodes: usize, edges: usize) -> (Vec<Node>, Vec<Edge>) {
    let mut random = Random(seed);
    let sizes: Vec<Node> = (0..nodes)
        .map(|_| {
            let rows = random.below(9) as i32;
            Node {
                width: 120 + 20 * random.below(12) as i32,
                height: 28 + 19 * rows,
            }
        })
        .collect();
    let edges = (0..edges)
        .map(|_| {
            let (child, parent) = (
                random.below(nodes),
                random.below(nodes).min(random.below(nodes)),
            );
            let port = |random: &mut Random, n: usize| {
                14 + 19 * random.below(1 + sizes[n].height as usize / 19 - 1) as i32
            };
            Edge {
                child,
                parent,
                child_port: (random.below(3) > 0).then(|| port(&mut random, child)),
                parent_port: port(&mut random, parent),
                weak: random.below(3) == 0,
            }
        })
        .collect();
    (sizes, edges)
}

fn cases() -> impl Iterator<Item = (Vec<Node>, Vec<Edge>)> {
    (0..120).map(|seed| {
        let nodes = 1 + (seed as usize * 7) % 60;
        graph(seed, nodes, nodes * (seed as usize % 4) / 2)
    })
}

#[test]
fn no_two_boxes_overlap_and_all_are_inside() {
    for (nodes, edges) in cases() {
        let drawing = place(&nodes, &edges);
        for (a, &(x, y)) in drawing.at.iter().enumerate() {
            let (right, bottom) = (x + nodes[a].width, y + nodes[a].height);
            assert!(x >= 0 && y >= 0 && right <= drawing.width && bottom <= drawing.height);
            for (b, &(u, v)) in drawing.at.iter().enumerate().skip(a + 1) {
                let apart =
                    right < u || u + nodes[b].width < x || bottom < v || v + nodes[b].height < y;
                assert!(apart, "{a} and {b} overlap");
            }
        }
    }
}

#[test]
fn lines_are_straight_end_at_their_boxes_and_cross_none() {
    for (nodes, edges) in cases() {
        let drawing = place(&nodes, &edges);
        for (edge, route) in edges.iter().zip(&drawing.routes) {
            for (node, end) in [
                (edge.child, route[0]),
                (edge.parent, route[route.len() - 1]),
            ] {
                let (x, y) = drawing.at[node];
                let at_side = end.0 == x || end.0 == x + nodes[node].width;
                // Lines the other way end a little lower.
                let inside = end.1 >= y && end.1 <= y + nodes[node].height + 5;
                assert!(at_side && inside, "{edge:?} ends at {end:?}");
            }
            for pair in route.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                assert!(a.0 == b.0 || a.1 == b.1, "{edge:?} is not straight");
                for (node, &(x, y)) in drawing.at.iter().enumerate() {
                    let crosses = a.0.max(b.0) > x
                        && a.0.min(b.0) < x + nodes[node].width
                        && a.1.max(b.1) > y
                        && a.1.min(b.1) < y + nodes[node].height;
                    assert!(!crosses, "{edge:?} crosses {node}");
                }
            }
        }
    }
}

#[test]
fn the_same_graph_gives_the_same_picture() {
    let (nodes, edges) = graph(5, 80, 120);
    assert_eq!(place(&nodes, &edges), place(&nodes, &edges));
}

#[test]
fn a_large_schema_does_not_take_long() {
    let (nodes, edges) = graph(9, 700, 1200);
    let drawing = place(&nodes, &edges);
    assert_eq!(drawing.at.len(), 700);
    assert_eq!(place(&[], &[]), Drawing::default());
}

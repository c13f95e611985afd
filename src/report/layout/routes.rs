//! The lines: which lane each trunk takes in a channel, and the corners of each link.

use super::layers::Arc;
use super::order::{Joint, Net};
use super::{Drawing, Edge, Node};

/// Between a box and the first lane beside it: room for the feet of a line.
const LEAD: i32 = 24;
/// Between lanes.
const LANE: i32 = 8;
/// How far a link from a box to itself reaches out.
const LOOP: i32 = 14;

/// What one trunk takes of a channel.
struct Vertical {
    trunk: usize,
    lefts: Vec<i32>,
    rights: Vec<i32>,
    top: i32,
    bottom: i32,
}

/// Draws a net whose items' tops are known.
pub fn draw(
    nodes: &[Node],
    edges: &[Edge],
    arcs: &[Option<Arc>],
    net: &Net,
    tops: &[i32],
) -> Drawing {
    let layers = net.layers.len();
    let mut channels: Vec<Vec<Vertical>> = (0..layers).map(|_| Vec::new()).collect();
    for (trunk, joints) in net.trunks.iter().enumerate() {
        for joint in joints.joints.values() {
            channels[joint.channel].push(vertical(trunk, joint, tops));
        }
    }
    // The left edges of the layers, and the lane of each trunk in each channel.
    let mut lane_x: Vec<Vec<Option<i32>>> = vec![vec![None; net.trunks.len()]; layers];
    let mut left_of = vec![0; layers];
    let mut x = 0;
    for layer in 0..layers {
        left_of[layer] = x;
        let inside = net.layers[layer]
            .iter()
            .filter_map(|&item| net.items[item].node);
        x += inside.map(|node| nodes[node].width).max().unwrap_or(0);
        if layer + 1 == layers {
            break;
        }
        let lanes = lanes(&channels[layer]);
        for (i, lane) in lanes.iter().enumerate() {
            for &at in lane {
                let trunk = channels[layer][at].trunk;
                lane_x[layer][trunk] = Some(x + LEAD + LANE * i32::try_from(i).unwrap_or(0));
            }
        }
        x += 2 * LEAD + LANE * i32::try_from(lanes.len()).unwrap_or(0);
    }
    let at: Vec<(i32, i32)> = (0..nodes.len())
        .map(|n| (left_of[net.layer_of[n]], tops[n]))
        .collect();
    let routes = (0..edges.len())
        .map(|e| {
            let edge = &edges[e];
            match (arcs[e], net.trunk_of[e]) {
                (Some(arc), Some(trunk)) => route(
                    edge,
                    arc,
                    nodes,
                    &at,
                    net,
                    tops,
                    &lane_x,
                    trunk,
                    net.child_ports[e],
                ),
                _ => own_loop(
                    nodes[edge.child],
                    at[edge.child],
                    net.child_ports[e],
                    edge.parent_port,
                ),
            }
        })
        .collect();
    framed(nodes, at, routes)
}

fn vertical(trunk: usize, joint: &Joint, tops: &[i32]) -> Vertical {
    let heights = |ends: &[(usize, i32)]| -> Vec<i32> {
        ends.iter().map(|&(item, port)| tops[item] + port).collect()
    };
    let (lefts, rights) = (heights(&joint.lefts), heights(&joint.rights));
    let all = || lefts.iter().chain(&rights).copied();
    Vertical {
        trunk,
        top: all().min().unwrap_or(0),
        bottom: all().max().unwrap_or(0),
        lefts,
        rights,
    }
}

/// Puts verticals into lanes so that none lie on each other, and orders the lanes so that few
/// lines cross.
fn lanes(verticals: &[Vertical]) -> Vec<Vec<usize>> {
    // Lines that go down take the outer lanes for their lower ends, and those that go up the
    // other way round: then neighbours do not cross.
    let mut sequence: Vec<usize> = (0..verticals.len()).collect();
    sequence.sort_by_key(|&v| {
        let vertical = &verticals[v];
        let (left, right) = (middle(&vertical.lefts), middle(&vertical.rights));
        match right >= left {
            true => (0, -left, v),
            false => (1, left, v),
        }
    });
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    for v in sequence {
        let apart = |other: &usize| {
            let (a, b) = (&verticals[v], &verticals[*other]);
            a.bottom + LANE < b.top || b.bottom + LANE < a.top
        };
        match lanes.iter_mut().find(|lane| lane.iter().all(apart)) {
            Some(lane) => lane.push(v),
            None => lanes.push(vec![v]),
        }
    }
    let cost = |left: &[usize], right: &[usize]| -> i32 {
        let pairs = left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (*a, *b)));
        pairs.map(|(a, b)| cost(&verticals[a], &verticals[b])).sum()
    };
    for _ in 0..lanes.len() {
        let mut moved = false;
        for i in 1..lanes.len() {
            if cost(&lanes[i], &lanes[i - 1]) < cost(&lanes[i - 1], &lanes[i]) {
                lanes.swap(i, i - 1);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    lanes
}

fn middle(heights: &[i32]) -> i32 {
    let count = i32::try_from(heights.len()).unwrap_or(1).max(1);
    heights.iter().sum::<i32>() / count
}

/// What it costs to have one trunk left of another: crossings, and many of them where two lines
/// would lie on each other.
fn cost(left: &Vertical, right: &Vertical) -> i32 {
    let mut cost = 0;
    for y in &left.rights {
        cost += i32::from(right.top < *y && *y < right.bottom);
        cost += right
            .lefts
            .iter()
            .map(|l| if (l - y).abs() < 4 { 12 } else { 0 })
            .sum::<i32>();
    }
    for y in &right.lefts {
        cost += i32::from(left.top < *y && *y < left.bottom);
    }
    cost
}

#[allow(clippy::too_many_arguments)]
fn route(
    edge: &Edge,
    arc: Arc,
    nodes: &[Node],
    at: &[(i32, i32)],
    net: &Net,
    tops: &[i32],
    lane_x: &[Vec<Option<i32>>],
    trunk: usize,
    port: i32,
) -> Vec<(i32, i32)> {
    let right_side = |n: usize| at[n].0 + nodes[n].width;
    let (from, to) = (net.layer_of[edge.child], net.layer_of[edge.parent]);
    let mut y = at[edge.child].1 + port;
    let start = if arc.reversed {
        right_side(edge.child)
    } else {
        at[edge.child].0
    };
    let mut points = vec![(start, y)];
    let channels: Vec<usize> = match arc.reversed {
        true => (from..to).collect(),
        false => (to..from).rev().collect(),
    };
    let joints = &net.trunks[trunk].joints;
    for channel in channels {
        let (Some(joint), Some(x)) = (joints.get(&channel), lane_x[channel][trunk]) else {
            continue;
        };
        let (item, port) = if arc.reversed {
            joint.rights[0]
        } else {
            joint.lefts[0]
        };
        let next = tops[item] + port;
        points.push((x, y));
        points.push((x, next));
        y = next;
    }
    let end = if arc.reversed {
        at[edge.parent].0
    } else {
        right_side(edge.parent)
    };
    points.push((end, y));
    straight(points)
}

/// Out of the right side and back into it.
fn own_loop(node: Node, at: (i32, i32), from: i32, to: i32) -> Vec<(i32, i32)> {
    let x = at.0 + node.width;
    let to = if (from - to).abs() < 6 { from - 7 } else { to };
    vec![
        (x, at.1 + from),
        (x + LOOP, at.1 + from),
        (x + LOOP, at.1 + to),
        (x, at.1 + to),
    ]
}

/// Without points that are no corners.
fn straight(points: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    let mut result: Vec<(i32, i32)> = Vec::new();
    for point in points {
        while let [.., a, b] = result[..] {
            let in_line = (a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1);
            if !in_line {
                break;
            }
            result.pop();
        }
        if result.last() != Some(&point) {
            result.push(point);
        }
    }
    result
}

/// Moves everything so that it begins at 0, 0.
fn framed(nodes: &[Node], mut at: Vec<(i32, i32)>, mut routes: Vec<Vec<(i32, i32)>>) -> Drawing {
    let ends = at
        .iter()
        .zip(nodes)
        .map(|(a, n)| (a.0 + n.width, a.1 + n.height));
    let corners: Vec<(i32, i32)> = at
        .iter()
        .copied()
        .chain(ends)
        .chain(routes.iter().flatten().copied())
        .collect();
    let left = corners.iter().map(|c| c.0).min().unwrap_or(0);
    let top = corners.iter().map(|c| c.1).min().unwrap_or(0);
    let right = corners.iter().map(|c| c.0).max().unwrap_or(0);
    let bottom = corners.iter().map(|c| c.1).max().unwrap_or(0);
    for point in at.iter_mut().chain(routes.iter_mut().flatten()) {
        point.0 -= left;
        point.1 -= top;
    }
    Drawing {
        width: right - left,
        height: bottom - top,
        at,
        routes,
    }
}

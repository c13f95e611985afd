//! What hangs together is found, and what does not is put side by side.

use super::{ASPECT, Drawing, Edge};

/// Between parts.
const GAP: i32 = 36;

/// Nodes that hang together, and their edges.
pub struct Part {
    pub nodes: Vec<usize>,
    pub edges: Vec<usize>,
}

/// The connected parts, each in the order of its first node.
pub fn parts(nodes: usize, edges: &[Edge]) -> Vec<Part> {
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for edge in edges {
        beside[edge.child].push(edge.parent);
        beside[edge.parent].push(edge.child);
    }
    let mut part_of = vec![usize::MAX; nodes];
    let mut parts: Vec<Part> = Vec::new();
    for start in 0..nodes {
        if part_of[start] != usize::MAX {
            continue;
        }
        let mut todo = vec![start];
        while let Some(n) = todo.pop() {
            if part_of[n] == usize::MAX {
                part_of[n] = parts.len();
                todo.extend(&beside[n]);
            }
        }
        parts.push(Part {
            nodes: Vec::new(),
            edges: Vec::new(),
        });
    }
    for (n, &part) in part_of.iter().enumerate() {
        parts[part].nodes.push(n);
    }
    for (e, edge) in edges.iter().enumerate() {
        parts[part_of[edge.child]].edges.push(e);
    }
    parts
}

/// Fills shelves from the highest part to the lowest.
pub fn pack(nodes: usize, edges: usize, mut parts: Vec<(Part, Drawing)>) -> Drawing {
    // A sort that keeps the order of what is equally high.
    parts.sort_by_key(|(_, drawing)| std::cmp::Reverse(drawing.height));
    let area: f64 = parts
        .iter()
        .map(|(_, d)| f64::from(d.width + GAP) * f64::from(d.height + GAP))
        .sum();
    let widest = parts.iter().map(|(_, d)| d.width).max().unwrap_or(0);
    let limit = widest.max((area * ASPECT).sqrt() as i32);
    let mut whole = Drawing {
        at: vec![(0, 0); nodes],
        routes: vec![Vec::new(); edges],
        ..Drawing::default()
    };
    // A shelf is as high as its first part; lower parts stand in columns above each other on it.
    let (mut shelf_y, mut shelf, mut x) = (0, 0, 0);
    let (mut column, mut next_x) = (0, 0);
    for (part, drawing) in parts {
        if shelf > 0 && column + drawing.height <= shelf && x + drawing.width <= limit {
            // Below the one before.
        } else if shelf > 0 && next_x + drawing.width <= limit {
            (x, column) = (next_x, 0);
        } else {
            if shelf > 0 {
                shelf_y += shelf + GAP;
            }
            (x, column, next_x, shelf) = (0, 0, 0, drawing.height);
        }
        let y = shelf_y + column;
        for (own, &n) in part.nodes.iter().enumerate() {
            whole.at[n] = (drawing.at[own].0 + x, drawing.at[own].1 + y);
        }
        for (own, &e) in part.edges.iter().enumerate() {
            let moved = drawing.routes[own].iter().map(|p| (p.0 + x, p.1 + y));
            whole.routes[e] = moved.collect();
        }
        whole.width = whole.width.max(x + drawing.width);
        whole.height = whole.height.max(y + drawing.height);
        column += drawing.height + GAP;
        next_x = next_x.max(x + drawing.width + GAP);
    }
    whole
}

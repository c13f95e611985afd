//! The entity-relationship picture: which tables are shown, and everything about them in places
//! that a template writes down as SVG.

use serde::Serialize;

use super::boxes::{Detail, TableBox};
use super::data::{Graph, Link, Relation, State};
use super::layout::{self, Edge, Node};

/// One way to look at the tables.
#[derive(Debug, Serialize)]
pub struct Scene {
    /// `changed` or `all`.
    pub name: &'static str,
    pub width: i32,
    pub height: i32,
    /// In the order of drawing: what changed lies above what did not.
    pub boxes: Vec<Placed>,
    pub lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
pub struct Placed {
    /// Its place in the graph.
    pub table: usize,
    pub x: i32,
    pub y: i32,
    #[serde(flatten)]
    pub shape: TableBox,
}

#[derive(Debug, Serialize)]
pub struct Line {
    /// SVG paths: the line itself, and what stands at its ends.
    pub path: String,
    pub feet: String,
    pub state: State,
    pub relation: Relation,
    pub from: usize,
    pub to: usize,
    pub title: String,
}

/// Beyond this many tables nobody sees anything, and browsers become slow.
pub const MOST_TABLES: usize = 1500;
/// So few are all shown at once.
const FEW: usize = 24;
/// So few changed tables are shown with columns that did not change.
const FEW_CHANGED: usize = 8;
/// So many tables that refer to a changed one are shown beside it.
const MOST_CHILDREN: usize = 8;
/// Around the whole.
const MARGIN: i32 = 16;
const RADIUS: i32 = 6;

/// The changed tables with their neighbours, and all tables; only the second where that is hardly
/// more. Empty where there is no table. A scene of too many tables is left out.
pub fn scenes(graph: &Graph) -> Vec<Scene> {
    let all: Vec<usize> = (0..graph.tables.len()).collect();
    let (near, hidden) = neighbourhood(graph);
    let mut scenes = Vec::new();
    let worthwhile = all.len() > FEW && near.len() * 5 < all.len() * 4;
    if worthwhile && !near.is_empty() && near.len() <= MOST_TABLES {
        let detail = match near.len() {
            0..=60 => Detail::Keys,
            _ => Detail::Head,
        };
        scenes.push(scene("changed", graph, &near, detail, &hidden));
    }
    if !all.is_empty() && all.len() <= MOST_TABLES {
        let detail = match all.len() {
            0..=FEW => Detail::Full,
            25..=80 => Detail::Keys,
            _ => Detail::Head,
        };
        scenes.push(scene("all", graph, &all, detail, &[]));
    }
    scenes
}

/// The changed tables, those that they refer to, and some of those that refer to them; and for
/// each table of the graph how many more refer to it.
fn neighbourhood(graph: &Graph) -> (Vec<usize>, Vec<usize>) {
    let count = graph.tables.len();
    let mut shown: Vec<bool> = graph
        .tables
        .iter()
        .map(|t| t.state != State::Same)
        .collect();
    let changed = shown.clone();
    for link in &graph.links {
        if changed[link.from] || link.state != State::Same {
            shown[link.to] = true;
        }
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); count];
    for link in graph.links.iter().filter(|l| l.from != l.to) {
        children[link.to].push(link.from);
    }
    let mut hidden = vec![0; count];
    for (table, children) in children.iter_mut().enumerate().filter(|(t, _)| changed[*t]) {
        children.sort_unstable();
        children.dedup();
        let room = MOST_CHILDREN.saturating_sub(children.iter().filter(|&&c| shown[c]).count());
        let others: Vec<usize> = children.iter().copied().filter(|&c| !shown[c]).collect();
        for &child in others.iter().take(room) {
            shown[child] = true;
        }
        hidden[table] = others.len().saturating_sub(room);
    }
    ((0..count).filter(|&t| shown[t]).collect(), hidden)
}

fn scene(
    name: &'static str,
    graph: &Graph,
    tables: &[usize],
    detail: Detail,
    hidden: &[usize],
) -> Scene {
    let changed = tables
        .iter()
        .filter(|&&t| graph.tables[t].state != State::Same)
        .count();
    let of_changed = if changed <= FEW_CHANGED {
        Detail::Full
    } else {
        Detail::Brief
    };
    let mut own = vec![usize::MAX; graph.tables.len()];
    let mut boxes = Vec::new();
    for (place, &at) in tables.iter().enumerate() {
        own[at] = place;
        let table = &graph.tables[at];
        let detail = if table.state == State::Same {
            detail
        } else {
            of_changed
        };
        let more = hidden.get(at).copied().unwrap_or(0);
        boxes.push(TableBox::new(graph, table, detail, more));
    }
    let links: Vec<&Link> = graph
        .links
        .iter()
        .filter(|l| own[l.from] != usize::MAX && own[l.to] != usize::MAX)
        .collect();
    let nodes: Vec<Node> = boxes
        .iter()
        .map(|b| Node {
            width: b.width,
            height: b.height,
        })
        .collect();
    let edges: Vec<Edge> = links
        .iter()
        .map(|link| Edge {
            child: own[link.from],
            parent: own[link.to],
            child_port: boxes[own[link.from]].port(&link.columns),
            parent_port: boxes[own[link.to]].parent_port,
            weak: link.optional,
        })
        .collect();
    let drawing = layout::place(&nodes, &edges);
    let mut placed: Vec<Placed> = boxes
        .into_iter()
        .zip(&drawing.at)
        .zip(tables)
        .map(|((shape, &(x, y)), &table)| Placed {
            table,
            x: x + MARGIN,
            y: y + MARGIN,
            shape,
        })
        .collect();
    placed.sort_by_key(|p| p.shape.state != State::Same);
    let mut lines: Vec<Line> = links
        .iter()
        .zip(&drawing.routes)
        .map(|(link, route)| line(graph, link, route))
        .collect();
    lines.sort_by_key(|l| l.state != State::Same);
    Scene {
        name,
        width: drawing.width + 2 * MARGIN,
        height: drawing.height + 2 * MARGIN,
        boxes: placed,
        lines,
    }
}

fn line(graph: &Graph, link: &Link, route: &[(i32, i32)]) -> Line {
    let route: Vec<(i32, i32)> = route.iter().map(|p| (p.0 + MARGIN, p.1 + MARGIN)).collect();
    let label = |at: usize| graph.label(&graph.tables[at]);
    Line {
        path: rounded(&route),
        feet: feet(&route, link),
        state: link.state,
        relation: link.relation,
        from: link.from,
        to: link.to,
        title: match link.relation {
            Relation::Inherits => format!("{} inherits {}", label(link.from), label(link.to)),
            Relation::Reads => format!("{} reads {}", label(link.from), label(link.to)),
            Relation::Refers => format!(
                "{} ({}) → {}{}",
                label(link.from),
                link.columns.join(", "),
                label(link.to),
                match link.name.is_empty() {
                    true => String::new(),
                    false => format!(": {}", link.name),
                }
            ),
        },
    }
}

/// A path with rounded corners.
fn rounded(route: &[(i32, i32)]) -> String {
    let mut path = String::new();
    for (i, &(x, y)) in route.iter().enumerate() {
        if i == 0 {
            path.push_str(&format!("M{x} {y}"));
            continue;
        }
        let Some(&next) = route.get(i + 1) else {
            path.push_str(&format!("L{x} {y}"));
            continue;
        };
        let before = route[i - 1];
        let length = |a: (i32, i32)| (a.0 - x).abs() + (a.1 - y).abs();
        let radius = RADIUS.min(length(before) / 2).min(length(next) / 2);
        let toward = |a: (i32, i32)| {
            (
                x + (a.0 - x).signum() * radius,
                y + (a.1 - y).signum() * radius,
            )
        };
        let (a, b) = (toward(before), toward(next));
        path.push_str(&format!("L{} {}Q{x} {y} {} {}", a.0, a.1, b.0, b.1));
    }
    path
}

/// The signs at the ends: many or at most one at the child, exactly or at most one at the parent;
/// where there is no foreign key, a triangle at what is inherited or read.
fn feet(route: &[(i32, i32)], link: &Link) -> String {
    let [first, second, ..] = *route else {
        return String::new();
    };
    let [.., before, last] = *route else {
        return String::new();
    };
    let out = |from: (i32, i32), to: (i32, i32)| if to.0 < from.0 { -1 } else { 1 };
    if link.relation != Relation::Refers {
        let (d, (x, y)) = (out(last, before), last);
        return format!("M{x} {y}L{} {}V{}Z", x + 10 * d, y - 5, y + 5);
    }
    let (d, (x, y)) = (out(first, second), first);
    let circle = |x: i32, y: i32| format!("M{} {y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0", x - 3);
    let bar = |x: i32, y: i32| format!("M{x} {}V{}", y - 5, y + 5);
    let mut path = match link.unique {
        true => bar(x + 6 * d, y),
        false => format!("M{x} {}L{} {y}L{x} {}", y - 5, x + 9 * d, y + 5),
    };
    path.push_str(&circle(x + 13 * d, y));
    let (d, (x, y)) = (out(last, before), last);
    path.push_str(&bar(x + 5 * d, y));
    path.push_str(&match link.optional {
        true => circle(x + 11 * d, y),
        false => bar(x + 9 * d, y),
    });
    path
}

//! A chain with branches as a picture in characters, the oldest migration first.

/// What stands left of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A line above it, where lanes part or meet.
    pub above: Option<String>,
    /// Its own line; `mark` is where the migration is.
    pub own: String,
}

/// A lane: the migration that stands at its end, and how many that build on it are still to come.
struct Lane<'a> {
    id: &'a str,
    open: usize,
}

/// One row for each of `nodes`, which stand in an order in which parents come before children: id,
/// ids of parents, the mark to set. Parents that are not there are passed over.
pub fn lanes(nodes: &[(&str, Vec<&str>, char)]) -> Vec<Row> {
    let children = |id: &str| {
        let built = nodes.iter().filter(|(_, parents, _)| parents.contains(&id));
        built.count()
    };
    let mut lanes: Vec<Option<Lane>> = Vec::new();
    let mut rows = Vec::new();
    for (id, parents, mark) in nodes {
        let mut from = Vec::new();
        let mut free = Vec::new();
        for (at, lane) in lanes.iter_mut().enumerate() {
            if let Some(known) = lane
                && parents.contains(&known.id)
            {
                known.open -= 1;
                from.push(at);
                if known.open == 0 {
                    free.push(at);
                }
            }
        }
        let own = match free.first() {
            Some(at) => *at,
            None => match lanes.iter().position(Option::is_none) {
                Some(at) => at,
                None => lanes.len(),
            },
        };
        let above = connection(&lanes, own, &from, &free);
        for at in free {
            lanes[at] = None;
        }
        let lane = Some(Lane {
            id,
            open: children(id),
        });
        match lanes.get_mut(own) {
            Some(place) => *place = lane,
            None => lanes.push(lane),
        }
        let line: Vec<char> = lanes
            .iter()
            .enumerate()
            .map(|(at, lane)| match lane {
                _ if at == own => *mark,
                Some(_) => '│',
                None => ' ',
            })
            .collect();
        rows.push(Row {
            above,
            own: spaced(&line),
        });
        if let Some(lane) = &lanes[own]
            && lane.open == 0
        {
            lanes[own] = None;
        }
        while matches!(lanes.last(), Some(None)) {
            lanes.pop();
        }
    }
    rows
}

/// The line between the lanes `from` and the lane `own`; those in `free` end here.
fn connection(
    lanes: &[Option<Lane>],
    own: usize,
    from: &[usize],
    free: &[usize],
) -> Option<String> {
    let others: Vec<usize> = from.iter().copied().filter(|at| *at != own).collect();
    let (first, last) = (
        others.iter().min()?.min(&own),
        others.iter().max()?.max(&own),
    );
    let width = lanes.len().max(own + 1);
    let line: Vec<char> = (0..width)
        .map(|at| {
            let stands = lanes.get(at).is_some_and(Option::is_some);
            let inside = at > *first && at < *last;
            let is_left = at == *first;
            if at == own {
                return match (from.contains(&own), is_left) {
                    (true, true) => '├',
                    (true, false) => '┤',
                    (false, true) => '╭',
                    (false, false) => '╮',
                };
            }
            if others.contains(&at) {
                return match (free.contains(&at), is_left) {
                    (true, true) => '╰',
                    (true, false) if inside => '┴',
                    (true, false) => '╯',
                    (false, true) => '├',
                    (false, false) if inside => '┼',
                    (false, false) => '┤',
                };
            }
            match (stands, inside) {
                (true, true) => '┼',
                (true, false) => '│',
                (false, true) => '─',
                (false, false) => ' ',
            }
        })
        .collect();
    // Between two lanes the line goes on.
    let mut text = String::new();
    for (at, c) in line.iter().enumerate() {
        text.push(*c);
        if at + 1 < line.len() {
            text.push(if at >= *first && at < *last {
                '─'
            } else {
                ' '
            });
        }
    }
    Some(text.trim_end().to_owned())
}

fn spaced(line: &[char]) -> String {
    let parts: Vec<String> = line.iter().map(char::to_string).collect();
    parts.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(nodes: &[(&str, &[&str])]) -> String {
        let nodes: Vec<(&str, Vec<&str>, char)> = nodes
            .iter()
            .map(|(id, parents)| (*id, parents.to_vec(), '●'))
            .collect();
        let mut text = String::new();
        for (row, (id, ..)) in lanes(&nodes).iter().zip(&nodes) {
            if let Some(above) = &row.above {
                text.push_str(&format!("{above}\n"));
            }
            text.push_str(&format!("{} {id}\n", row.own));
        }
        text
    }

    #[test]
    fn a_chain_is_one_lane() {
        insta::assert_snapshot!(drawn(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]), @"
        ● a
        ● b
        ● c
        ");
    }

    #[test]
    fn branches_part_and_meet() {
        let nodes: &[(&str, &[&str])] = &[
            ("a", &[]),
            ("b", &["a"]),
            ("c", &["a"]),
            ("d", &["b"]),
            ("e", &["a"]),
            ("f", &["c", "d"]),
            ("g", &["f", "e"]),
            ("other", &[]),
            ("last", &["other"]),
        ];
        insta::assert_snapshot!(drawn(nodes), @"
        ● a
        ├─╮
        │ ● b
        ├─┼─╮
        │ │ ● c
        │ ● │ d
        ● │ │ e
        │ ├─╯
        │ ● f
        ├─╯
        ● g
        ● other
        ● last
        ");
    }

    #[test]
    fn two_heads_stay_apart() {
        insta::assert_snapshot!(drawn(&[("a", &[]), ("l", &["a"]), ("r", &["a"])]), @"
        ● a
        ├─╮
        │ ● l
        ● r
        ");
    }
}

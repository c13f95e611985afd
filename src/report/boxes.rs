//! A table as a box: which rows it shows, how large it is, where its lines begin.

use serde::Serialize;

use super::data::{Graph, State, Table};
use super::graph::short_type;

/// How much of a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Keys, what changed, and other columns as far as there is room.
    Full,
    /// Keys, what changed, and the first columns of what is new or gone.
    Brief,
    /// The columns of keys.
    Keys,
    /// Only the name.
    Head,
}

/// In CSS pixels, relative to the box.
#[derive(Debug, Serialize)]
pub struct TableBox {
    /// The name that it had.
    pub was: String,
    /// Before the name, where there are several schemas: `billing.`
    pub schema: String,
    pub name: String,
    /// The whole name.
    pub title: String,
    pub state: State,
    pub sign: &'static str,
    pub width: i32,
    pub height: i32,
    pub rows: Vec<Row>,
    /// Where lines to it end.
    #[serde(skip)]
    pub parent_port: i32,
    /// The columns that are shown, and where lines from them begin.
    #[serde(skip)]
    ports: Vec<(String, i32)>,
}

#[derive(Debug, Serialize)]
pub struct Row {
    /// Where the middle of the row is.
    pub y: i32,
    pub state: State,
    pub sign: &'static str,
    /// `PK`, `FK`, or nothing.
    pub key: &'static str,
    /// The name that it had.
    pub was: String,
    pub name: String,
    pub data_type: String,
    /// The type on the other side, where it is another one.
    pub before: String,
    /// Everything, where something had to be cut.
    pub title: String,
    /// A remark and no column.
    pub remark: bool,
}

pub const HEAD: i32 = 28;
const ROW: i32 = 19;
const FOOT: i32 = 6;
/// Left of a row's name: its sign and its key.
pub const INDENT: i32 = 46;
const MARGIN: i32 = 12;
const LONGEST_NAME: usize = 30;
const LONGEST_TYPE: usize = 22;
/// How many rows the columns of a table may take.
const MOST_NEW: usize = 16;
const MOST_ALTERED: usize = 12;
const MOST_SAME: usize = 8;
const MOST_BRIEF: usize = 7;
const MOST_PARTS: usize = 5;

impl TableBox {
    /// `more` is how many tables refer to this one and are not shown.
    pub fn new(graph: &Graph, table: &Table, detail: Detail, more: usize) -> Self {
        let title = graph.label(table);
        let schema = title.strip_suffix(&table.name).unwrap_or_default();
        let mut rows = columns(table, detail);
        if !table.kind.is_empty() {
            rows.insert(0, remark(&table.kind));
        }
        if detail == Detail::Full || table.state != State::Same {
            rows.extend(parts(table));
        }
        if detail != Detail::Head && table.partitions > 0 {
            rows.push(remark(&count(table.partitions, "partition")));
        }
        if more > 0 {
            rows.push(remark(&match more {
                1 => "… 1 more table refers to it".into(),
                n => format!("… {n} more tables refer to it"),
            }));
        }
        let schema = cut(schema, LONGEST_NAME);
        let name = cut(&table.name, LONGEST_NAME + 6);
        let sign = if table.state == State::Same { 0 } else { 16 };
        // The name of a box is bold, which is as wide in a monospaced font.
        let was = was(table.name_before.as_deref());
        let mut width = 2 * MARGIN + sign + arrow(&was) + wide(&schema) + wide(&name);
        for row in &rows {
            let names = arrow(&row.was) + wide(&row.name);
            let types = arrow(&row.before) + wide(&row.data_type);
            width = width.max(INDENT + names + 14 + types + MARGIN);
        }
        let mut ports = Vec::new();
        let mut parent_port = HEAD / 2;
        for (i, row) in rows.iter_mut().enumerate() {
            row.y = HEAD + ROW * i32::try_from(i).unwrap_or(0) + ROW / 2 + 2;
        }
        let shown = table.columns.iter().filter_map(|column| {
            let name = cut(&column.name, LONGEST_NAME);
            let row = rows.iter().find(|r| !r.remark && r.name == name)?;
            Some((column, row.y))
        });
        for (column, y) in shown {
            if column.primary && parent_port == HEAD / 2 {
                parent_port = y;
            }
            ports.push((column.name.clone(), y));
        }
        let height = match i32::try_from(rows.len()).unwrap_or(0) {
            0 => HEAD,
            n => HEAD + n * ROW + FOOT,
        };
        TableBox {
            was,
            schema,
            name,
            title,
            state: table.state,
            sign: table.state.sign(),
            // Boxes above each other look calmer where their widths are not all different.
            width: (width.max(110) + 19) / 20 * 20,
            height,
            rows,
            parent_port,
            ports,
        }
    }

    /// Where lines from one of these columns begin; none where none of them is shown.
    pub fn port(&self, columns: &[String]) -> Option<i32> {
        let find = |name: &String| self.ports.iter().find(|(n, _)| n == name);
        columns.iter().find_map(find).map(|(_, y)| *y)
    }
}

fn columns(table: &Table, detail: Detail) -> Vec<Row> {
    if detail == Detail::Head && matches!(table.state, State::Same) {
        return Vec::new();
    }
    let whole = matches!(table.state, State::Created | State::Dropped);
    let most = match (detail, table.state) {
        (Detail::Keys | Detail::Head, _) => 0,
        (Detail::Brief, State::Same | State::Altered) => 0,
        (Detail::Brief, _) => MOST_BRIEF,
        (_, State::Same) => MOST_SAME,
        (_, State::Altered) => MOST_ALTERED,
        _ => MOST_NEW,
    };
    let changed = |state: State| !whole && state != State::Same;
    let must = |c: &&super::data::Column| c.primary || c.foreign || changed(c.state);
    let mut room = most.saturating_sub(table.columns.iter().filter(must).count());
    let mut rows = Vec::new();
    let mut left_out = 0;
    for column in &table.columns {
        if !must(&column) {
            if room == 0 {
                left_out += 1;
                continue;
            }
            room -= 1;
        }
        let state = if changed(column.state) {
            column.state
        } else {
            State::Same
        };
        let nullable = if column.not_null || column.primary {
            ""
        } else {
            "?"
        };
        let data_type = format!("{}{nullable}", short_type(&column.data_type));
        let before = column
            .type_before
            .as_deref()
            .map(short_type)
            .unwrap_or_default();
        let arrow = if before.is_empty() { "" } else { " → " };
        rows.push(Row {
            y: 0,
            state,
            sign: state.sign(),
            key: match (column.primary, column.foreign) {
                (true, _) => "PK",
                (_, true) => "FK",
                _ => "",
            },
            was: was(column.name_before.as_deref()),
            name: cut(&column.name, LONGEST_NAME),
            title: format!("{} {before}{arrow}{data_type}", column.name),
            data_type: cut(&data_type, LONGEST_TYPE),
            before: cut(&before, LONGEST_TYPE),
            remark: false,
        });
    }
    if left_out > 0 && matches!(detail, Detail::Full | Detail::Brief) {
        rows.push(remark(&format!("… {}", count(left_out, "more column"))));
    }
    rows
}

fn parts(table: &Table) -> Vec<Row> {
    let mut rows: Vec<Row> = table
        .parts
        .iter()
        .take(MOST_PARTS)
        .map(|part| {
            let text = format!("{} {}", part.kind, part.name);
            Row {
                state: part.state,
                sign: part.state.sign(),
                name: cut(&text, LONGEST_NAME + 6),
                title: text.clone(),
                ..remark(&text)
            }
        })
        .collect();
    if table.parts.len() > MOST_PARTS {
        rows.push(remark(&format!(
            "… {} more",
            table.parts.len() - MOST_PARTS
        )));
    }
    rows
}

fn remark(text: &str) -> Row {
    Row {
        y: 0,
        state: State::Same,
        sign: "",
        key: "",
        was: String::new(),
        name: text.to_owned(),
        data_type: String::new(),
        before: String::new(),
        title: String::new(),
        remark: true,
    }
}

fn was(name: Option<&str>) -> String {
    cut(name.unwrap_or_default(), LONGEST_NAME)
}

/// How much room a former name or type takes, with the arrow behind it.
fn arrow(before: &str) -> i32 {
    match before.is_empty() {
        true => 0,
        false => wide(before) + wide(" → "),
    }
}

pub fn count(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

/// At most `most` characters, the last of which says that something is missing.
fn cut(text: &str, most: usize) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// How wide a text in 12 px of a monospaced font is, rounded up. Letters of the East take two
/// places.
fn wide(text: &str) -> i32 {
    let places: i32 = text
        .chars()
        .map(|c| match u32::from(c) {
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
            0xfe30..=0xfe4f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300.. => 2,
            _ => 1,
        })
        .sum();
    (places * 29 + 3) / 4
}

#[cfg(test)]
mod tests {
    use super::super::data::Column;
    use super::*;

    fn table(columns: usize, state: State) -> Table {
        Table {
            name: "t".into(),
            state,
            columns: (0..columns)
                .map(|i| Column {
                    name: format!("c{i}"),
                    data_type: "text".into(),
                    primary: i == 0,
                    state: if i == 30 { State::Created } else { State::Same },
                    ..Column::default()
                })
                .collect(),
            ..Table::default()
        }
    }

    #[test]
    fn keys_and_changes_are_always_shown() {
        let graph = Graph::default();
        let full = TableBox::new(&graph, &table(40, State::Altered), Detail::Full, 0);
        assert_eq!(full.rows.len(), MOST_ALTERED + 1);
        assert!(full.port(&["c30".into()]).is_some());
        assert_eq!(full.rows.last().unwrap().name, "… 28 more columns");
        let head = TableBox::new(&graph, &table(40, State::Same), Detail::Head, 0);
        assert_eq!((head.rows.len(), head.height), (0, HEAD));
    }

    #[test]
    fn long_and_strange_names_are_cut() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("a\nb", 4), "a b");
        assert!(wide("表表") > wide("ab"));
    }
}

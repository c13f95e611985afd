//! A difference as one HTML file that needs nothing from outside: no fonts, scripts or pictures
//! from elsewhere, and a content policy that would refuse them.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::boxes::count;
use super::data::{Change, Group, Report, State, Step};
use super::lines::{self, Line};
use super::picture::{self, MOST_TABLES, Scene};
use super::sql;

const TEMPLATES: &[(&str, &str)] = &[
    ("page.html", include_str!("templates/page.html")),
    ("picture.html", include_str!("templates/picture.html")),
    ("changes.html", include_str!("templates/changes.html")),
    ("plan.html", include_str!("templates/plan.html")),
    ("style.css", include_str!("templates/style.css")),
    ("script.js", include_str!("templates/script.js")),
];

/// Kinds of hazard that destroy, and those that only say something; all others make one wait.
const GRAVE: &[&str] = &["data-loss"];
const REMARKS: &[&str] = &["privilege", "own-transaction", "not-reversible"];
/// Groups of changes beyond so many are closed at first.
const OPEN_GROUPS: usize = 40;
/// A value with more characters is shown as a text, not in a row.
const SHORT: usize = 90;

/// The whole page. Pure: the same report gives the same bytes.
pub fn html(report: &Report) -> String {
    let mut environment = Environment::new();
    for (name, text) in TEMPLATES {
        environment
            .add_template(name, text)
            .expect("the templates are part of the program");
    }
    let template = environment
        .get_template("page.html")
        .expect("it was just added");
    template
        .render(Value::from(Serde(page(report))))
        .expect("the templates fit the data")
}

#[derive(Serialize)]
struct Page<'a> {
    from: &'a str,
    to: &'a str,
    verdict: Verdict,
    counts: Vec<Count>,
    hazards: Vec<HazardCount>,
    groups: Vec<GroupView<'a>>,
    sections: Vec<Section<'a>>,
    steps: String,
    sql: Value,
    undecided: &'a [String],
    problem: Option<&'a str>,
    unmodelled: &'a [String],
    scenes: Vec<Scene>,
    tables: usize,
    /// What is said where tables are left out of the picture.
    left_out: String,
    /// For each table the group that tells what changes about it.
    group_of: BTreeMap<usize, usize>,
}

#[derive(Serialize)]
struct Verdict {
    class: &'static str,
    text: &'static str,
}

#[derive(Serialize)]
struct Count {
    state: State,
    sign: &'static str,
    text: String,
}

#[derive(Serialize)]
struct HazardCount {
    kind: String,
    words: String,
    class: &'static str,
    steps: usize,
}

#[derive(Serialize)]
struct GroupView<'a> {
    #[serde(flatten)]
    group: &'a Group,
    sign: &'static str,
    word: &'static str,
    open: bool,
    /// The numbers of its steps, from 1.
    steps: Vec<usize>,
    changes: Vec<ChangeView<'a>>,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    kind: &'a str,
    name: &'a str,
    state: State,
    sign: &'static str,
    word: &'static str,
    /// It is about the group's object itself, which the group names.
    own: bool,
    summary: &'a str,
    rows: Vec<Row<'a>>,
    texts: Vec<Text>,
}

/// A property that fits into a row.
#[derive(Serialize)]
struct Row<'a> {
    name: String,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

/// A property that is a text of several lines.
#[derive(Serialize)]
struct Text {
    name: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Section<'a> {
    title: String,
    steps: Vec<StepView<'a>>,
}

#[derive(Serialize)]
struct StepView<'a> {
    number: usize,
    #[serde(flatten)]
    step: &'a Step,
    state: State,
    html: Value,
    badges: Vec<Badge<'a>>,
    /// The kinds of its hazards, for the filter; `none` where there are none.
    kinds: String,
}

#[derive(Serialize)]
struct Badge<'a> {
    kind: &'a str,
    words: String,
    class: &'static str,
    message: &'a str,
}

fn page(report: &Report) -> Page<'_> {
    let scenes = picture::scenes(&report.graph);
    let tables = report.graph.tables.len();
    let transactions: BTreeSet<u32> = report.steps.iter().filter_map(|s| s.transaction).collect();
    Page {
        from: &report.from,
        to: &report.to,
        verdict: verdict(report),
        counts: counts(report),
        hazards: hazards(report),
        groups: groups(report),
        sections: sections(report, transactions.len()),
        steps: match (report.steps.len(), transactions.len()) {
            (steps, 0 | 1) => count(steps, "step"),
            (steps, n) => format!("{} in {}", count(steps, "step"), count(n, "transaction")),
        },
        sql: Value::from_safe_string(sql::highlighted(&report.sql)),
        undecided: &report.undecided,
        problem: report.problem.as_deref(),
        unmodelled: &report.unmodelled,
        left_out: match tables > MOST_TABLES {
            false => String::new(),
            true if scenes.is_empty() => {
                format!(
                    "There is no picture: {tables} tables are more than the {MOST_TABLES} that one can hold. Choose some with --filter."
                )
            }
            true => format!("There is no picture of all {tables} tables: one holds {MOST_TABLES}."),
        },
        scenes,
        tables,
        group_of: report
            .groups
            .iter()
            .enumerate()
            .filter_map(|(at, group)| Some((group.table?, at)))
            .collect(),
    }
}

fn verdict(report: &Report) -> Verdict {
    let (class, text) = match (
        report.groups.is_empty(),
        report.steps.is_empty(),
        report.proved,
    ) {
        (true, true, _) => ("good", "No difference"),
        (false, true, _) => ("unsure", "No step changes this"),
        (_, _, true) => (
            "good",
            "Proved: the plan was applied to a clone and leads there",
        ),
        (_, _, false) => ("unsure", "Not proved: the plan was not applied anywhere"),
    };
    Verdict { class, text }
}

fn counts(report: &Report) -> Vec<Count> {
    [State::Created, State::Altered, State::Dropped]
        .into_iter()
        .filter_map(|state| {
            let n = report.groups.iter().filter(|g| g.state == state).count();
            (n > 0).then(|| Count {
                state,
                sign: state.sign(),
                text: format!("{} {}", count(n, "object"), word(state)),
            })
        })
        .collect()
}

fn word(state: State) -> &'static str {
    match state {
        State::Same => "same",
        State::Created => "created",
        State::Dropped => "dropped",
        State::Altered => "altered",
    }
}

fn hazards(report: &Report) -> Vec<HazardCount> {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &report.steps {
        let kinds: BTreeSet<&str> = step.hazards.iter().map(|h| h.kind.as_str()).collect();
        for kind in kinds {
            *found.entry(kind).or_default() += 1;
        }
    }
    let mut hazards: Vec<HazardCount> = found
        .into_iter()
        .map(|(kind, steps)| HazardCount {
            kind: kind.to_owned(),
            words: kind.replace('-', " "),
            class: class(kind),
            steps,
        })
        .collect();
    hazards.sort_by_key(|h| {
        ["grave", "wait", "remark"]
            .iter()
            .position(|c| *c == h.class)
    });
    hazards
}

fn class(hazard: &str) -> &'static str {
    match hazard {
        kind if GRAVE.contains(&kind) => "grave",
        kind if REMARKS.contains(&kind) => "remark",
        _ => "wait",
    }
}

fn groups(report: &Report) -> Vec<GroupView<'_>> {
    let mut steps: Vec<Vec<usize>> = vec![Vec::new(); report.groups.len()];
    for (at, step) in report.steps.iter().enumerate() {
        if let Some(group) = step.group {
            steps[group].push(at + 1);
        }
    }
    report
        .groups
        .iter()
        .zip(steps)
        .map(|(group, steps)| GroupView {
            group,
            sign: group.state.sign(),
            word: word(group.state),
            open: report.groups.len() <= OPEN_GROUPS,
            steps,
            changes: group.changes.iter().map(|c| change(group, c)).collect(),
        })
        .collect()
}

fn change<'a>(group: &Group, change: &'a Change) -> ChangeView<'a> {
    let (mut rows, mut texts) = (Vec::new(), Vec::new());
    for property in &change.properties {
        let (before, after) = (property.before.as_deref(), property.after.as_deref());
        let long = |value: Option<&str>| {
            value.is_some_and(|v| v.contains('\n') || v.chars().count() > SHORT)
        };
        let name = property.name.replace('_', " ");
        match long(before) || long(after) {
            true => texts.push(Text {
                name,
                lines: lines::compare(before.unwrap_or_default(), after.unwrap_or_default()),
            }),
            false => rows.push(Row {
                name,
                before,
                after,
            }),
        }
    }
    ChangeView {
        kind: &change.kind,
        name: &change.name,
        state: change.state,
        sign: change.state.sign(),
        word: word(change.state),
        own: change.kind == group.kind && change.name == group.name,
        summary: &change.summary,
        rows,
        texts,
    }
}

fn sections(report: &Report, transactions: usize) -> Vec<Section<'_>> {
    let mut number = 0;
    report
        .steps
        .chunk_by(|a, b| a.transaction == b.transaction)
        .map(|steps| Section {
            title: match steps[0].transaction {
                None => "Outside a transaction".into(),
                Some(_) if transactions == 1 => "In one transaction".into(),
                Some(n) => format!("Transaction {n}"),
            },
            steps: steps
                .iter()
                .map(|step| {
                    number += 1;
                    step_view(number, step)
                })
                .collect(),
        })
        .collect()
}

fn step_view(number: usize, step: &Step) -> StepView<'_> {
    let mut kinds: Vec<&str> = step.hazards.iter().map(|h| h.kind.as_str()).collect();
    if kinds.is_empty() {
        kinds.push("none");
    }
    StepView {
        number,
        step,
        state: match step.action.as_str() {
            "create" => State::Created,
            "drop" => State::Dropped,
            "alter" => State::Altered,
            _ => State::Same,
        },
        html: Value::from_safe_string(sql::highlighted(&format!("{};", step.sql))),
        badges: step
            .hazards
            .iter()
            .map(|hazard| Badge {
                kind: &hazard.kind,
                words: hazard.kind.replace('-', " "),
                class: class(&hazard.kind),
                message: &hazard.message,
            })
            .collect(),
        kinds: kinds.join(" "),
    }
}

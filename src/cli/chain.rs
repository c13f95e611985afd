//! What the commands about the chain print.

use std::path::Path;

use comfy_table::{Table, presets};
use serde_json::json;

use super::show::trimmed;
use super::ui::{Ui, bold, dim, green};
use crate::report;
use crate::workflow::{Head, HistoryEntry, Shown};

pub fn sql(ui: &Ui, sql: &str) {
    match ui.json {
        true => ui.print_json(&json!({ "sql": sql })),
        false => ui.data(sql.trim_end()),
    }
}

pub fn history(ui: &Ui, entries: &[HistoryEntry]) {
    if ui.json {
        return ui.print_json(&entries);
    }
    if entries.is_empty() {
        return ui.say("there are no migrations yet");
    }
    let nodes: Vec<(&str, Vec<&str>, char)> = entries
        .iter()
        .map(|entry| {
            let mark = match (entry.applied, &entry.file) {
                (Some(true), None) => '✗',
                (Some(true), _) => '●',
                _ => '○',
            };
            let parents = entry.parents.iter().map(String::as_str);
            (entry.id.as_str(), parents.collect(), mark)
        })
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (entry, row) in entries.iter().zip(report::lanes(&nodes)) {
        if let Some(above) = row.above {
            table.add_row([above.as_str(), "", "", "", ""]);
        }
        let mut mark = match (entry.applied, &entry.file) {
            (Some(true), None) => "applied, no file",
            (Some(true), _) => "applied",
            (Some(false), _) => "pending",
            (None, _) => "",
        }
        .to_owned();
        for label in &entry.labels {
            mark.push_str(&format!(" [{label}]"));
        }
        if !entry.depends_on.is_empty() {
            mark.push_str(&format!(" after {}", entry.depends_on.join(", ")));
        }
        if entry.head {
            mark.push_str(" (head)");
        }
        let when = entry.when.as_deref().unwrap_or_default();
        let when = when.split('.').next().unwrap_or_default();
        table.add_row([&row.own, &entry.id, &entry.name, mark.trim(), when]);
    }
    ui.data(&trimmed(&table));
}

pub fn heads(ui: &Ui, heads: &[Head]) {
    if ui.json {
        return ui.print_json(&heads);
    }
    for head in heads {
        ui.data(&head.to_string());
        let own = head.own.len();
        if heads.len() > 1 && own > 1 {
            ui.data(&format!(
                "  with {} migrations of its own: {}",
                own,
                head.own.join(", ")
            ));
        }
    }
    match heads.len() {
        0 => ui.say("there are no migrations yet"),
        1 => {}
        _ => ui.say(&dim("  next: join them with `devdb merge \"MESSAGE\"`")),
    }
}

pub fn shown(ui: &Ui, shown: &Shown) {
    if ui.json {
        return ui.print_json(shown);
    }
    let known = &shown.migration;
    ui.data(&format!("{} {}", bold(&known.id), known.name));
    let list = |ids: &[String]| match ids {
        [] => "nothing".to_owned(),
        ids => ids.join(", "),
    };
    ui.data(&format!("file      {}", known.file));
    ui.data(&format!("builds on {}", list(&known.parents)));
    ui.data(&format!("on it     {}", list(&shown.children)));
    if !known.depends_on.is_empty() {
        ui.data(&format!("after     {}", list(&known.depends_on)));
    }
    if let (Some(author), Some(date)) = (&known.author, &known.date) {
        ui.data(&format!("made by   {author}, {date}"));
    }
    if !known.reversible {
        ui.data("no way back");
    }
    ui.data(&format!("\n{}", shown.source.trim_end()));
}

pub fn merged(ui: &Ui, file: &Path, root: &Path) {
    let file = file
        .strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string();
    if ui.json {
        return ui.print_json(&json!({ "file": file }));
    }
    ui.say(&format!(
        "{} one head again; the chain was replayed on a clone",
        green("✓")
    ));
    ui.data(&file);
}

pub fn stamped(ui: &Ui, at: &str) {
    match ui.json {
        true => ui.print_json(&json!({ "at": at })),
        false => ui.say(&format!(
            "{} the dev database says it is at {at}; nothing was run",
            green("✓")
        )),
    }
}

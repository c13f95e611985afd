//! Results for people, or as JSON for programs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::{Table, presets};

use super::ui::{Ui, bold, dim, duration, green, yellow};
use crate::config::Loaded;
use crate::server;
use crate::workflow::{
    Difference, Drift, Generated, Init, Left, Moved, Ready, Reset, Status, Undone, Up,
};

pub(super) fn duration_text(took: f64) -> String {
    duration(Duration::from_secs_f64(took))
}

fn seconds(took: f64) -> String {
    dim(&format!("({})", duration(Duration::from_secs_f64(took))))
}

pub(super) fn count(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

pub fn ready(ui: &Ui, ready: &Ready) {
    if ui.json {
        return ui.print_json(ready);
    }
    let what = match (ready.was_ready, ready.applied.len()) {
        (true, _) => "ready".to_owned(),
        (false, 0) => "ready, no migration was pending".to_owned(),
        (false, n) => format!("ready, {} applied", count(n, "migration")),
    };
    ui.say(&format!(
        "{} {} {what} {}",
        green("✓"),
        bold(&ready.database),
        seconds(ready.took)
    ));
    ui.data(&ready.url);
}

pub fn reset(ui: &Ui, reset: &Reset) {
    if ui.json {
        return ui.print_json(reset);
    }
    ui.say(&format!(
        "{} {} is clean: {} {}",
        green("✓"),
        bold(&reset.database),
        match (reset.from_baseline, reset.migrations) {
            (0, n) => format!("{} replayed", count(n, "migration")),
            (known, 0) => format!("{} from a baseline", count(known, "migration")),
            (known, n) => format!(
                "{} from a baseline, {n} replayed",
                count(known, "migration")
            ),
        },
        seconds(reset.took)
    ));
    if reset.verified {
        ui.say(&dim(
            "  verified: a full replay on another server gives the same server-wide state, schema and rows",
        ));
    }
    for place in &reset.random {
        ui.say(&dim(&format!(
            "  not compared, because no two replays agree about it: {place}"
        )));
    }
    if let Some(aside) = &reset.aside {
        ui.say(&dim(&format!(
            "  the old data is kept aside ({aside}): `devdb undo` brings it back"
        )));
    }
    ui.data(&reset.url);
}

pub fn undone(ui: &Ui, undone: &Undone) {
    if ui.json {
        return ui.print_json(undone);
    }
    ui.say(&format!(
        "{} {} has back what was put aside {}",
        green("✓"),
        bold(&undone.database),
        seconds(undone.took)
    ));
    ui.say(&dim(
        "  what was there is kept aside: `devdb undo` swaps again",
    ));
    ui.data(&undone.url);
}

pub fn generated(ui: &Ui, generated: &Generated, root: &Path) {
    if ui.json {
        return ui.print_json(generated);
    }
    for line in &generated.changes {
        ui.say(&format!("  {line}"));
    }
    for hazard in &generated.hazards {
        ui.line(&format!("{} {hazard}", yellow("hazard:")));
    }
    for thing in &generated.unmodelled {
        ui.line(&format!("{} not compared: {thing}", yellow("warning:")));
    }
    for mended in &generated.mended {
        ui.say(&format!("  {} {mended}", dim("mended:")));
    }
    left_out(ui, generated);
    if generated.files.is_empty() {
        let of_yours = match generated.left_out.is_empty() {
            true => "the chain already gives what is wanted",
            false => "your changes need no migration",
        };
        ui.say(&format!(
            "{} nothing to generate: {of_yours} {}",
            green("✓"),
            seconds(generated.took)
        ));
        return;
    }
    match &generated.unproved_because {
        None => ui.say(&format!(
            "{} written and proved on a clone; the dev database was not touched {}",
            green("✓"),
            seconds(generated.took)
        )),
        Some(why) => ui.line(&format!(
            "{} kept although it is not proved: {why}",
            yellow("warning:")
        )),
    }
    for file in &generated.files {
        ui.data(
            &file
                .strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string(),
        );
    }
    if generated.proved {
        ui.say(&dim("  next: look at the file, then `devdb migrate`"));
    }
}

/// What is not in the file, and how it would be.
fn left_out(ui: &Ui, generated: &Generated) {
    if !generated.left_out.is_empty() {
        let from = generated.inherited_from.as_deref().unwrap_or("main");
        ui.line(&format!(
            "{} left out, because it comes out of {from} without your changes: {}",
            yellow("warning:"),
            generated.left_out.join(", ")
        ));
        ui.line(&dim("  `--with-inherited` writes it too"));
    }
    for line in &generated.missed {
        ui.line(&format!(
            "{} Alembic does not see: {line}",
            yellow("warning:")
        ));
    }
    if !generated.missed.is_empty() {
        ui.line(&dim("  `--complete` adds this to the file"));
    }
}

/// Names what no plan does anything about.
pub fn unmodelled(ui: &Ui, things: &[String]) {
    for thing in things {
        ui.line(&format!("{} not compared: {thing}", yellow("warning:")));
    }
}

pub fn files(ui: &Ui, files: &[PathBuf], root: &Path) {
    if ui.json {
        return ui.print_json(&serde_json::json!({ "files": files }));
    }
    for file in files {
        ui.data(
            &file
                .strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string(),
        );
    }
}

pub fn drift(ui: &Ui, drift: &Drift) {
    if ui.json {
        return ui.print_json(drift);
    }
    for (title, lines) in [
        ("made by no migration", &drift.extra),
        ("made by a migration, and not there", &drift.missing),
        ("not as the migrations make it", &drift.changed),
        ("migrations", &drift.migrations),
    ] {
        if !lines.is_empty() {
            ui.data(&format!("{title}:"));
            for line in lines {
                ui.data(&format!("  {line}"));
            }
        }
    }
    unmodelled(ui, &drift.unmodelled);
    let at = drift.at.as_deref().unwrap_or("no migration");
    match drift.is_none() {
        true => ui.say(&format!(
            "{} no drift: the database is what the migrations up to {at} make {}",
            green("✓"),
            seconds(drift.took)
        )),
        false => ui.say(&dim(&format!(
            "  compared with the migrations up to {at}; `devdb drift --sql remove` prints the cure, `devdb reset` is one"
        ))),
    }
}

pub fn difference(ui: &Ui, difference: &Difference, summary: bool) {
    if ui.json {
        return ui.print_json(difference);
    }
    match summary {
        true => difference.changes.iter().for_each(|line| ui.data(line)),
        false if !difference.plan.is_empty() => ui.data(difference.plan.to_sql().trim_end()),
        false => {}
    }
    for hazard in &difference.undecided {
        ui.line(&format!("{} {hazard}", yellow("hazard:")));
    }
    let names: Vec<String> = difference
        .plan
        .unmodelled
        .iter()
        .map(ToString::to_string)
        .collect();
    unmodelled(ui, &names);
    let what = match (difference.plan.is_empty(), difference.proved) {
        (true, _) => "no difference".to_owned(),
        (false, true) => format!(
            "{}; proved on a clone",
            count(difference.plan.steps.len(), "step")
        ),
        (false, false) => format!(
            "{}; not proved on a clone",
            count(difference.plan.steps.len(), "step")
        ),
    };
    ui.say(&format!(
        "{} {} → {}: {what} {}",
        green("✓"),
        difference.from,
        difference.to,
        seconds(difference.took)
    ));
}

pub fn moved(ui: &Ui, moved: &Moved, verb: &str) {
    if ui.json {
        return ui.print_json(moved);
    }
    for step in &moved.migrations {
        ui.data(format!("{} {}", step.id, step.name).trim_end());
    }
    let what = match moved.migrations.len() {
        0 => "nothing to do".to_owned(),
        n => format!("{} {verb}", count(n, "migration")),
    };
    ui.say(&format!(
        "{} {}: {what} {}",
        green("✓"),
        bold(&moved.database),
        seconds(moved.took)
    ));
}

/// The table without spaces at the ends of lines and in front.
pub(super) fn trimmed(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(|l| l.trim_end()).collect();
    lines
        .iter()
        .map(|l| l.strip_prefix(' ').unwrap_or(l))
        .collect::<Vec<_>>()
        .join("\n")
}

pub fn status(ui: &Ui, status: &Status) {
    if ui.json {
        return ui.print_json(status);
    }
    let mut lines: Vec<(&str, String)> = vec![
        ("project", status.project.clone()),
        ("server", status.server_name.clone()),
        ("state", state(&status.server)),
    ];
    for drift in &status.server.drift {
        lines.push(("", format!("differs from the configuration: {drift}")));
    }
    lines.push(("data", status.server.data.clone()));
    if let Some(aside) = &status.server.aside {
        lines.push(("aside", format!("{aside} (`devdb undo` brings it back)")));
    }
    match &status.database {
        None if status.server.condition != server::Condition::Ready => lines.push((
            "database",
            "cannot be asked while the server does not run: `devdb ready`".into(),
        )),
        None => lines.push(("database", "not there yet: `devdb ready` makes it".into())),
        Some(database) => {
            lines.push((
                "database",
                format!("{} ({})", database.name, bytes(database.size)),
            ));
            lines.push(("at", database.at.clone().unwrap_or("no migration".into())));
            lines.push((
                "chain",
                match database.pending.len() {
                    0 => format!("{} applied, none pending", database.applied),
                    n => format!("{} applied, {n} pending: `devdb migrate`", database.applied),
                },
            ));
            for problem in &database.problems {
                lines.push(("problem", problem.clone()));
            }
            lines.push(("url", database.url.clone()));
        }
    }
    for (name, value) in lines {
        ui.data(&format!("{name:<9} {value}"));
    }
}

fn state(server: &server::Status) -> String {
    let mut state = server.condition.to_string();
    if let Some(port) = server.port {
        state.push_str(&format!(", port {port}"));
    }
    if let Some(major) = server.major {
        state.push_str(&format!(", PostgreSQL {major}"));
    }
    if server.pending_reset {
        state.push_str("; a reset was interrupted: `devdb ready` does it again");
    }
    state
}

fn bytes(n: i64) -> String {
    const UNITS: [&str; 4] = ["B", "KB", "MB", "GB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{n} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

pub fn up(ui: &Ui, up: &Up) {
    if ui.json {
        return ui.print_json(up);
    }
    ui.say(&format!(
        "{} {} on {}:{}",
        green("✓"),
        up.server,
        up.host,
        up.port
    ));
    ui.data(&up.url);
}

pub fn down(ui: &Ui, left: Left) {
    if ui.json {
        return ui.print_json(&serde_json::json!({ "left": left }));
    }
    let what = match left {
        Left::Wiped => "the server and its data are gone",
        Left::Data => "the server is stopped; its data stays",
        Left::Nothing => "the server is stopped; its data was in memory and is gone",
    };
    ui.say(&format!("{} {what}", green("✓")));
}

pub fn url(ui: &Ui, url: &str) {
    match ui.json {
        true => ui.print_json(&serde_json::json!({ "url": url })),
        false => ui.data(url),
    }
}

pub fn variables(ui: &Ui, variables: &[(String, String)], shell: bool) {
    if ui.json {
        let map: serde_json::Map<String, serde_json::Value> = variables
            .iter()
            .map(|(k, v)| (k.clone(), v.clone().into()))
            .collect();
        return ui.print_json(&map);
    }
    for (name, value) in variables {
        ui.data(&match shell {
            true => format!("export {name}='{}'", value.replace('\'', "'\\''")),
            false => format!(
                "{name}=\"{}\"",
                value
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('$', "\\$")
            ),
        });
    }
}

pub fn config(ui: &Ui, loaded: &Loaded) {
    let hidden = |key: &str, value: String| match key {
        "database.password" => "\"…\"".to_owned(),
        "server.url" => match crate::config::Target::parse(value.trim_matches('"')) {
            Ok(target) => format!("\"{target}\""),
            Err(_) => value,
        },
        _ => value,
    };
    if ui.json {
        let settings: serde_json::Map<String, serde_json::Value> = loaded
            .layers
            .iter()
            .map(|(key, entry)| {
                let value = hidden(key, entry.value.to_string());
                let entry =
                    serde_json::json!({ "value": value, "origin": entry.origin.to_string() });
                (key.to_owned(), entry)
            })
            .collect();
        return ui.print_json(&serde_json::json!({
            "project": loaded.config.project.root,
            "id": loaded.config.project.id,
            "state": loaded.config.project.state_dir,
            "settings": settings,
        }));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (key, entry) in loaded.layers.iter() {
        table.add_row([
            key.to_owned(),
            hidden(key, entry.value.to_string()),
            entry.origin.to_string(),
        ]);
    }
    ui.data(&trimmed(&table));
    ui.say(&dim(&format!(
        "project {} in {}; devdb remembers things in {}",
        loaded.config.project.id,
        loaded.config.project.root.display(),
        loaded.config.project.state_dir.display()
    )));
}

pub fn init(ui: &Ui, init: &Init) {
    if ui.json {
        return ui.print_json(init);
    }
    ui.data(init.text.trim_end());
    ui.say(&format!(
        "{} {} is written",
        green("✓"),
        init.file.display()
    ));
}

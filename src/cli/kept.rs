//! What is kept on the server, as text: baselines, snapshots, the databases of branches.

use super::show::{count, duration_text};
use super::ui::{Ui, bold, dim, green};
use crate::databases::clones::Clone;
use crate::serve::Listening;
use crate::workflow::{Bake, Baseline, How, Restored, RunEnd, Snapshot, Switched, Tidied};

/// The URL for programs, one line; how to use it for people.
pub fn listening(ui: &Ui, listening: &Listening) {
    if ui.json {
        // On one line: programs read it while this goes on.
        let line = serde_json::to_string(listening).expect("plain data");
        return ui.data(&line);
    }
    ui.say(&format!(
        "{} lending databases; Ctrl-C ends it and drops them",
        green("✓")
    ));
    ui.say(&dim(&format!("  curl -X POST {}/databases", listening.url)));
    ui.data(&listening.url);
}

pub fn tidied(ui: &Ui, tidied: &Tidied) {
    if ui.json {
        return ui.print_json(tidied);
    }
    for name in &tidied.dropped {
        ui.say(&format!("dropped {name}"));
    }
    match &tidied.spare_of {
        Some(baseline) => ui.say(&format!("a clone of {baseline} stands ready")),
        None => ui.say("no clone of a baseline is kept ready"),
    }
}

pub fn baselines(ui: &Ui, found: &[Baseline]) {
    if ui.json {
        return ui.print_json(&found);
    }
    if found.is_empty() {
        return ui.say("no baselines: `devdb ready` and `devdb reset` keep what a replay gave");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |d| d.as_secs());
    for baseline in found {
        ui.data(&format!(
            "{}  {:>6.1} MB  used {}  {}",
            &baseline.mark.key[..baseline.mark.key.len().min(12)],
            baseline.bytes as f64 / 1e6,
            ago(now.saturating_sub(baseline.mark.used)),
            baseline.mark.at
        ));
    }
}

/// `5 min ago`
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

pub fn pruned(ui: &Ui, gone: &[String]) {
    if ui.json {
        return ui.print_json(&gone);
    }
    ui.say(&format!(
        "{} {} dropped",
        green("✓"),
        count(gone.len(), "baseline")
    ));
}

/// `12.3 MB`
fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn since(seconds: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    ago(now.map_or(0, |now| now.as_secs()).saturating_sub(seconds))
}

pub fn snapshots(ui: &Ui, found: &[Snapshot]) {
    if ui.json {
        return ui.print_json(&found);
    }
    if found.is_empty() {
        return ui.say("no snapshots: `devdb snapshot save NAME` makes one");
    }
    let width = found.iter().map(|s| s.mark.name.chars().count()).max();
    let width = width.unwrap_or_default();
    for snapshot in found {
        let mark = &snapshot.mark;
        let mut about = Vec::new();
        about.extend(mark.at.as_ref().map(|at| format!("at {at}")));
        about.extend(mark.note.clone());
        if snapshot.elsewhere.is_some() {
            about.push("in a data directory that a reset put aside".to_owned());
        }
        ui.data(&format!(
            "{:width$}  {:>9}  {:9}  {}",
            mark.name,
            match snapshot.elsewhere {
                Some(_) => String::new(),
                None => size(snapshot.bytes),
            },
            since(mark.made),
            about.join("; ")
        ));
    }
}

pub fn snapshot(ui: &Ui, snapshot: &Snapshot, what: &str) {
    if ui.json {
        return ui.print_json(snapshot);
    }
    let at = snapshot.mark.at.as_ref();
    ui.say(&format!(
        "{} snapshot {} {what}{}",
        green("✓"),
        bold(&snapshot.mark.name),
        at.map_or(String::new(), |at| dim(&format!(" (at {at})")))
    ));
    if what == "saved" {
        ui.say(&dim(&format!(
            "  `devdb snapshot restore {}` brings it back",
            snapshot.mark.name
        )));
    }
}

pub fn run_end(ui: &Ui, end: &RunEnd) {
    for (name, url) in &end.kept {
        ui.say(&format!(
            "kept {name} because the command failed: psql \"{url}\"; `devdb drop {name}` drops it"
        ));
    }
}

/// The image's name for programs, what is in it for people.
pub fn baked(ui: &Ui, bake: &Bake) {
    if ui.json {
        return ui.print_json(bake);
    }
    if let Some(bytes) = bake.bytes {
        let done = match bake.made {
            true => "at head",
            false => "was here already",
        };
        let much = match bake.own_bytes {
            Some(own) => format!("{} over its base", size(own)),
            None => size(bytes),
        };
        ui.say(&format!(
            "{} an image with {}, {much}, {done}",
            green("✓"),
            count(bake.migrations, "migration"),
        ));
    }
    if let Some(file) = &bake.exported {
        ui.say(&dim(&format!("  docker load -i {}", file.display())));
    }
    for old in &bake.removed {
        ui.say(&dim(&format!("  removed {old}")));
    }
    ui.data(&bake.image);
}

pub fn cloned(ui: &Ui, name: &str, url: &str) {
    if ui.json {
        return ui.print_json(&serde_json::json!({ "name": name, "url": url }));
    }
    ui.say(&format!(
        "{} clone {}; `devdb drop {name}` drops it",
        green("✓"),
        bold(name)
    ));
    ui.data(url);
}

pub fn clones(ui: &Ui, found: &[Clone]) {
    if ui.json {
        return ui.print_json(&found);
    }
    if found.is_empty() {
        return ui.say("no clones: `devdb clone NAME` makes one");
    }
    for clone in found {
        ui.data(&format!("{}  {}", clone.mark.name, since(clone.mark.made)));
    }
}

pub fn exported(ui: &Ui, file: &std::path::Path, bytes: u64) {
    if ui.json {
        return ui.print_json(&serde_json::json!({ "file": file, "bytes": bytes }));
    }
    ui.say(&format!(
        "{} {} written, {}",
        green("✓"),
        file.display(),
        size(bytes)
    ));
}

pub fn restored(ui: &Ui, restored: &Restored) {
    if ui.json {
        return ui.print_json(restored);
    }
    ui.say(&format!(
        "{} {} is as it was in {} {}",
        green("✓"),
        bold(&restored.database),
        restored.snapshot,
        dim(&format!("({})", duration_text(restored.took)))
    ));
    ui.say(&dim(
        "  what it was until now is kept aside: `devdb undo` brings it back",
    ));
    ui.data(&restored.url);
}

pub fn switched(ui: &Ui, switched: &Switched) {
    if ui.json {
        return ui.print_json(switched);
    }
    let what = match switched.how {
        How::Stayed => return ui.say(&format!("{} stays as it is", switched.database)),
        How::BroughtBack => "is back as it was",
        How::Copied => "begins as a copy, with its data",
        How::Clean => "begins clean",
    };
    ui.say(&format!(
        "{} {} of {} {what} {}",
        green("✓"),
        bold(&switched.database),
        bold(&switched.entered),
        dim(&format!("({})", duration_text(switched.took)))
    ));
    if let Some(left) = &switched.left {
        ui.say(&dim(&format!(
            "  that of {left} is parked until `devdb switch` on that branch"
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_short() {
        assert_eq!(size(7_676_431), "7.7 MB");
        assert_eq!(size(5_200_000_000), "5.2 GB");
        assert_eq!(ago(59), "just now");
        assert_eq!(ago(7_300), "2 h ago");
    }
}

//! Keeps the rules of the house (docs/architecture.md): imports point down, outside crates have one
//! owner, only `cli` prints, only `config` reads the environment.

use std::path::{Path, PathBuf};

/// A room and the floor it stands on; a room may use rooms of lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("cli", 6),
    ("serve", 5),
    ("testing", 5),
    ("workflow", 4),
    ("server", 3),
    ("migrations", 3),
    ("schema", 3),
    ("databases", 3),
    ("report", 3),
    ("postgres", 2),
    ("config", 1),
    ("event", 1),
    ("excerpt", 1),
    ("fault", 0),
    ("owner", 0),
    ("error", 0),
];

/// An outside crate and the files (by the beginning of their path below `src/`) that may use it.
const OWNERS: &[(&str, &[&str])] = &[
    ("axum", &["serve/"]),
    ("bollard", &["server/docker/"]),
    ("docker_credential", &["server/docker/"]),
    ("hyper", &["server/docker/"]),
    ("hyper_util", &["server/docker/"]),
    ("tower_service", &["server/docker/"]),
    ("sqlx", &["postgres.rs", "migrations/sqlx"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("dialoguer", &["cli/"]),
    ("comfy_table", &["cli/"]),
    ("owo_colors", &["cli/"]),
    ("jiff", &["cli/", "server/", "migrations/sqlx"]),
    ("dotenvy", &["config/"]),
    ("toml", &["config/"]),
    ("serde_saphyr", &["config/"]),
    ("strsim", &["config/"]),
    ("percent_encoding", &["config/"]),
    ("minijinja", &["report/"]),
    ("testcontainers", &["testing/"]),
];

struct Source {
    /// Below `src/`.
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                sources.push(Source {
                    text: without_tests_and_comments(&std::fs::read_to_string(&path).unwrap()),
                    path: path.strip_prefix(&src).unwrap().display().to_string(),
                });
            }
        }
    }
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// Unit tests stand at the end of a file and may do what the code may not.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|f| f.1)
}

fn room(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

/// The rooms that a file names as `crate::room`, also inside braces.
fn rooms_used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(','),
            None => rest
                .split('\u{0}')
                .next()
                .unwrap_or_default()
                .split('\u{0}'),
        };
        for name in names {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            rooms.push(name);
        }
    }
    rooms
}

#[test]
fn imports_point_down_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(own) = floor(room(&source.path)) else {
            continue;
        };
        for used in rooms_used(&source.text) {
            if used == room(&source.path) {
                continue;
            }
            match floor(&used) {
                Some(floor) if floor < own => {}
                Some(_) => broken.push(format!("{} uses crate::{used}", source.path)),
                None => broken.push(format!("{} uses the unknown room {used}", source.path)),
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_has_a_floor() {
    for source in sources() {
        let room = room(&source.path);
        assert!(
            ["main", "lib"].contains(&room) || floor(room).is_some(),
            "{} stands on no floor: add it to docs/architecture.md and to this test",
            source.path
        );
    }
}

#[test]
fn an_outside_crate_has_one_owner() {
    let mut broken = Vec::new();
    for source in sources() {
        for (name, owners) in OWNERS {
            if owners.iter().any(|owner| source.path.starts_with(owner)) {
                continue;
            }
            let used = source.text.lines().any(|line| {
                line.match_indices(&format!("{name}::")).any(|(at, _)| {
                    let before = &line[..at];
                    // A module of the same name is no crate: it stands behind a path or `mod`.
                    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                        && !source.text.contains(&format!("mod {name};"))
                })
            });
            if used {
                broken.push(format!("{} uses {name}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_cli_prints_asks_or_exits() {
    let words = [
        "println!(",
        "eprintln!(",
        "print!(",
        "dbg!(",
        "process::exit",
        "stdout()",
        "stderr()",
    ];
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| room(&s.path) != "cli") {
        for word in words.iter().filter(|w| source.text.contains(**w)) {
            broken.push(format!("{} has {word}", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_config_reads_the_environment() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| room(&s.path) != "config") {
        for word in ["env::var", "env::vars", "dotenv()"] {
            if source.text.contains(word) {
                broken.push(format!("{} has {word}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_test_sees_what_it_is_meant_to_see() {
    assert_eq!(
        rooms_used("use crate::{error::Error, cli};\nuse crate::postgres::Target;"),
        ["error", "cli", "postgres"]
    );
    assert_eq!(room("postgres.rs"), "postgres");
    assert_eq!(room("cli/ui.rs"), "cli");
}

//! `devdb init`: what was found, as a `devdb.toml` to keep and to change.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Origin, Value};
use crate::error::{Error, Named, Result};

use super::Context;

/// The file that was written.
#[derive(Debug, Serialize)]
pub struct Init {
    pub file: PathBuf,
    pub text: String,
}

/// Writes `devdb.toml` into the project's root.
///
/// # Errors
/// `Refused` where there is one already and `force` is not given.
pub async fn init(context: &Context, force: bool) -> Result<Init> {
    let file = context.config().project.root.join("devdb.toml");
    if file.exists() && !force {
        return Err(
            Error::refused(format!("{} is there already", file.display()))
                .hint("--force replaces it"),
        );
    }
    let text = text(context);
    std::fs::write(&file, &text).named(format_args!("cannot write {}", file.display()))?;
    Ok(Init { file, text })
}

/// Values that were found are written; defaults stand there as comments.
fn text(context: &Context) -> String {
    let mut text =
        String::from("# devdb: see docs/configuration.md. Lines with # are the defaults.\n");
    let mut table = String::new();
    for (key, entry) in context.loaded.layers.iter() {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let section = if key == "env" { "env" } else { section };
        // What few projects need to say.
        if key == "bake.image" && entry.origin == Origin::Default {
            continue;
        }
        // What a compose file says is taken from there, and so is not said twice.
        let from_compose =
            matches!(&entry.origin, Origin::Detected(what) if what.contains(": service "));
        if from_compose && key != "server.compose" {
            continue;
        }
        if section != table {
            let _ = write!(text, "\n[{section}]\n");
            table = section.to_owned();
        }
        if let (Value::Map(entries), "env") = (&entry.value, key) {
            for (name, value) in entries {
                let _ = writeln!(text, "{name} = {value:?}");
            }
            continue;
        }
        let comment = match &entry.origin {
            Origin::Default => "# ",
            _ => "",
        };
        let _ = writeln!(text, "{comment}{name} = {}", entry.value);
    }
    text
}

//! Settings that cannot both be meant.

use super::layers::{Layers, Origin};
use crate::error::{Error, Result};

/// Pairs of settings that cannot both be meant.
/// # Errors
/// `Usage`, naming both places and what to do.
pub fn refuse_contradictions(layers: &Layers) -> Result<()> {
    let place = |key: &str| {
        let origin = layers.origin(key).unwrap_or(&Origin::Default);
        format!("{origin}: {key}")
    };
    let written = |key: &str| layers.is_written(key);
    let in_file = |key: &str| matches!(layers.origin(key), Some(Origin::File(..)));
    let refuse = |one: &str, other: &str, why: &str, hint: &str| {
        Err(Error::usage(format!(
            "{} contradicts {}: {why}",
            place(one),
            place(other)
        ))
        .hint(hint))
    };
    if in_file("server.compose") {
        for key in ["server.image", "server.port", "server.data"] {
            if in_file(key) {
                return refuse(
                    key,
                    "server.compose",
                    "the compose service says it already",
                    "keep one of the two lines",
                );
            }
        }
    }
    let kind = layers.text("server.kind").unwrap_or("auto");
    if kind == "url" && layers.get("server.url").is_none() {
        return Err(Error::usage(format!(
            "{} = \"url\", but server.url is missing",
            place("server.kind")
        ))
        .hint("add url = \"postgresql://user:password@host:5432/postgres\" to [server]"));
    }
    if kind != "url" && written("server.url") {
        return refuse(
            "server.url",
            "server.kind",
            &format!("a URL is only used with kind = \"url\", not \"{kind}\""),
            "set kind = \"url\", or leave out the URL",
        );
    }
    if kind == "url" {
        for key in [
            "server.port",
            "server.data",
            "server.compose",
            "server.settings",
        ] {
            if in_file(key) {
                return refuse(
                    key,
                    "server.kind",
                    "a server that somebody else runs has its own",
                    "leave this line out",
                );
            }
        }
    }
    if kind == "local" && written("server.data") && layers.text("server.data") == Some("tmpfs") {
        return refuse(
            "server.data",
            "server.kind",
            "tmpfs needs a container",
            "use kind = \"docker\", or a folder on a tmpfs of this machine",
        );
    }
    let tool = layers.text("migrations.tool");
    for (key, tools) in [
        ("migrations.schema", &["sqlx"][..]),
        ("migrations.table", &["sqlx"]),
        ("migrations.run", &["alembic"]),
        ("migrations.complete", &["alembic"]),
        ("migrations.up", &["command"]),
        ("migrations.generate", &["command"]),
    ] {
        match tool {
            Some(tool) if written(key) && !tools.contains(&tool) => {
                return refuse(
                    key,
                    "migrations.tool",
                    &format!("it belongs to tool = \"{}\", not \"{tool}\"", tools[0]),
                    "leave out this line, or change the tool",
                );
            }
            _ => {}
        }
    }
    if tool == Some("command") && layers.get("migrations.up").is_none() {
        return Err(Error::usage(format!(
            "{} = \"command\", but migrations.up is missing",
            place("migrations.tool")
        ))
        .hint("add up = \"the shell command that brings a database to head\""));
    }
    Ok(())
}

//! Projects whose tool wraps the chain: their own command writes the file. The proof is that the
//! chain with the new file replays on a clone of the baseline, and that there is a new file at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::databases::Workshop;
use crate::error::{Error, Result};
use crate::migrations::MigrationTool;

use super::super::{Context, ready};
use super::{GenerateOptions, Generated, at_head, unproved};

pub async fn generate(
    context: &Context,
    workshop: &mut Workshop,
    message: &str,
    options: &GenerateOptions,
) -> Result<Generated> {
    let mut generated = Generated::new(Instant::now());
    let dir = context.migrations()?.dir.clone();
    let mut tool = context.tool()?;
    let head = at_head(context, workshop, &mut tool).await?;
    let variables = context.variables(&head.target);

    let before = files(&dir)?;
    if let MigrationTool::Command(command) = &tool {
        command
            .generate(message, &variables, &context.events)
            .await?;
    }
    generated.files = files(&dir)?.difference(&before).cloned().collect();
    if generated.files.is_empty() {
        generated.proved = true;
        return Ok(generated);
    }
    generated.changes = generated
        .files
        .iter()
        .map(|file| format!("+ {}", file.strip_prefix(&dir).unwrap_or(file).display()))
        .collect();
    let task = context.events.begin("proving the migration", None);
    match ready::apply(context, &mut tool, &head.target, None).await {
        Ok(_) => {
            generated.proved = true;
            task.end("it applies on the baseline");
            Ok(generated)
        }
        Err(why) => unproved(context, generated, why, options.keep_unproved),
    }
}

/// All files below the folder, but for what tools leave there.
fn files(dir: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |e| Error::failed(format!("cannot read {}: {e}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_dir = entry.file_type().map_err(failed)?.is_dir();
            if is_dir
                && !name.starts_with('.')
                && !["node_modules", "target", "__pycache__"].contains(&name.as_ref())
            {
                folders.push(entry.path());
            } else if !is_dir && !name.ends_with(".pyc") {
                files.insert(entry.path());
            }
        }
    }
    Ok(files)
}

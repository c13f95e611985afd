//! Databases that nobody needs any more: renamed at once, dropped when it costs nobody time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Names;
use crate::error::Result;
use crate::postgres::{Connection, database};

/// A name that no other trash has.
pub(super) fn name(names: &Names) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let token = now.map_or(0, |now| now.as_micros());
    names.trash(&format!("{token:x}"))
}

/// Drops everything that is on its way out; gives the names.
pub async fn empty_trash(on: &mut Connection, names: &Names) -> Result<Vec<String>> {
    let gone = database::beginning_with(on, &names.trash_prefix()).await?;
    for name in &gone {
        database::drop(on, name).await?;
    }
    Ok(gone)
}

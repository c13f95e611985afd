//! Spares: clones of baselines made ahead of need, so that a reset is a rename.

use super::Names;
use super::base::clone_from;
use crate::error::Result;
use crate::postgres::{Connection, database};

/// The name of the spare of `baseline`, where one stands ready. It is complete: it gets its name
/// last.
pub(super) async fn find(
    on: &mut Connection,
    names: &Names,
    baseline: &str,
) -> Result<Option<String>> {
    let name = names.spare(baseline);
    Ok(database::exists(on, &name).await?.then_some(name))
}

/// Makes sure that a spare of `baseline` stands ready; those of others go. `None`: no spare at all.
/// Callers see to it that nobody else does this at the same time. Gives whether one was made.
pub async fn keep_spare(
    on: &mut Connection,
    names: &Names,
    baseline: Option<&str>,
) -> Result<bool> {
    let wanted = baseline.map(|baseline| names.spare(baseline));
    for name in database::beginning_with(on, &names.spare_prefix()).await? {
        if Some(&name) != wanted.as_ref() {
            database::drop(on, &name).await?;
        }
    }
    let making = names.making();
    database::drop(on, &making).await?;
    let (Some(baseline), Some(wanted)) = (baseline, wanted) else {
        return Ok(false);
    };
    if database::exists(on, &wanted).await? {
        return Ok(false);
    }
    clone_from(on, &making, baseline).await?;
    database::rename(on, &making, &wanted).await?;
    Ok(true)
}

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

/// Drops the spares of other baselines than this one; `None`: all. To be called by whoever holds
/// the project's lock.
pub async fn drop_spares(on: &mut Connection, names: &Names, but_of: Option<&str>) -> Result<()> {
    let wanted = but_of.map(|baseline| names.spare(baseline));
    for name in database::beginning_with(on, &names.spare_prefix()).await? {
        if Some(&name) != wanted.as_ref() {
            database::drop(on, &name).await?;
        }
    }
    Ok(())
}

/// Makes sure that a spare of `baseline` stands ready. Callers see to it that nobody else does this
/// at the same time. Gives whether one was made.
pub async fn make_spare(on: &mut Connection, names: &Names, baseline: &str) -> Result<bool> {
    let (wanted, making) = (names.spare(baseline), names.making());
    database::drop(on, &making).await?;
    if database::exists(on, &wanted).await? {
        return Ok(false);
    }
    clone_from(on, &making, baseline).await?;
    database::rename(on, &making, &wanted).await?;
    Ok(true)
}

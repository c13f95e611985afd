//! Migrations that commit before they are through (an autocommit block, a file that runs in no
//! transaction) leave half of what they do when they fail. Before they run, the dev database is
//! kept as an automatic snapshot, which takes its place again where they do.

use crate::config::Target;
use crate::databases::LARGE;
use crate::databases::snapshot::{self, Snapshot};
use crate::error::{Error, Result};
use crate::migrations::{Migration, MigrationTool, Ran};
use crate::postgres::{self, database};

use super::snapshot::{forget, save_automatically};
use super::{Context, provision, ready};

/// Applies what is pending to the dev database, up to `to`; where that fails, it is as it was before
/// the migration that failed, or, where that one commits inside, before all of them.
///
/// # Errors
/// As [`ready::apply`].
pub(super) async fn apply(
    context: &Context,
    tool: &mut MigrationTool,
    dev: &Target,
    to: Option<&str>,
) -> Result<Vec<Ran>> {
    let sound = ready::sound(context, tool, dev).await?;
    let last = sound.pending.iter().position(|m| Some(m.id.as_str()) == to);
    let coming = &sound.pending[..last.map_or(sound.pending.len(), |last| last + 1)];
    let commits = coming.iter().find(|migration| migration.commits);
    let kept = match commits {
        Some(migration) => keep(context, dev, migration).await?,
        None => None,
    };
    let variables = context.variables(dev);
    let ran = tool.migrate(dev, &variables, to, &context.events).await;
    let Some(kept) = kept else {
        return ran;
    };
    match ran {
        Ok(ran) => {
            forget(context, &kept).await?;
            Ok(ran)
        }
        Err(error) => Err(put_back(context, dev, &kept, error).await),
    }
}

async fn keep(context: &Context, dev: &Target, migration: &Migration) -> Result<Option<Snapshot>> {
    let name = &migration.id;
    let stays = |why: &str| {
        context.events.note(format!(
            "{name} commits before it is through: what it did stays where it fails ({why})"
        ));
        Ok(None)
    };
    if provision::allow_databases(context.config(), "save a snapshot").is_err() {
        return stays("the server is not devdb's");
    }
    let mut on = postgres::connect(&dev.with_database("postgres")).await?;
    let bytes = database::size(&mut on, &dev.database).await?;
    on.close().await;
    if bytes > LARGE {
        return stays("the database is large: `devdb snapshot save NAME` keeps it as it is");
    }
    let why = format!("before {name}, which commits before it is through");
    save_automatically(context, &why).await.map(Some)
}

/// Gives the error that the migrations failed with.
async fn put_back(context: &Context, dev: &Target, kept: &Snapshot, error: Error) -> Error {
    let put = async {
        let mut on = postgres::connect(&dev.with_database("postgres")).await?;
        let put = snapshot::put_back(&mut on, &context.names(), &dev.database, kept).await;
        on.close().await;
        put
    };
    let said = match put.await {
        Ok(()) => format!("{} is as it was before", dev.database),
        Err(failed) => format!(
            "{} keeps what was committed ({failed}): `devdb snapshot restore {}`",
            dev.database, kept.mark.name
        ),
    };
    match error.hint_text() {
        Some(hint) => {
            let hint = format!("{said}; {hint}");
            error.hint(hint)
        }
        None => error.hint(said),
    }
}

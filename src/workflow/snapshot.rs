//! `devdb snapshot`: saved states of the dev database, with its data.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde::Serialize;
use tokio::process;

use crate::config::Target;
use crate::databases;
use crate::databases::snapshot::{self, AUTOMATIC, Kind, Mark};
use crate::error::{Error, Named, Result};
use crate::postgres::{self, Connection, database};
use crate::server::{Command, Server};

use super::reset::tell_clients;
use super::{Context, bake, provision};

pub use crate::databases::snapshot::Snapshot;

/// A dev database that is as it was.
#[derive(Debug, Serialize)]
pub struct Restored {
    pub url: String,
    pub database: String,
    pub snapshot: String,
    /// Migrations that it does not have, as `id name`.
    pub pending: Vec<String>,
    /// Seconds.
    pub took: f64,
}

/// Saves the dev database under a name.
///
/// # Errors
/// `Refused` where there is such a snapshot; `Server` where the disk has too little room.
pub async fn save_snapshot(context: &Context, name: &str, note: Option<&str>) -> Result<Snapshot> {
    ensure_name(name)?;
    let _lock = context.lock("snapshot save").await?;
    let (server, mut on) = session(context, "save a snapshot").await?;
    ensure_new(context, &server, &mut on, name).await?;
    let mut mark = Mark::new(name, Kind::Saved, &context.config().database.name);
    mark.note = note.map(str::to_owned);
    save(context, &mut on, mark).await?;
    note_saved(context, &server, &mut on).await?;
    let saved = find(context, &server, &mut on, name).await?;
    on.close().await;
    Ok(saved)
}

/// Saves the dev database as it is before something that loses data.
pub(super) async fn save_automatically(context: &Context, why: &str) -> Result<Snapshot> {
    let (server, mut on) = session(context, "save a snapshot").await?;
    let name = snapshot::next_automatic(&mut on, &context.names()).await?;
    let mut mark = Mark::new(&name, Kind::Automatic, &context.config().database.name);
    mark.note = Some(why.to_owned());
    save(context, &mut on, mark).await?;
    let saved = find(context, &server, &mut on, &name).await;
    on.close().await;
    saved
}

/// Drops one that turned out not to be needed.
pub(super) async fn forget(context: &Context, saved: &Snapshot) -> Result<()> {
    let (_, mut on) = session(context, "drop a snapshot").await?;
    snapshot::remove(&mut on, saved).await?;
    on.close().await;
    Ok(())
}

async fn save(context: &Context, on: &mut Connection, mut mark: Mark) -> Result<()> {
    let dev = context.config().database.name.clone();
    if !database::exists(on, &dev).await? {
        return Err(
            Error::refused(format!("there is no database {dev} to save")).hint("run `devdb ready`"),
        );
    }
    mark.at = last_applied(context, &context.dev(on.target())).await;
    tell_clients(context, on).await;
    snapshot::save(on, &context.names(), &mark, &dev, &context.events).await
}

/// The last migration that is applied, as far as that can be told without starting a program.
pub(super) async fn last_applied(context: &Context, target: &Target) -> Option<String> {
    let mut connection = postgres::connect(target).await.ok()?;
    let standing = match &context.config().migrations {
        Some(_) => context.quick_standing(&mut connection).await.ok().flatten(),
        None => None,
    };
    connection.close().await;
    let last = standing?.applied.pop()?;
    Some(format!("{} {}", last.id, last.name).trim_end().to_owned())
}

/// All snapshots, the oldest first, with those that lie in data directories which were put aside.
pub async fn snapshots(context: &Context) -> Result<Vec<Snapshot>> {
    let server = context.server().await?;
    let maintenance = bake::up(context, &server).await?;
    let mut on = postgres::connect(&maintenance).await?;
    let found = all(context, &server, &mut on).await;
    on.close().await;
    found
}

async fn all(context: &Context, server: &Server, on: &mut Connection) -> Result<Vec<Snapshot>> {
    let mut found = elsewhere(server)?;
    found.extend(snapshot::all(on, &context.names()).await?);
    found.sort_by_key(|snapshot| snapshot.mark.made);
    Ok(found)
}

/// Those in data directories that were put aside.
pub(super) fn elsewhere(server: &Server) -> Result<Vec<Snapshot>> {
    let found = server.saved_elsewhere()?.into_iter();
    Ok(found
        .filter_map(|(place, word)| {
            Some(Snapshot {
                database: String::new(),
                mark: Mark::parse(&word)?,
                bytes: 0,
                elsewhere: Some(place),
            })
        })
        .collect())
}

/// Notes beside the data directory what is saved in it, so that no reset destroys it.
pub(super) async fn note_saved(
    context: &Context,
    server: &Server,
    on: &mut Connection,
) -> Result<()> {
    let marks = snapshot::worth_keeping(on, &context.names()).await?;
    server.note_saved(marks.iter().map(Mark::text).collect())
}

/// The dev database becomes a copy of the snapshot; what it is now goes aside, for `undo`.
///
/// # Errors
/// `Usage` where there is no such snapshot.
pub async fn restore_snapshot(context: &Context, name: &str) -> Result<Restored> {
    let started = Instant::now();
    let _lock = context.lock("snapshot restore").await?;
    let (server, mut on) = session(context, "restore a snapshot").await?;
    let mut found = find(context, &server, &mut on, name).await?;
    let names = context.names();
    let dev = &context.config().database.name;
    tell_clients(context, &mut on).await;
    if let Some(place) = &found.elsewhere {
        context.events.detail(format!(
            "{name} lies in a data directory that was put aside: {place}"
        ));
        let back = server.bring_back(place, &context.events).await?.target;
        on = postgres::connect(&back).await?;
        // `undo` is to bring back the data directory, and no older database in this one.
        snapshot::put_away(&mut on, &names, dev).await?;
        found = find(context, &server, &mut on, name).await?;
    }
    snapshot::copy_to_fresh(&mut on, &names, &found, &context.events).await?;
    databases::put_aside(&mut on, &names, dev).await?;
    let dev = context.dev(on.target());
    on.close().await;
    Ok(Restored {
        pending: pending(context, &dev).await?,
        url: dev.url("postgresql"),
        database: dev.database,
        snapshot: name.to_owned(),
        took: started.elapsed().as_secs_f64(),
    })
}

async fn pending(context: &Context, dev: &Target) -> Result<Vec<String>> {
    if context.config().migrations.is_none() {
        return Ok(Vec::new());
    }
    let mut connection = postgres::connect(dev).await?;
    let standing = match context.quick_standing(&mut connection).await? {
        Some(standing) => standing,
        None => {
            let mut tool = context.tool()?;
            tool.standing(&mut connection, &context.variables(dev), &context.events)
                .await?
        }
    };
    connection.close().await;
    let pending = standing.pending.iter();
    Ok(pending
        .map(|m| format!("{} {}", m.id, m.name).trim_end().to_owned())
        .collect())
}

/// Gives a snapshot another name. An automatic one becomes one that stays.
pub async fn rename_snapshot(context: &Context, name: &str, to: &str) -> Result<Snapshot> {
    ensure_name(to)?;
    let _lock = context.lock("snapshot rename").await?;
    let (server, mut on) = session(context, "rename a snapshot").await?;
    let found = here(find(context, &server, &mut on, name).await?)?;
    ensure_new(context, &server, &mut on, to).await?;
    snapshot::rename(&mut on, &context.names(), &found, to).await?;
    note_saved(context, &server, &mut on).await?;
    let renamed = find(context, &server, &mut on, to).await?;
    on.close().await;
    Ok(renamed)
}

/// Drops a snapshot.
pub async fn remove_snapshot(context: &Context, name: &str) -> Result<Snapshot> {
    let _lock = context.lock("snapshot remove").await?;
    let (server, mut on) = session(context, "remove a snapshot").await?;
    let found = find(context, &server, &mut on, name).await?;
    match &found.elsewhere {
        Some(place) => server.forget_saved(place, &found.mark.text())?,
        None => {
            snapshot::remove(&mut on, &found).await?;
            note_saved(context, &server, &mut on).await?;
        }
    }
    on.close().await;
    Ok(found)
}

/// Writes a snapshot into a file, in `pg_dump`'s custom format. Gives its size in bytes.
///
/// # Errors
/// `Refused` where the file is there already.
pub async fn export_snapshot(context: &Context, name: &str, file: &Path) -> Result<u64> {
    let _lock = context.lock("snapshot export").await?;
    let (server, mut on) = session(context, "export a snapshot").await?;
    let found = here(find(context, &server, &mut on, name).await?)?;
    if file.exists() {
        return Err(
            Error::refused(format!("{} is there already", file.display()))
                .hint("name another file"),
        );
    }
    let target = on.target().with_database(&found.database);
    on.execute(&database::allow_sql(&found.database, true))
        .await?;
    let task = context
        .events
        .begin(format!("writing {}", file.display()), None);
    let dumped = async {
        let command = server.program("pg_dump", &target, &["-Fc"])?;
        // A file that is cut short must not look like a whole one.
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let part = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .named(format_args!("cannot write {}", file.display()))?;
        let output = part.reopen().named("cannot write the snapshot")?;
        run(command, Stdio::null(), output.into()).await?;
        part.persist(file)
            .map_err(|e| e.error)
            .named(format_args!("cannot write {}", file.display()))?;
        let written = std::fs::metadata(file).named("cannot look at the snapshot's file")?;
        Ok(written.len())
    }
    .await;
    on.execute(&database::allow_sql(&found.database, false))
        .await?;
    on.close().await;
    task.end("");
    dumped
}

/// Reads a snapshot from a file in `pg_dump`'s custom format.
///
/// # Errors
/// `Refused` where there is a snapshot of that name; `Failed` with what `pg_restore` says.
pub async fn import_snapshot(context: &Context, name: &str, file: &Path) -> Result<Snapshot> {
    ensure_name(name)?;
    let _lock = context.lock("snapshot import").await?;
    let input = std::fs::File::open(file).named(format_args!("cannot read {}", file.display()))?;
    let (server, mut on) = session(context, "import a snapshot").await?;
    ensure_new(context, &server, &mut on, name).await?;
    let names = context.names();
    databases::heal(&mut on, &names).await?;
    database::create(&mut on, &names.fresh()).await?;
    let fresh = on.target().with_database(names.fresh());
    let task = context
        .events
        .begin(format!("reading {}", file.display()), None);
    let restored = async {
        let command = server.program("pg_restore", &fresh, &["--exit-on-error"])?;
        run(command, input.into(), Stdio::null()).await
    };
    if let Err(error) = restored.await {
        databases::heal(&mut on, &names).await?;
        return Err(error.context(format_args!("cannot read {}", file.display())));
    }
    task.end("");
    let mut mark = Mark::new(name, Kind::Saved, &context.config().database.name);
    mark.at = last_applied(context, &fresh).await;
    mark.note = Some(format!("from {}", file.display()));
    snapshot::adopt_fresh(&mut on, &names, &mark).await?;
    note_saved(context, &server, &mut on).await?;
    let imported = find(context, &server, &mut on, name).await?;
    on.close().await;
    Ok(imported)
}

/// Runs a program to its end.
async fn run(command: Command, input: Stdio, output: Stdio) -> Result<()> {
    let what = format!("cannot run {}", command.program);
    let child = process::Command::new(&command.program)
        .args(&command.args)
        .envs(command.env)
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .named(&what)?;
    let done = child.wait_with_output().await.named(&what)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let name = command.args.iter().find(|a| a.starts_with("pg_"));
    let program = name.unwrap_or(&command.program);
    Err(Error::failed(format!("{program} failed")).detail(said))
}

/// The server, up, and a session on its maintenance database.
async fn session(context: &Context, what: &str) -> Result<(Server, Connection)> {
    provision::allow_databases(context.config(), what)?;
    let server = context.server().await?;
    let maintenance = bake::up(context, &server).await?;
    let on = postgres::connect(&maintenance).await?;
    Ok((server, on))
}

/// The one of this name; a parked database is none.
pub(super) async fn find(
    context: &Context,
    server: &Server,
    on: &mut Connection,
    name: &str,
) -> Result<Snapshot> {
    let mut all = all(context, server, on).await?;
    all.retain(|s| s.mark.kind != Kind::Parked);
    if let Some(at) = all.iter().position(|s| s.mark.name == name) {
        return Ok(all.swap_remove(at));
    }
    let there: Vec<&str> = all.iter().map(|s| s.mark.name.as_str()).collect();
    Err(
        Error::usage(format!("there is no snapshot {name}")).hint(match there.is_empty() {
            true => "`devdb snapshot save NAME` makes one".to_owned(),
            false => format!("there are {}", there.join(", ")),
        }),
    )
}

/// For what can only be done with one in the present data directory.
pub(super) fn here(snapshot: Snapshot) -> Result<Snapshot> {
    match &snapshot.elsewhere {
        None => Ok(snapshot),
        Some(place) => Err(Error::refused(format!(
            "{} lies in a data directory that a reset put aside ({place})",
            snapshot.mark.name
        ))
        .hint(format!(
            "`devdb snapshot restore {}` brings that back; `devdb undo` then the present one",
            snapshot.mark.name
        ))),
    }
}

async fn ensure_new(
    context: &Context,
    server: &Server,
    on: &mut Connection,
    name: &str,
) -> Result<()> {
    let there = all(context, server, on).await?;
    let same = |s: &&Snapshot| s.mark.name == name && s.mark.kind != Kind::Parked;
    match there.iter().find(same) {
        Some(_) => Err(
            Error::refused(format!("there is a snapshot {name} already")).hint(format!(
                "name another one, or `devdb snapshot remove {name}` before"
            )),
        ),
        None => Ok(()),
    }
}

fn ensure_name(name: &str) -> Result<()> {
    let why = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else if name.starts_with(AUTOMATIC) {
        "automatic snapshots are called so"
    } else {
        return Ok(());
    };
    Err(
        Error::usage(format!("a snapshot cannot be called {name:?}: {why}"))
            .hint("take a short name, such as before-import"),
    )
}

//! `devdb switch`: each git branch has a dev database of its own, and they change places by rename.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::config::Target;
use crate::databases::snapshot::{self, Kind, Mark};
use crate::databases::{self, begin_fresh};
use crate::error::{Error, Named, Result};
use crate::fault;
use crate::postgres::{self, Connection, database};
use crate::server::Server;

use super::baseline::{self, Keys};
use super::bench::session;
use super::ready::tool_if_any;
use super::reset::tell_clients;
use super::snapshot::{elsewhere, note_saved};
use super::{Context, bake, git, provision};

/// The dev database of the branch that was entered.
#[derive(Debug, Serialize)]
pub struct Switched {
    pub url: String,
    pub database: String,
    /// The branch whose database was parked; `None` where nothing had to be done.
    pub left: Option<String>,
    pub entered: String,
    pub how: How,
    /// Seconds.
    pub took: f64,
}

/// Where the database of the entered branch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It was there already.
    Stayed,
    /// It had been parked.
    BroughtBack,
    /// A copy of the one that was left, with its data.
    Copied,
    /// A clone of the newest baseline.
    Clean,
}

/// How `devdb switch` goes about it.
#[derive(Debug, Default)]
pub struct SwitchOptions {
    /// The branch that is entered; the one that is checked out unless given.
    pub branch: Option<String>,
    /// A branch that has no database yet gets a clean one.
    pub clean: bool,
    /// It gets a copy of the one that is left, however large that is.
    pub copy: bool,
    /// For the git hook: does nothing where the server does not run.
    pub only_where_it_runs: bool,
}

/// Above so many bytes a branch that has no database yet gets a clean one, not a copy.
const LARGE: u64 = 1 << 30;

/// `<state_dir>/branch.json`: whose the dev database is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Present {
    branch: Option<String>,
    /// A switch to this branch was begun. It happened where the other one's database is parked.
    entering: Option<String>,
}

impl Present {
    fn file(context: &Context) -> PathBuf {
        context.config().project.state_dir.join("branch.json")
    }

    fn load(context: &Context) -> Self {
        let text = std::fs::read_to_string(Self::file(context)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn save(&self, context: &Context) -> Result<()> {
        fault::step();
        let file = Self::file(context);
        let what = format!("cannot write {}", file.display());
        let text = serde_json::to_string(self).expect("plain data");
        let part = file.with_extension("part");
        std::fs::create_dir_all(&context.config().project.state_dir).named(&what)?;
        std::fs::write(&part, text).named(&what)?;
        std::fs::rename(&part, &file).named(&what)
    }
}

/// Parks the dev database of the branch that is left and brings back the one of the branch that is
/// entered.
///
/// # Errors
/// `Usage` outside of a git repository.
pub async fn switch(context: &Context, options: &SwitchOptions) -> Result<Switched> {
    let started = Instant::now();
    let _lock = context.lock("switch").await?;
    let root = &context.config().project.root;
    let entered = match &options.branch {
        Some(branch) => branch.clone(),
        None => git::branch(root).ok_or_else(|| {
            Error::usage(format!("{} lies in no git repository", root.display()))
                .hint("name the branch: devdb switch NAME")
        })?,
    };
    provision::allow_databases(context.config(), "switch databases")?;
    let maintenance = match options.only_where_it_runs {
        true => match session(context).await {
            Some(on) => on.target().clone(),
            None => return Ok(stayed(context, entered, started)),
        },
        false => bake::up(context, &context.server().await?).await?,
    };
    let mut on = postgres::connect(&maintenance).await?;
    let mut present = healed(context, &mut on).await?;
    if present.branch.is_none() {
        // Called right after a checkout, or with the name of another branch than git's.
        present.branch = match options.only_where_it_runs {
            true => git::previous_branch(root),
            false => git::branch(root),
        };
    }
    let dev = context.config().database.name.clone();
    let done = |how, left| Switched {
        url: context.dev(&maintenance).url("postgresql"),
        database: dev.clone(),
        left,
        entered: entered.clone(),
        how,
        took: started.elapsed().as_secs_f64(),
    };
    let Some(left) = present.branch.clone().filter(|left| *left != entered) else {
        // The first time nothing tells whose the database is: it is this branch's from now on.
        present.branch = Some(entered.clone());
        present.save(context)?;
        return Ok(done(How::Stayed, None));
    };
    let names = context.names();
    let server = context.server().await?;
    let mut mark = Mark::new(&left, Kind::Parked, &dev);
    mark.note = Some(format!("the dev database of {left}"));
    let parked = snapshot::find(&mut on, &names, &entered, true).await?;
    let elsewhere = match parked {
        Some(_) => None,
        None => parked_elsewhere(&server, &entered)?,
    };
    let how = match parked.is_some() || elsewhere.is_some() {
        true => How::BroughtBack,
        false => make_fresh(context, &mut on, options).await?,
    };
    present.entering = Some(entered.clone());
    present.save(context)?;
    tell_clients(context, &mut on).await;
    if let Some(place) = elsewhere {
        // It lies in a data directory that a reset put aside.
        snapshot::park(&mut on, &names, &dev, &mark).await?;
        note_saved(context, &server, &mut on).await?;
        let back = server.bring_back(&place, &context.events).await?;
        on = postgres::connect(&back.target).await?;
        enter(context, &mut on, &entered).await?;
    } else {
        snapshot::switch(&mut on, &names, &dev, &mark, parked.as_ref()).await?;
    }
    note_saved(context, &server, &mut on).await?;
    Present {
        branch: Some(entered.clone()),
        entering: None,
    }
    .save(context)?;
    on.close().await;
    Ok(done(how, Some(left)))
}

fn stayed(context: &Context, entered: String, started: Instant) -> Switched {
    Switched {
        url: String::new(),
        database: context.config().database.name.clone(),
        left: None,
        entered,
        how: How::Stayed,
        took: started.elapsed().as_secs_f64(),
    }
}

/// The data directory in which the branch's database is parked; where there are several, the one in
/// which that was done last.
fn parked_elsewhere(server: &Server, branch: &str) -> Result<Option<String>> {
    let all = elsewhere(server)?.into_iter();
    let all = all.filter(|s| s.mark.kind == Kind::Parked && s.mark.name == branch);
    let last = all.max_by_key(|s| s.mark.made);
    Ok(last.and_then(|found| found.elsewhere))
}

/// In the data directory that was brought back, the parked database becomes the dev database; the
/// one that was that there before is kept as a snapshot.
async fn enter(context: &Context, on: &mut Connection, branch: &str) -> Result<()> {
    let names = context.names();
    let dev = &context.config().database.name;
    if let Some(parked) = snapshot::find(on, &names, branch, true).await? {
        if database::exists(on, dev).await? {
            snapshot::put_away(on, &names, dev).await?;
        }
        let nobody = Mark::new(branch, Kind::Parked, dev);
        snapshot::switch(on, &names, dev, &nobody, Some(&parked)).await?;
    }
    Ok(())
}

/// Whether a switch was begun and has not come to its end: the dev database may be another branch's.
pub(super) fn is_begun(context: &Context) -> bool {
    Present::load(context).entering.is_some()
}

/// Brings a switch that was cut off to one of its two ends, where one was begun: before anybody
/// makes a dev database in the place of the one that is parked. For who holds the project's lock.
pub(super) async fn heal(context: &Context, maintenance: &Target) -> Result<()> {
    if !is_begun(context) {
        return Ok(());
    }
    let mut on = postgres::connect(maintenance).await?;
    healed(context, &mut on).await?;
    on.close().await;
    Ok(())
}

/// Brings a switch that was cut off to one of its two ends.
async fn healed(context: &Context, on: &mut Connection) -> Result<Present> {
    let mut present = Present::load(context);
    let (Some(left), Some(entering)) = (present.branch.clone(), present.entering.clone()) else {
        return Ok(present);
    };
    let names = context.names();
    let dev = &context.config().database.name;
    let has_left = snapshot::find(on, &names, &left, true).await?;
    let has_entering = snapshot::find(on, &names, &entering, true).await?;
    let server = context.server().await?;
    if has_entering.is_some() && parked_elsewhere(&server, &left)?.is_some() {
        // The other data directory is there already.
        enter(context, on, &entering).await?;
        note_saved(context, &server, on).await?;
        present.branch = Some(entering);
    } else if database::exists(on, dev).await? {
        // In the other data directory there is nothing more to bring back.
        let is_through = has_left.is_some()
            || parked_elsewhere(&server, &left)?.is_some()
                && parked_elsewhere(&server, &entering)?.is_none();
        if has_entering.is_none() && is_through {
            present.branch = Some(entering);
        }
    } else if let Some(parked) = has_left {
        // Parked, and the data directory of the other one not yet brought back.
        let nobody = Mark::new(&left, Kind::Parked, dev);
        snapshot::switch(on, &names, dev, &nobody, Some(&parked)).await?;
    }
    present.entering = None;
    present.save(context)?;
    Ok(present)
}

/// The database of a branch that has none yet.
async fn make_fresh(
    context: &Context,
    on: &mut Connection,
    options: &SwitchOptions,
) -> Result<How> {
    let names = context.names();
    let dev = &context.config().database.name;
    let is_there = database::exists(on, dev).await?;
    let small = is_there && database::size(on, dev).await? < LARGE;
    if is_there && (options.copy || small && !options.clean) {
        databases::heal(on, &names).await?;
        tell_clients(context, on).await;
        databases::copy(on, &names, &names.fresh(), dev, dev, &context.events).await?;
        return Ok(How::Copied);
    }
    let mut keys = None;
    if let Some(mut tool) = tool_if_any(context)? {
        keys = Keys::of(context, &mut tool, on).await?;
    }
    let server = baseline::server_wide(context, on).await?;
    let start = baseline::start(context, on, keys.as_ref(), &server, false).await?;
    begin_fresh(on, &names, &start.name).await?;
    Ok(How::Clean)
}

/// Writes the post-checkout hook that switches. Gives the file.
///
/// # Errors
/// `Refused` where there is another hook already; its hint is the line to add.
pub fn install_hook(context: &Context) -> Result<PathBuf> {
    const LINE: &str = "[ \"$3\" = 0 ] || devdb switch --hook || true";
    let root = &context.config().project.root;
    let folder = git::hooks(root).ok_or_else(|| {
        Error::usage(format!("{} lies in no git repository", root.display()))
            .hint("run `git init` before")
    })?;
    let file = folder.join("post-checkout");
    let what = format!("cannot write {}", file.display());
    match std::fs::read_to_string(&file) {
        Ok(text) if text.contains("devdb switch") => return Ok(file),
        Ok(_) => {
            return Err(
                Error::refused(format!("{} is there already", file.display()))
                    .hint(format!("add this line to it: {LINE}")),
            );
        }
        Err(_) => {}
    }
    let text = format!(
        "#!/bin/sh\n# Each branch has a dev database of its own: written by `devdb init --git-hook`.\n{LINE}\n"
    );
    std::fs::create_dir_all(&folder).named(&what)?;
    std::fs::write(&file, text).named(&what)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).named(&what)?;
    let mut present = Present::load(context);
    if present.branch.is_none() {
        present.branch = git::branch(root);
        present.save(context)?;
    }
    Ok(file)
}

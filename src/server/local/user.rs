//! Postgres refuses to run as root: then it runs as `postgres`, or as `nobody`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, chown};
use tokio::process::Command;

use crate::error::{Error, Named as _, Result};

/// The user to become; nothing where devdb runs as an ordinary one.
#[derive(Debug, Clone)]
pub(super) struct RunAs(Option<(String, Uid, Gid)>);

impl RunAs {
    /// # Errors
    /// `Server` where root finds neither user.
    pub fn find() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(RunAs(None));
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| RunAs(Some((user.name, user.uid, user.gid))))
            .ok_or_else(|| {
                Error::server(
                    "Postgres does not run as root, and there is no user `postgres` or `nobody`",
                )
                .hint("run devdb as an ordinary user, or make the user `postgres`")
            })
    }

    /// A command that runs as that user, from `/`: it may not be allowed where devdb is.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if let Some((_, uid, gid)) = &self.0 {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Gives the user a file or folder.
    pub fn give(&self, path: &Path) -> Result<()> {
        if let Some((name, uid, gid)) = &self.0 {
            chown(path, Some(*uid), Some(*gid))
                .map_err(std::io::Error::from)
                .named(format_args!("cannot give {} to {name}", path.display()))?;
        }
        Ok(())
    }

    /// Makes sure that the user can reach `folder`: devdb's own folders, from `own` down, are
    /// opened for passage; the ones above must be open.
    ///
    /// # Errors
    /// `Server`, naming the folder that is closed.
    pub fn open_way(&self, own: &Path, folder: &Path) -> Result<()> {
        let Some((name, uid, _)) = &self.0 else {
            return Ok(());
        };
        let above: Vec<&Path> = folder.ancestors().skip(1).collect();
        for dir in above.into_iter().rev() {
            let what = format!("cannot look at {}", dir.display());
            let meta = std::fs::metadata(dir).named(&what)?;
            if meta.mode() & 0o001 != 0 || meta.uid() == uid.as_raw() {
                continue;
            }
            if !dir.starts_with(own) {
                return Err(Error::server(format!(
                    "the user {name}, as which Postgres has to run, may not enter {}",
                    dir.display()
                ))
                .hint("run devdb as an ordinary user, or set DEVDB_STATE_DIR to a folder below /var/lib"));
            }
            let mode = (meta.mode() & 0o7777) | 0o011;
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode))
                .named(format_args!("cannot open {}", dir.display()))?;
        }
        Ok(())
    }
}

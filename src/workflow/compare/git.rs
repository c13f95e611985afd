//! Files as of a commit, in a temporary folder. The work tree and the index are not touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Removed when dropped.
pub struct Checkout {
    folder: tempfile::TempDir,
    /// The top of the repository.
    top: PathBuf,
    revision: String,
}

/// Writes the files of `revision` into a temporary folder.
///
/// # Errors
/// `Usage` where `root` lies in no repository or git does not know the revision.
pub fn checkout(root: &Path, revision: &str) -> Result<Checkout> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Error::failed(format!("cannot run git: {e}")).hint("install git"))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(Error::usage(format!(
                "git:{revision}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))
            .hint("name a branch, a tag or a commit of the project's repository")),
        }
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let top = PathBuf::from(String::from_utf8_lossy(&top).trim());
    // Ends options: a revision must not be read as one.
    let commit = git(&[
        "rev-parse",
        "--verify",
        "--end-of-options",
        &format!("{revision}^{{commit}}"),
    ])?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let failed = |e: std::io::Error| Error::failed(format!("cannot unpack git:{revision}: {e}"));
    let folder = tempfile::Builder::new()
        .prefix("devdb-git-")
        .tempdir()
        .map_err(failed)?;
    let mut archive = Command::new("git")
        .arg("-C")
        .arg(&top)
        .args(["archive", &commit])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdout = archive
        .stdout
        .take()
        .map(Stdio::from)
        .unwrap_or_else(Stdio::null);
    let unpacked = Command::new("tar")
        .arg("x")
        .current_dir(folder.path())
        .stdin(stdout)
        .status()
        .map_err(failed)?;
    if !archive.wait().map_err(failed)?.success() || !unpacked.success() {
        return Err(Error::failed(format!("cannot unpack git:{revision}")));
    }
    Ok(Checkout {
        folder,
        top,
        revision: revision.to_owned(),
    })
}

impl Checkout {
    /// A path that is relative to the top of the repository.
    pub fn path(&self, path: &str) -> Result<PathBuf> {
        let found = self.folder.path().join(path);
        match found.exists() {
            true => Ok(found),
            false => Err(Error::usage(format!("git:{} has no {path}", self.revision))
                .hint("the path is relative to the top of the repository")),
        }
    }

    /// Where a file of the work tree was at that commit.
    pub fn moved(&self, path: &Path) -> Result<PathBuf> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let inner = path.strip_prefix(&self.top).map_err(|_| {
            Error::usage(format!(
                "{} does not lie in the repository {}",
                path.display(),
                self.top.display()
            ))
        })?;
        self.path(&inner.to_string_lossy())
    }
}

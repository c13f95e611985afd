//! What git knows of the project: its branches, and files as of a commit. The work tree and the
//! index are not touched.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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
        let output = run(root, arguments)
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
    /// The top of the repository.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// What stands for it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

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

fn run(root: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(arguments);
    git.stdin(Stdio::null()).output()
}

/// What git prints; `None` where it is not there, or `root` lies in no repository.
fn ask(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = run(root, arguments).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// The branch that is checked out; for a detached head the commit, as `@` and twelve digits.
pub fn branch(root: &Path) -> Option<String> {
    if let Some(branch) = ask(root, &["symbolic-ref", "--quiet", "--short", "HEAD"]) {
        return Some(branch);
    }
    let commit = ask(root, &["rev-parse", "--short=12", "HEAD"])?;
    Some(format!("@{commit}"))
}

/// The branch that was checked out before the present one.
pub fn previous_branch(root: &Path) -> Option<String> {
    ask(root, &["rev-parse", "--abbrev-ref", "@{-1}"]).filter(|name| !name.is_empty())
}

/// Where the work at hand began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The main branch, by the name that was found.
    pub branch: String,
    /// All digits.
    pub commit: String,
    /// The files of the commit, as git's tree id.
    pub tree: String,
    /// Where the branch stands now.
    pub tip: String,
}

/// `main (b29abce62)`
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.branch, &self.commit[..9])
    }
}

/// Names of main branches, in the order in which they are looked for.
const MAIN: [&str; 6] = [
    "origin/HEAD",
    "origin/main",
    "origin/master",
    "main",
    "master",
    "HEAD",
];

/// The newest commit that the main branch has, too; the present one where no main branch is found.
pub fn merge_base(root: &Path) -> Option<Base> {
    MAIN.iter().find_map(|name| base_from(root, name))
}

fn base_from(root: &Path, name: &str) -> Option<Base> {
    let commit = ask(root, &["merge-base", "HEAD", name])?;
    let tree = ask(root, &["rev-parse", &format!("{commit}^{{tree}}")])?;
    let branch = ask(root, &["rev-parse", "--abbrev-ref", name]);
    let branch = branch.filter(|branch| !branch.is_empty());
    Some(Base {
        branch: branch.unwrap_or_else(|| name.to_owned()),
        commit,
        tree,
        tip: ask(
            root,
            &[
                "rev-parse",
                "--verify",
                "--end-of-options",
                &format!("{name}^{{commit}}"),
            ],
        )?,
    })
}

/// The newest commit that this branch has, too.
///
/// # Errors
/// `Usage` where git does not know it, or has too little history to tell.
pub fn base(root: &Path, name: &str) -> Result<Base> {
    base_from(root, name).ok_or_else(|| {
        Error::usage(format!("git knows no common history of HEAD and {name}")).hint(
            "name a branch such as origin/main; in CI, fetch it and enough history (actions/checkout: fetch-depth: 0)",
        )
    })
}

/// The files below `folder` as of a commit: absolute paths with git's ids of their contents.
///
/// # Errors
/// `Failed` where git does not answer.
pub fn files_at(root: &Path, commit: &str, folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let top = ask(root, &["rev-parse", "--show-toplevel"])
        .ok_or_else(|| Error::failed("git does not tell where the repository is"))?;
    let top = PathBuf::from(top);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let folder = folder.to_string_lossy();
    let arguments = ["ls-tree", "-r", "-z", "--full-name", commit, "--", &folder];
    let output =
        run(root, &arguments).map_err(|e| Error::failed(format!("cannot run git: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let entries = text.split('\0').filter_map(|entry| entry.split_once('\t'));
    Ok(entries
        .filter_map(|(about, path)| Some((top.join(path), about.split(' ').nth(2)?.to_owned())))
        .collect())
}

/// git's id of the contents of a file as it is; `None` where it is not there.
pub fn blob_of(root: &Path, file: &Path) -> Option<String> {
    ask(root, &["hash-object", &file.to_string_lossy()])
}

/// Whether the work tree, untracked files too, is what was committed as `base`.
pub fn is_at(root: &Path, base: &Base) -> bool {
    let tree = ask(root, &["rev-parse", "HEAD^{tree}"]);
    tree.as_deref() == Some(&base.tree)
        && ask(root, &["status", "--porcelain"]).is_some_and(|changes| changes.is_empty())
}

/// Who committed a file first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub author: String,
    /// `yyyy-mm-dd`
    pub date: String,
    /// At most three branches that have the commit, the newest first.
    pub branches: Vec<String>,
}

/// `None` where nobody has committed it, or there is no repository.
pub fn added(root: &Path, file: &Path) -> Option<Added> {
    let file = file.to_string_lossy();
    let format = "--format=%an%x09%as%x09%H";
    let arguments = ["log", "--all", "--diff-filter=A", format, "--", &file];
    let text = ask(root, &arguments)?;
    let mut parts = text.lines().last()?.split('\t');
    let (author, date, commit) = (parts.next()?, parts.next()?, parts.next()?);
    let branches = ask(
        root,
        &[
            "for-each-ref",
            "--count=3",
            "--sort=-committerdate",
            "--contains",
            commit,
            "--format=%(refname:short)",
            "refs/heads",
            "refs/remotes",
        ],
    );
    Some(Added {
        author: author.to_owned(),
        date: date.to_owned(),
        branches: branches
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect(),
    })
}

/// The path from the top of the repository: empty, or `apps/core/`.
pub fn prefix(root: &Path) -> Option<String> {
    ask(root, &["rev-parse", "--show-prefix"])
}

/// Where git looks for hooks.
pub fn hooks(root: &Path) -> Option<PathBuf> {
    let path = ask(root, &["rev-parse", "--git-path", "hooks"])?;
    Some(root.join(path))
}

/// How many branches are looked at, the newest first.
const BRANCHES: &str = "--count=200";

/// The branches, newest first, in which a file below `folder` is called or defines the migration
/// `id`: a sqlx file that begins with it, an Alembic revision of that name. At most three.
pub fn branches_with(root: &Path, folder: &Path, id: &str) -> Vec<String> {
    let listed = ask(
        root,
        &[
            "for-each-ref",
            BRANCHES,
            "--sort=-committerdate",
            "--format=%(refname:short)",
            "refs/heads",
            "refs/remotes",
        ],
    );
    let folder = folder.to_string_lossy();
    let revision = format!("^revision(: *str)? *= *[\"']{id}[\"']");
    let has = |branch: &&str| {
        let arguments = ["ls-tree", "-r", "--name-only", branch, "--", &folder];
        let files = ask(root, &arguments).unwrap_or_default();
        let named = files.lines().any(|file| {
            let name = file.rsplit('/').next().unwrap_or_default();
            let digits = name.split(|c: char| !c.is_ascii_digit()).next();
            digits.is_some_and(|digits| !digits.is_empty() && digits.trim_start_matches('0') == id)
        });
        named || ask(root, &["grep", "-qE", &revision, branch, "--", &folder]).is_some()
    };
    let listed = listed.unwrap_or_default();
    let found = listed.lines().filter(has).take(3);
    found.map(str::to_owned).collect()
}

//! A Python with Alembic, and copies of the small projects in `tests/projects/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the fixture projects import.
const PACKAGES: [&str; 8] = [
    "alembic",
    "sqlalchemy",
    "greenlet",
    "psycopg[binary]",
    "pg8000",
    "pgvector",
    "pytest",
    "pytest-xdist",
];

/// The interpreter in `DEVDB_TEST_PYTHON` (a program or a virtual environment), else one in
/// `target/`, made by the first test that asks.
pub fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON
        .get_or_init(|| match std::env::var_os("DEVDB_TEST_PYTHON") {
            Some(given) if Path::new(&given).is_dir() => Path::new(&given).join("bin/python"),
            Some(given) => given.into(),
            None => made(),
        })
        .clone()
}

fn made() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    // Each test is a process of its own under nextest: one makes it, the others wait.
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let done = folder.join("done");
    let wanted = PACKAGES.join(" ");
    if fs::read_to_string(&done).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(PACKAGES));
        fs::write(done, wanted).unwrap();
    }
    folder.join("bin/python")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A copy of `tests/projects/<name>` that a test may change.
pub fn project(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_project(name, to.path());
    to
}

/// Copies `tests/projects/<name>` into a folder that is there.
pub fn copy_project(name: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/projects")
        .join(name);
    copy(&from, to);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if entry.file_name() != "__pycache__" {
                fs::create_dir_all(&target).unwrap();
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

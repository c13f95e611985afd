//! Which Python has the project's Alembic.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// How to run Python where the project's Alembic is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Program and arguments; a script's path follows.
    pub command: Vec<String>,
    /// What `run` has after `alembic`: `-c FILE`, `-n NAME`, `-x ARG`.
    pub arguments: Vec<String>,
    /// Where this was found, for messages: "`run` in devdb.toml", "/app/.venv".
    pub origin: String,
}

/// Tools that manage environments, known by their lock files; all take `run python`.
const LOCKS: [(&str, &str); 4] = [
    ("uv.lock", "uv"),
    ("poetry.lock", "poetry"),
    ("pdm.lock", "pdm"),
    ("Pipfile.lock", "pipenv"),
];

/// Names that people give to the virtual environment in a project.
const VENVS: [&str; 3] = [".venv", "venv", "env"];

/// Finds the interpreter: the configured command, else a virtual environment with Alembic in or
/// above `dir` (up to the repository's top), else the tool whose lock file lies there, else the
/// active virtual environment, else `python3`.
///
/// # Errors
/// `Usage` where `run` is not a command that ends in Alembic, or its program is not there.
pub fn find(dir: &Path, run: &[String], virtual_env: Option<&Path>) -> Result<Interpreter> {
    if !run.is_empty() {
        return configured(dir, run);
    }
    for folder in dir.ancestors() {
        for name in VENVS {
            let venv = folder.join(name);
            if has_alembic(&venv) {
                return Ok(in_venv(&venv));
            }
        }
        for (lock, tool) in LOCKS {
            if folder.join(lock).is_file() {
                return Ok(Interpreter {
                    command: [tool, "run", "python"].map(String::from).to_vec(),
                    arguments: Vec::new(),
                    origin: format!("{} was found", folder.join(lock).display()),
                });
            }
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    match virtual_env {
        Some(venv) if has_alembic(venv) => Ok(in_venv(venv)),
        _ => Ok(Interpreter {
            command: vec!["python3".into()],
            arguments: Vec::new(),
            origin: "no virtual environment with Alembic was found".into(),
        }),
    }
}

fn in_venv(venv: &Path) -> Interpreter {
    Interpreter {
        command: vec![venv.join("bin/python").display().to_string()],
        arguments: Vec::new(),
        origin: venv.display().to_string(),
    }
}

/// Whether it is a virtual environment that Alembic was installed into.
fn has_alembic(venv: &Path) -> bool {
    let Ok(versions) = std::fs::read_dir(venv.join("lib")) else {
        return false;
    };
    venv.join("bin/python").exists()
        && versions
            .flatten()
            .any(|version| version.path().join("site-packages/alembic").is_dir())
}

/// Derives the Python from a command line that runs Alembic.
fn configured(dir: &Path, run: &[String]) -> Result<Interpreter> {
    let shown = run.join(" ");
    let wrong = |why: String| {
        Error::usage(format!("`run = {run:?}` under [migrations]: {why}")).hint(
            "write the command that runs Alembic, such as [\"uv\", \"run\", \"alembic\"] or [\".venv/bin/alembic\"]",
        )
    };
    let base = |text: &str| text.rsplit('/').next().unwrap_or_default().to_string();
    let Some(at) = run.iter().position(|part| base(part) == "alembic") else {
        return Err(wrong("it does not name alembic".into()));
    };
    let (before, alembic, after) = (&run[..at], &run[at], &run[at + 1..]);
    let command = match before {
        // python -m alembic
        [program @ .., flag] if flag == "-m" && !program.is_empty() => {
            let mut command = program.to_vec();
            command[0] = placed(dir, &command[0]);
            command
        }
        // uv run alembic
        [_, ..] if !alembic.contains('/') => {
            let mut command = before.to_vec();
            command[0] = placed(dir, &command[0]);
            command.push("python".into());
            command
        }
        // .venv/bin/alembic, or alembic from the PATH
        [] => {
            let program = if alembic.contains('/') {
                PathBuf::from(placed(dir, alembic))
            } else {
                in_path(alembic).ok_or_else(|| wrong("there is no `alembic` in PATH".into()))?
            };
            python_of(&program).map_err(wrong)?
        }
        _ => return Err(wrong("devdb cannot tell which Python it uses".into())),
    };
    Ok(Interpreter {
        command,
        arguments: after.to_vec(),
        origin: format!("`{shown}` is configured"),
    })
}

/// A relative path is meant from the folder of alembic.ini, or from one above, where devdb.toml is.
fn placed(dir: &Path, program: &str) -> String {
    if !program.contains('/') {
        return program.to_string();
    }
    dir.ancestors()
        .map(|folder| folder.join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| dir.join(program))
        .display()
        .to_string()
}

/// The path that a shell finds; the shell reads the environment, which devdb does not.
fn in_path(program: &str) -> Option<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", "command -v -- \"$1\"", "sh", program])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(path.trim()))
        .filter(|path| path.is_absolute())
}

/// The interpreter in the first lines of an installed script: `#!/app/.venv/bin/python`, or what
/// pip writes where that is too long or has spaces: `#!/bin/sh` and `'''exec' "/…/python" …`.
fn python_of(script: &Path) -> std::result::Result<Vec<String>, String> {
    let bytes =
        std::fs::read(script).map_err(|e| format!("cannot read {}: {e}", script.display()))?;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).into_owned();
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let words: Vec<String> = first
        .strip_prefix("#!")
        .unwrap_or_default()
        .split_whitespace()
        .map(String::from)
        .collect();
    let is_python = |text: &str| {
        text.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("python") || name.starts_with("pypy"))
    };
    if words.first().is_some_and(|program| is_python(program)) {
        return Ok(words);
    }
    if let [program, name] = words.as_slice()
        && program.ends_with("/env")
        && is_python(name)
    {
        return Ok(vec![name.clone()]);
    }
    let quoted = lines.next().and_then(|line| line.split('"').nth(1));
    if let Some(python) = quoted.filter(|text| is_python(text)) {
        return Ok(vec![python.to_string()]);
    }
    // A wrapper of some kind: the interpreter beside it is the best guess.
    let beside = script.with_file_name("python");
    if beside.exists() {
        return Ok(vec![beside.display().to_string()]);
    }
    Err(format!("{} is not a Python script", script.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| w.to_string()).collect()
    }

    fn venv(at: &Path) {
        std::fs::create_dir_all(at.join("lib/python3.12/site-packages/alembic")).unwrap();
        std::fs::create_dir_all(at.join("bin")).unwrap();
        std::fs::write(at.join("bin/python"), "").unwrap();
    }

    #[test]
    fn python_is_derived_from_the_command_that_runs_alembic() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("apps/core");
        venv(&root.path().join(".venv"));
        std::fs::create_dir_all(&dir).unwrap();
        let python = root.path().join(".venv/bin/python").display().to_string();
        let script = root.path().join(".venv/bin/alembic");
        for (head, expected) in [
            (format!("#!{python}\nimport alembic"), vec![python.as_str()]),
            (
                format!("#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''"),
                vec![python.as_str()],
            ),
            ("#!/usr/bin/env python3.12\n".into(), vec!["python3.12"]),
            ("#!/usr/bin/perl\n".into(), vec![python.as_str()]),
        ] {
            std::fs::write(&script, head).unwrap();
            let found = find(&dir, &strings(&[".venv/bin/alembic"]), None).unwrap();
            assert_eq!(found.command, expected);
        }
        for (run, command, arguments) in [
            (
                vec!["uv", "run", "--frozen", "alembic"],
                vec!["uv", "run", "--frozen", "python"],
                vec![],
            ),
            (
                vec!["poetry", "run", "alembic", "-n", "tenant"],
                vec!["poetry", "run", "python"],
                vec!["-n", "tenant"],
            ),
            (
                vec![".venv/bin/python", "-m", "alembic", "-c", "x.ini"],
                vec![python.as_str()],
                vec!["-c", "x.ini"],
            ),
        ] {
            let found = find(&dir, &strings(&run), None).unwrap();
            assert_eq!(found.command, strings(&command));
            assert_eq!(found.arguments, strings(&arguments));
        }
        let error = find(&dir, &strings(&["make", "migrate"]), None).unwrap_err();
        assert!(error.message().contains("does not name alembic"), "{error}");
    }

    #[test]
    fn an_environment_is_found_beside_and_above_and_only_with_alembic_in_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".git")).unwrap();
        let dir = root.path().join("apps/core");
        std::fs::create_dir_all(dir.join(".venv/bin")).unwrap();
        let active = root.path().join("active");
        venv(&active);
        let command = |virtual_env| find(&dir, &[], virtual_env).unwrap().command;
        assert_eq!(command(None), ["python3"]);
        let python = active.join("bin/python").display().to_string();
        assert_eq!(command(Some(&active)), [python]);
        std::fs::write(root.path().join("poetry.lock"), "").unwrap();
        assert_eq!(command(Some(&active)), ["poetry", "run", "python"]);
        std::fs::write(root.path().join("apps/uv.lock"), "").unwrap();
        assert_eq!(command(None), ["uv", "run", "python"]);
        venv(&root.path().join("apps/venv"));
        let python = root
            .path()
            .join("apps/venv/bin/python")
            .display()
            .to_string();
        assert_eq!(command(None), [python]);
    }
}

//! From what happened in Python to a cause and one thing to do. Alembic's own words, with the
//! traceback, have gone to the events by then (`--verbose`).

use std::path::Path;
use std::process::ExitStatus;

use serde::Deserialize;

use super::drivers;
use super::interpreter::Interpreter;
use super::runner::{Context, Hello};
use crate::error::{Error, PostgresError};
use crate::event::Events;
use crate::migrations::process::{Output, without_passwords};
use crate::postgres::Target;

/// An exception, as `runner.py` describes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// Module and class: `sqlalchemy.exc.ProgrammingError`.
    pub r#type: String,
    pub message: String,
    pub traceback: String,
    /// The innermost place in the project's own files.
    pub place: Option<Place>,
    /// The revision at work.
    pub step: Option<Step>,
    /// Where in that revision's file.
    pub line: Option<usize>,
    /// The contexts that env.py had made by then.
    pub contexts: Vec<Context>,
    /// What Alembic warned of before.
    pub warnings: Vec<String>,
    /// The interpreter.
    pub python: String,
    /// What could not be imported.
    pub module: Option<String>,
    /// The key of a `KeyError`.
    pub key: Option<String>,
    pub sql: Option<String>,
    pub postgres: Option<Said>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Place {
    pub file: String,
    pub line: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    pub id: String,
    pub name: Option<String>,
    pub file: String,
    pub upgrade: bool,
}

/// What the server said, through whichever driver.
#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    pub code: String,
    pub message: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
    // A number or digits, as the driver likes it.
    pub position: Option<serde_json::Value>,
}

impl Failure {
    /// The exception's class, without its module.
    pub fn class(&self) -> &str {
        self.r#type.rsplit('.').next().unwrap_or_default()
    }

    /// `KeyError: 'DATABASE_URL'`, on one line and without passwords.
    fn sentence(&self) -> String {
        let text = without_passwords(self.message.trim());
        // SQLAlchemy appends the statement and a link; the first line is the message.
        match text.lines().next() {
            None | Some("") => self.class().to_string(),
            Some(first) => format!("{}: {first}", self.class()),
        }
    }
}

/// The process ended without an answer.
pub async fn ended(what: &str, status: ExitStatus, output: Output) -> Error {
    let last = output.last_lines().await;
    let error = Error::migration(format!("{what} ended without an answer ({status})"));
    let error = match last.as_str() {
        "" => error,
        last => error.detail(last),
    };
    error.hint("run Alembic by hand in the same folder; `run` under [migrations] sets how")
}

/// Alembic could not be imported.
pub fn no_alembic(failure: Failure, interpreter: &Interpreter, events: &Events) -> Error {
    if failure.class() != "ModuleNotFoundError" {
        return general(&failure, &Hello::default(), None);
    }
    events.detail(format!("tried {}", failure.python));
    Error::migration(format!(
        "{} has no module {} ({})",
        failure.python,
        failure.module.as_deref().unwrap_or("alembic"),
        interpreter.origin
    ))
    .hint(
        "install the project's requirements there, or set `run` under [migrations] to the command that runs Alembic, such as [\"uv\", \"run\", \"alembic\"]",
    )
}

/// Names the cause of a failed request. `target` is the database that was to be reached.
pub fn explain(failure: &Failure, hello: &Hello, target: Option<&Target>) -> Error {
    if let Some(step) = &failure.step {
        return step_failed(failure, step);
    }
    if let Some(warning) = failure.warnings.iter().find(|w| is_missing_parent(w)) {
        return missing_parent(warning);
    }
    match failure.class() {
        "Elsewhere" => elsewhere(failure, target),
        "CommandError" => command_error(failure, target),
        _ => general(failure, hello, target),
    }
}

/// Alembic only warns of a parent without a file, and may or may not fail at it afterwards.
pub fn is_missing_parent(warning: &str) -> bool {
    warning.contains("referenced from") && warning.contains("not present")
}

pub fn missing_parent(warning: &str) -> Error {
    Error::migration(format!("the chain is broken: {warning}"))
        .hint("bring the file back (another branch?), or correct down_revision")
}

/// env.py went to another database.
fn elsewhere(failure: &Failure, target: Option<&Target>) -> Error {
    let wanted = match target {
        Some(target) => target.to_string(),
        None => "the database that devdb prepared".into(),
    };
    Error::migration(format!(
        "env.py connects to {}, not to {wanted}; nothing was run",
        without_passwords(&failure.message)
    ))
    .hint(
        "set the variable that env.py reads its URL from under [env] in devdb.toml: DATABASE_URL = \"postgresql\"",
    )
}

/// Alembic's own complaints.
fn command_error(failure: &Failure, target: Option<&Target>) -> Error {
    let text = failure.message.trim();
    let error = Error::migration(without_passwords(text));
    if text.contains("Multiple head revisions") {
        error.hint(
            "join them with `alembic merge heads`, or name one with --to (`--to heads` for all)",
        )
    } else if text.contains("Can't locate revision identified by") {
        error.hint(
            "no file has this revision: another branch? `devdb history` lists those that exist",
        )
    } else if text.contains("not up to date") {
        match target {
            Some(target) => Error::migration(format!("{target} is not at head")),
            None => error,
        }
        .hint("migrate it first, with `devdb ready`")
    } else if text.contains("ycle is detected") || text.contains("oop is detected") {
        Error::migration(format!("the chain is broken: {text}"))
            .hint("correct down_revision or depends_on in one of these files")
    } else if text.contains("script_location") || text.contains("config file") {
        error.hint("set `dir` under [migrations] to the folder of alembic.ini")
    } else if text.contains("Path doesn't exist") {
        error.hint("correct script_location in alembic.ini")
    } else if text.contains("not a valid downgrade target") || text.contains("Relative revision") {
        error.hint("`devdb history` shows which revisions are applied")
    } else {
        error.hint("--verbose shows all that Alembic said")
    }
}

/// A revision failed while it ran.
fn step_failed(failure: &Failure, step: &Step) -> Error {
    let name = step.name.as_deref().unwrap_or_default();
    let file = Path::new(&step.file)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let at = match failure.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_string(),
    };
    let way = if step.upgrade {
        "revision"
    } else {
        "the downgrade of"
    };
    let cause = match &failure.postgres {
        Some(said) => format!(
            "{} ({})",
            said.message.as_deref().unwrap_or("the server failed"),
            said.code
        ),
        None => failure.sentence(),
    };
    let mut detail = Vec::new();
    detail.push(match failure.line {
        Some(line) => format!("{}:{line}", step.file),
        None => step.file.clone(),
    });
    if let Some(line) = failure.line {
        detail.extend(source_line(&step.file, line));
    }
    if let Some(sql) = &failure.sql {
        detail.push("SQL:".into());
        detail.extend(sql.trim().lines().take(12).map(|line| format!("  {line}")));
    }
    let mut error = Error::migration(format!("{at}: {way} {} ({name}) failed: {cause}", step.id));
    let mut hint =
        "the chain stops here; what Alembic ran in the same transaction is gone".to_string();
    if let Some(said) = &failure.postgres {
        detail.extend(said.detail.clone());
        if let Some(said) = &said.hint {
            hint = said.clone();
        } else if said.code == "0A000" || said.code == "58P01" {
            hint =
                "the server lacks something: an image with the extension? (`image` under [server])"
                    .into();
        } else if said.code == "42704"
            && said.message.as_deref().unwrap_or("").contains("\"vector\"")
        {
            hint = "add `extensions = [\"vector\"]` under [database] in devdb.toml".into();
        }
        error = error.with_postgres(said.to_error());
    }
    error.detail(detail.join("\n")).hint(hint)
}

impl Said {
    fn to_error(&self) -> PostgresError {
        let position = match &self.position {
            Some(serde_json::Value::Number(number)) => number.as_u64().map(|n| n as usize),
            Some(serde_json::Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        PostgresError {
            code: self.code.clone(),
            message: self.message.clone().unwrap_or_default(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            position,
            context: None,
        }
    }
}

fn source_line(file: &str, line: usize) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let found = text.lines().nth(line.checked_sub(1)?)?;
    Some(format!("{line} | {}", found.trim_end()))
}

/// env.py, the application or a version file failed outside of a revision.
fn general(failure: &Failure, hello: &Hello, target: Option<&Target>) -> Error {
    if let Some(module) = &failure.module {
        return drivers::missing_module(failure, module, hello);
    }
    let place = failure.place.as_ref();
    let at = match place {
        Some(Place {
            file,
            line: Some(line),
        }) => {
            let name = Path::new(file).file_name().unwrap_or_default();
            format!("{}:{line}: ", name.to_string_lossy())
        }
        _ => String::new(),
    };
    let (message, hint) = match cause(failure, target) {
        Some((message, hint)) => (format!("{at}{message}"), hint),
        None => (
            format!("{at}{}", failure.sentence()),
            "--verbose shows the traceback".to_string(),
        ),
    };
    let mut detail = Vec::new();
    if let Some(place) = place {
        match place.line {
            Some(line) => {
                detail.push(format!("{}:{line}", place.file));
                detail.extend(source_line(&place.file, line));
            }
            None => detail.push(place.file.clone()),
        }
    }
    // Pydantic and SQLAlchemy say more below their first line.
    let text = without_passwords(failure.message.trim());
    detail.extend(text.lines().skip(1).take(8).map(|line| format!("  {line}")));
    let mut error = Error::migration(message).hint(hint);
    if let Some(said) = &failure.postgres {
        error = error.with_postgres(said.to_error());
    }
    if detail.is_empty() {
        error
    } else {
        error.detail(detail.join("\n"))
    }
}

/// Causes that an exception's class and words give away: what to say, and what to do.
fn cause(failure: &Failure, target: Option<&Target>) -> Option<(String, String)> {
    let text = failure.message.as_str();
    let sentence = failure.sentence();
    if let Some(said) = &failure.postgres {
        let message = said.message.as_deref().unwrap_or("the server failed");
        return Some((
            format!("{message} ({})", said.code),
            "--verbose shows the traceback".into(),
        ));
    }
    if failure.class() == "FileNotFoundError" && text.contains("script.py.mako") {
        return Some((
            "there is no script.py.mako beside env.py, from which Alembic writes revisions".into(),
            "copy the one that `alembic init` makes".into(),
        ));
    }
    if matches!(
        failure.class(),
        "OperationalError" | "InterfaceError" | "ConnectionRefusedError"
    ) {
        let wanted = target
            .map(|t| format!(", while devdb reaches {t}"))
            .unwrap_or_default();
        return Some((
            format!("the application cannot connect{wanted}: {sentence}"),
            "set the variables that it reads host, port and name from under [env] in devdb.toml"
                .into(),
        ));
    }
    if let Some(key) = &failure.key
        && is_variable(key)
    {
        return Some((
            format!("the variable {key} is not set"),
            format!("add {key} under [env] in devdb.toml: {key} = \"postgresql\" if it is the URL"),
        ));
    }
    if text.contains("async driver") {
        return Some((
            sentence,
            "give its URL an async driver under [env]: \"postgresql+asyncpg\"".into(),
        ));
    }
    if text.contains("greenlet_spawn") {
        return Some((
            sentence,
            "env.py is synchronous: give its URL such a driver under [env], \"postgresql+psycopg\" or \"postgresql+psycopg2\"".into(),
        ));
    }
    if failure.class() == "NoSuchModuleError" || text.contains("Could not parse SQLAlchemy URL") {
        return Some((
            sentence,
            "SQLAlchemy wants URLs as postgresql+driver://: set the scheme under [env], such as \"postgresql\"".into(),
        ));
    }
    if text.contains("Field required") || text.contains("field required") {
        return Some((
            sentence,
            "the application's settings miss a value: add its variable under [env] in devdb.toml"
                .into(),
        ));
    }
    None
}

fn is_variable(text: &str) -> bool {
    text.len() > 2
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

//! What went wrong, as data: a kind for decisions and exit codes, one sentence that names the
//! thing, an excerpt where one helps, and one thing to do.

use std::fmt;

/// The result of everything in devdb that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure this is. The exit code follows from it (see `docs/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something failed that has no kind of its own.
    Failed,
    /// The command line or a configuration file asks for something that makes no sense.
    Usage,
    /// A difference was found by a command that was asked to look for one.
    Differs,
    /// A generated migration could not be proved.
    Unproved,
    /// devdb will not touch what is not its own, or what was not confirmed.
    Refused,
    /// No server: engine not running, image missing, port in use, start-up failed.
    Server,
    /// A migration failed, or the chain is broken.
    Migration,
    /// Postgres answered with an error that no other kind covers.
    Postgres,
    /// The user interrupted.
    Interrupted,
}

impl ErrorKind {
    /// The process exit code for this kind of failure.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Failed | ErrorKind::Postgres => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Differs => 3,
            ErrorKind::Unproved => 4,
            ErrorKind::Refused => 5,
            ErrorKind::Server => 6,
            ErrorKind::Migration => 7,
            ErrorKind::Interrupted => 130,
        }
    }
}

/// One failure, ready to be shown: `message`, then `detail` indented, then `hint:`.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    postgres: Option<PostgresError>,
}

/// What the server said, for callers that decide by SQLSTATE or point at a place in the SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresError {
    /// SQLSTATE, five characters.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Where in the submitted SQL, counted in characters from 1.
    pub position: Option<usize>,
    /// The call stack that Postgres printed (`CONTEXT`).
    pub context: Option<String>,
}

impl Error {
    /// A failure of the given kind; `message` is one sentence that names the object, file or URL.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            detail: None,
            hint: None,
            postgres: None,
        }))
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    pub fn server(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Server, message)
    }

    pub fn migration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Migration, message)
    }

    /// One thing to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Lines that help to see the cause: an excerpt of a file, the last lines of a log.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same failure as another kind.
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same failure, with `prefix: ` before its sentence.
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.0.message = format!("{prefix}: {}", self.0.message);
        self
    }

    pub fn with_postgres(mut self, error: PostgresError) -> Self {
        self.0.postgres = Some(error);
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What Postgres said, where the failure came from there.
    pub fn postgres(&self) -> Option<&PostgresError> {
        self.0.postgres.as_ref()
    }

    /// The SQLSTATE, where the failure came from Postgres.
    pub fn sqlstate(&self) -> Option<&str> {
        self.postgres().map(|e| e.code.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// Adds a path or another name to an I/O error, which by itself names nothing.
pub trait Named<T> {
    /// `what` reads like "cannot write ./devdb.toml".
    fn named(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> Named<T> for std::io::Result<T> {
    fn named(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Error::failed(format!("{what}: {e}")))
    }
}

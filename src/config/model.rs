//! The resolved settings: plain data that every room reads. How they come about is in
//! `config::resolve`; nothing here knows of files or variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything devdb knows about the project it works for.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub project: Project,
    pub server: Server,
    pub database: Database,
    /// `None` where no migrations were configured or found.
    pub migrations: Option<Migrations>,
    /// Patterns of objects that are no drift: partitions made at run time, schemas of others.
    pub drift_ignore: Vec<String>,
    /// Roles that devdb makes on its own server, besides the one that it works as itself.
    pub roles: Vec<Role>,
    /// What child processes and `devdb env` get, in the order of the file.
    pub env: Vec<(String, EnvValue)>,
    /// The repository of baked images, without a tag.
    pub baked: String,
    /// Variables that lead the project to SQLite, as text with `{url}` and `{folder}` in it.
    pub sqlite: Vec<(String, String)>,
}

/// A role of the application. Its password is that of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    pub kind: RoleKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleKind {
    /// Owns the database, and runs the migrations.
    Ddl,
    /// Reads and writes what the migrations make.
    Dml,
}

/// Which project this is. Two checkouts of one repository are two projects.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The absolute folder of `devdb.toml`, or where it would be.
    pub root: PathBuf,
    /// From the configuration or the folder's name; lower case letters, digits and `-`.
    pub name: String,
    /// `name` and eight hex digits of the root's hash: names containers, volumes and folders.
    pub id: String,
    /// Where devdb keeps what it must remember about this project; outside of the repository.
    pub state_dir: PathBuf,
}

/// Where Postgres runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    pub kind: ServerKind,
    pub image: String,
    pub port: Port,
    pub data: Data,
    /// `postgresql.conf` settings, over devdb's development settings.
    pub settings: BTreeMap<String, String>,
    /// Files and folders that a container finds in `/docker-entrypoint-initdb.d` (from a compose
    /// file); absolute path here → path there.
    pub mounts: Vec<(PathBuf, String)>,
    /// Further environment of the container (from a compose file), such as `POSTGRES_INITDB_ARGS`.
    pub environment: BTreeMap<String, String>,
    /// Arguments to the server (a compose file's `command`), after the image's entry point.
    pub command: Vec<String>,
    /// `DOCKER_HOST`: the engine, where it is not this machine's usual one.
    pub engine: Option<String>,
    /// Where the ports of containers are reached; `None` where that is this machine.
    pub engine_host: Option<String>,
    /// The address of that machine that ports are published on; `None`: the one of `engine_host`.
    pub publish: Option<String>,
    /// `kind = "url"`: the server, with the user to administer it.
    pub url: Option<String>,
    /// `kind = "url"`: whether devdb may create, rename and drop databases there.
    pub allow_reset: bool,
    /// The folder of `initdb`, `postgres` and `pg_ctl` for `local`; searched for where `None`.
    pub bin: Option<PathBuf>,
    /// Where programs are looked for (`PATH`, in order): `psql`, `initdb`, `docker`.
    pub path: Vec<PathBuf>,
    /// The process that it ends with, where it is for one command; see `owner`.
    pub owner: Option<String>,
    /// How long a server may take to become ready, in seconds.
    pub wait: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Docker where an engine answers, else local binaries.
    Auto,
    Docker,
    Local,
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// A free one, chosen once and remembered.
    Auto,
    Fixed(u16),
}

/// Where the data directory is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Volume,
    /// An absolute folder.
    Folder(PathBuf),
    Tmpfs,
    /// What the image brings, in the container's own layer. No setting says so: servers that begin
    /// with a baked image are like that.
    Image,
}

/// The dev database and what stands in it before the first migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub name: String,
    pub user: String,
    pub password: String,
    pub extensions: Vec<String>,
    /// Absolute paths of SQL files, run in this order before the migrations.
    pub before: Vec<PathBuf>,
    /// Whether a clone of the newest baseline is kept ready, so that a reset is a rename.
    pub spare: bool,
}

/// The chain of migrations and the tool that runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Migrations {
    pub tool: Tool,
    /// Absolute. sqlx: the folder of the files; alembic: of `alembic.ini`; command: to run in.
    pub dir: PathBuf,
    /// alembic: the command line that runs Alembic (`["uv", "run", "alembic"]`); empty: found.
    pub run: Vec<String>,
    /// sqlx: the absolute path of the wanted schema, a file or a folder.
    pub schema: Option<PathBuf>,
    /// sqlx: the table of applied migrations; `_sqlx_migrations` unless configured.
    pub table: String,
    /// Variables that a replay depends on, with their values: they belong to a baseline's key.
    pub variables: Vec<(String, Option<String>)>,
    /// alembic: whether a generated revision gets what autogenerate does not see.
    pub complete: bool,
    /// sqlx: the role that the migrations run as; Alembic's comes with its URL.
    pub role: Option<String>,
    /// command: the shell command that brings a database to head.
    pub up: Option<String>,
    /// command: the shell command that writes a migration; `{message}` is replaced, quoted.
    pub generate: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Sqlx,
    Alembic,
    Command,
}

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Tool::Sqlx => "sqlx",
            Tool::Alembic => "alembic",
            Tool::Command => "command",
        }
    }
}

/// The variable that gets the URL where nobody says otherwise.
pub const DEFAULT_VARIABLE: &str = "DATABASE_URL";

/// How a variable is made from the database that a command is to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A URL with this scheme: `postgresql+pg8000`.
    Url(String),
    /// The same for one of the roles: scheme, role.
    UrlAs(String, String),
    /// Text with `{host}`, `{port}`, `{user}`, `{password}`, `{database}`, `{url}` in it.
    Text(String),
}

//! What `pg_dump --schema-only` says about a database: the verdict that is not devdb's own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use devdb::postgres::Target;

use super::server;

/// A shell beside the server's own pg_dump, kept open because starting one costs more than a dump.
pub struct Dumper {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    program: String,
    /// Where the server is, seen from the shell.
    server: Target,
}

impl Dumper {
    /// In the container of the shared server; where `DEVDB_TEST_URL` names another server, on this
    /// machine, where a `pg_dump` of the server's version must be on the path.
    pub fn new() -> Self {
        let url = server::url();
        if !in_container(&url) {
            return Self::local(Path::new("pg_dump"), &Target::parse(&url).unwrap());
        }
        let mut command = Command::new("docker");
        command.args(["exec", "--interactive", "devdb-test-server", "sh"]);
        let inside = "postgresql://postgres:postgres@127.0.0.1:5432/postgres";
        Self::open(command, "pg_dump".into(), Target::parse(inside).unwrap())
    }

    /// On this machine, with this program.
    pub fn local(program: &Path, server: &Target) -> Self {
        let program = program.to_str().unwrap().to_owned();
        Self::open(Command::new("sh"), program, server.clone())
    }

    fn open(mut command: Command, program: String, server: Target) -> Self {
        let mut shell = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell beside the server");
        Dumper {
            input: shell.stdin.take().unwrap(),
            output: BufReader::new(shell.stdout.take().unwrap()),
            shell,
            program,
            server,
        }
    }

    /// The dump of one database, without what says nothing and in an order of its own.
    pub fn dump(&mut self, database: &str) -> String {
        let url = self.server.with_database(database).url("postgresql");
        let end = "\u{1}end of dump";
        let program = &self.program;
        let command = format!("{program} --schema-only '{url}' 2>&1; printf '%s\\n' '{end}'\n");
        self.input.write_all(command.as_bytes()).unwrap();
        self.input.flush().unwrap();
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the shell beside the server is gone:\n{text}");
            if line.trim_end() == end {
                break;
            }
            text.push_str(&line);
        }
        assert!(text.contains("PostgreSQL database dump complete"), "{text}");
        normalise(&text)
    }
}

impl Drop for Dumper {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Entries sorted, columns of a table, attributes of a type and grants in the order of their text.
fn normalise(dump: &str) -> String {
    let mut entries: Vec<String> = Vec::new();
    let mut entry: Vec<&str> = Vec::new();
    let mut finish = |lines: &mut Vec<&str>| {
        if lines.first().is_some_and(|l| {
            l.starts_with("CREATE TABLE")
                || l.starts_with("CREATE UNLOGGED TABLE")
                || l.starts_with("CREATE FOREIGN TABLE")
                || l.starts_with("CREATE TYPE") && l.ends_with(" AS (")
        }) {
            let mut sorted: Vec<String> = lines
                .iter()
                .map(|l| l.trim_end_matches(',').to_string())
                .collect();
            sorted.sort();
            entries.push(sorted.join("\n"));
        } else if lines.first().is_some_and(|l| is_grant(l)) && lines.iter().all(|l| is_grant(l)) {
            // In the order in which they were given; what is taken away first comes first.
            lines.sort_by_key(|l| (l.starts_with("GRANT"), *l));
            entries.push(lines.join("\n"));
        } else if !lines.is_empty() {
            entries.push(lines.join("\n"));
        }
        lines.clear();
    };
    for line in dump.lines() {
        let says_nothing = line.is_empty() || line.starts_with("--") || line.starts_with('\\');
        if line.starts_with("-- Name:") {
            finish(&mut entry);
        }
        if !says_nothing {
            entry.push(line);
        }
    }
    finish(&mut entry);
    entries.sort();
    entries.join("\n")
}

fn is_grant(line: &str) -> bool {
    line.starts_with("GRANT ") || line.starts_with("REVOKE ")
}

/// Whether the URL is that of `scripts/test-server.sh`'s container.
fn in_container(url: &str) -> bool {
    let port = Target::parse(url).unwrap().port;
    let published = Command::new("docker")
        .args(["port", "devdb-test-server", "5432/tcp"])
        .output();
    published.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .ends_with(&format!(":{port}"))
    })
}

/// The lines that one dump has and the other has not.
pub fn difference(is: &str, wanted: &str) -> String {
    let (is, wanted): (Vec<&str>, Vec<&str>) = (is.lines().collect(), wanted.lines().collect());
    let extra = is
        .iter()
        .filter(|l| !wanted.contains(l))
        .map(|l| format!("  is:     {l}"));
    let missing = wanted
        .iter()
        .filter(|l| !is.contains(l))
        .map(|l| format!("  wanted: {l}"));
    extra.chain(missing).collect::<Vec<_>>().join("\n")
}

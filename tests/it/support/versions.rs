//! Servers of the versions that the shared one is not, each for one test alone.

use std::path::PathBuf;
use std::process::Command;

use devdb::postgres::{self, Target};

use super::docker::TestProject;
use super::dump::Dumper;
use super::server;

/// A server, and the pg_dump that belongs to it. One of our own stops with the test.
pub struct TestServer {
    pub admin: Target,
    /// Its programs, where it is not the shared one.
    bin: Option<PathBuf>,
    _project: Option<TestProject>,
}

impl TestServer {
    /// The one that the whole run shares.
    pub fn shared() -> Self {
        TestServer {
            admin: Target::parse(&server::url()).unwrap(),
            bin: None,
            _project: None,
        }
    }

    /// A new one, from the binaries that `scripts/test-postgres.sh` finds or installs.
    pub async fn of_version(major: u32) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/test-postgres.sh");
        let output = Command::new(script).arg(major.to_string()).output();
        let output = output.expect("scripts/test-postgres.sh runs");
        assert!(output.status.success(), "{script} {major}: {output:?}");
        let bin = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());

        let mut project = TestProject::local(&format!("pg{major}"));
        project.config.server.bin = Some(bin.clone());
        project.config.database.password = "postgres".into();
        for (name, value) in [("fsync", "off"), ("full_page_writes", "off")] {
            project
                .config
                .server
                .settings
                .insert(name.into(), value.into());
        }
        let target = project.open().await.ensure_up(&project.events).await;
        let admin = target.unwrap().with_database("postgres");
        let mut session = postgres::connect(&admin).await.unwrap();
        // As on the shared server: the corpus speaks of it.
        session.execute("create role r_app nologin").await.unwrap();
        session.close().await;
        TestServer {
            admin,
            bin: Some(bin),
            _project: Some(project),
        }
    }

    pub fn dumper(&self) -> Dumper {
        match &self.bin {
            Some(bin) => Dumper::local(&bin.join("pg_dump"), &self.admin),
            None => Dumper::new(),
        }
    }
}

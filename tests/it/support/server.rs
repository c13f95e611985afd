//! The server that a test run shares, and a database for each test.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use devdb::postgres::{self, Connection, Target, database};

/// The image that the tests run, from `DEVDB_TEST_IMAGE`, else the one that `compose/` builds.
pub fn image() -> String {
    std::env::var("DEVDB_TEST_IMAGE").unwrap_or_else(|_| "devdb/pgvector:pg17".into())
}

/// From `DEVDB_TEST_URL`, else a server that `scripts/test-server.sh` starts.
pub fn url() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        if let Ok(url) = std::env::var("DEVDB_TEST_URL") {
            return url;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/test-server.sh");
        let output = Command::new(script)
            .output()
            .expect("scripts/test-server.sh runs");
        assert!(
            output.status.success(),
            "scripts/test-server.sh: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    })
    .clone()
}

/// Opens a session, however busy the server is with the other tests.
pub async fn connect(target: &Target) -> Connection {
    let limit = Duration::from_secs(120);
    postgres::connect_within(target, limit).await.unwrap()
}

/// An empty database that is dropped with the test.
pub struct TestDatabase {
    pub target: Target,
}

impl TestDatabase {
    pub async fn new(name: &str) -> Self {
        Self::from("template0", name).await
    }

    /// A clone of this one, which nobody may be connected to.
    pub async fn clone_as(&self, name: &str) -> Self {
        Self::from(&self.target.database, name).await
    }

    async fn from(template: &str, name: &str) -> Self {
        let admin = Target::parse(&url()).unwrap();
        let name = format!("test_{name}_{}", std::process::id());
        let mut connection = connect(&admin).await;
        database::drop(&mut connection, &name).await.unwrap();
        database::clone(&mut connection, &name, template)
            .await
            .unwrap();
        connection.close().await;
        TestDatabase {
            target: admin.with_database(name),
        }
    }

    pub async fn connect(&self) -> Connection {
        connect(&self.target).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let target = self.target.clone();
        // Not in the test's own runtime: it may be shutting down.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let admin = Target::parse(&url()).unwrap();
                let mut connection = connect(&admin).await;
                database::drop(&mut connection, &target.database).await
            })
        });
        let _ = dropped.join();
    }
}

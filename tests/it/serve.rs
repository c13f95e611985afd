//! `devdb serve`: what is lent, to whom, and that clients of IntegreSQL find what they know.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use devdb::postgres::{self, Target};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::kept::{local, query};
use crate::support::http::{self, Answer};
use crate::support::project::Project;

/// A project on a server of its own, which goes with it.
pub struct Served {
    pub project: Project,
    pub url: String,
    pub child: Child,
}

impl Served {
    pub fn new(name: &str, arguments: &[&str]) -> Self {
        Self::with(name, "", arguments)
    }

    /// With more in the project's `devdb.toml`.
    pub fn with(name: &str, toml: &str, arguments: &[&str]) -> Self {
        let project = local(name);
        let all = project.read("devdb.toml");
        let toml = format!("{all}[env]\nAPP_DB = \"postgresql+psycopg\"\n{toml}");
        project.file("devdb.toml", &toml);
        // Not by the pool, whose child the server would be.
        project.devdb(&["up"]).ok();
        let (child, url) = start(&project, arguments);
        Served {
            project,
            url,
            child,
        }
    }

    pub fn send(&self, method: &str, path: &str) -> Answer {
        http::send(method, &self.url, path, &[], "").unwrap()
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let kind = ("Content-Type", "application/json; charset=UTF-8");
        http::send("POST", &self.url, path, &[kind], &body.to_string()).unwrap()
    }

    pub fn lend(&self) -> (u64, Target) {
        let lent = self.send("POST", "/databases");
        assert_eq!(lent.status, 201, "{lent:?}");
        read(&lent.body)
    }

    pub fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// The pool's databases that are on the server.
    pub fn databases(&self) -> String {
        query(
            &self.project,
            "select coalesce(string_agg(datname, ','), '') from pg_database where datname like '%\\_scratch\\_%'",
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.project.devdb(&["down", "--wipe", "--yes"]);
    }
}

/// Starts `devdb serve` and waits until it listens; gives its URL.
pub fn start(project: &Project, arguments: &[&str]) -> (Child, String) {
    let fixed = ["serve", "--json", "--port", "0"];
    let mut command = project.command(&[&fixed[..], arguments].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(listening["pid"], child.id());
    (child, listening["url"].as_str().unwrap().to_owned())
}

/// The number and the place of a database that was lent.
pub fn read(body: &Value) -> (u64, Target) {
    let url = body["url"].as_str().unwrap();
    (body["id"].as_u64().unwrap(), Target::parse(url).unwrap())
}

/// The first value that a query gives.
pub async fn ask(target: &Target, sql: &str) -> String {
    let mut session = postgres::connect(target).await.unwrap();
    let value = session.fetch_value::<String>(sql, &[]).await.unwrap();
    session.close().await;
    value.unwrap()
}

pub async fn notes(target: &Target) -> String {
    ask(
        target,
        "with w as (insert into notes values ('x')) select count(*)::text from notes",
    )
    .await
}

/// Tries until `done` gives something, and not for ever.
pub fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(value) = done() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what} did not come about within a minute");
}

#[tokio::test]
async fn databases_are_lent_and_returned() {
    let served = Served::new("serve", &["--pool", "2"]);
    let first = served.send("POST", "/databases");
    let (id, target) = read(&first.body);
    let url = target.url("postgresql+psycopg");
    assert_eq!(first.body["env"], json!({ "APP_DB": url }));
    assert_eq!(notes(&target).await, "0");
    let (second, other) = served.lend();
    assert_ne!(target.database, other.database);
    assert_eq!(notes(&other).await, "0");
    let listed = served.send("GET", "/databases").body;
    let listed = listed.as_array().unwrap();
    let lent = listed.iter().filter(|one| one["state"] == "lent");
    assert_eq!(lent.count(), 2);

    // What was written to goes; what was not is lent again.
    let path = format!("/databases/{id}");
    assert_eq!(served.send("DELETE", &path).status, 204);
    let twice = served.send("DELETE", &path);
    assert_eq!(twice.status, 404);
    assert!(twice.body["hint"].as_str().unwrap().contains("returned"));
    let clean = served.send("DELETE", &format!("/databases/{second}?clean=true"));
    assert_eq!(clean.status, 204);
    let (again, target) = served.lend();
    assert_eq!((again, &target), (second, &other));
    assert_eq!(notes(&target).await, "1");
    let mut seen = std::collections::BTreeSet::from([id, second]);
    for _ in 0..5 {
        let (id, target) = served.lend();
        assert!(seen.insert(id));
        assert_eq!(notes(&target).await, "0");
    }
    for wrong in ["/databases/0", "/databases/x", "/databases/999"] {
        assert_eq!(served.send("DELETE", wrong).status, 404, "{wrong}");
    }
    let health = until("health", || {
        let health = served.send("GET", "/health");
        (health.body["ready"] == 2).then_some(health)
    });
    assert_eq!(
        (health.status, &health.body["status"]),
        (200, &json!("ok")),
        "{health:?}"
    );

    let mut served = served;
    served.signal(Signal::SIGTERM);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert_eq!(served.databases(), "");
}

#[tokio::test]
async fn the_openapi_document_tells_what_is_answered() {
    let served = Served::new("serve_openapi", &["--pool", "0"]);
    let document = served.send("GET", "/openapi.json").body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "77777").replace("{hash}", "none");
        for (method, operation) in methods.as_object().unwrap() {
            let answer = served.send(&method.to_uppercase(), &path);
            let known = operation["responses"].as_object().unwrap();
            assert!(
                known.contains_key(&answer.status.to_string()),
                "{method} {path}: {answer:?}"
            );
            assert_ne!(answer.body["message"], "there is no such path");
            count += 1;
        }
    }
    // As many as routes.rs has methods.
    let routes = include_str!("../../src/serve/routes.rs");
    let methods = ["get(", "post(", "put(", "delete("];
    let methods: usize = methods.iter().map(|m| routes.matches(m).count()).sum();
    assert_eq!(count, methods);
    assert_eq!(served.send("GET", "/none").status, 404);
    assert_eq!(served.send("PATCH", "/databases").status, 405);
}

#[tokio::test]
async fn strangers_stay_outside() {
    let served = Served::new("serve_door", &["--pool", "1", "--token", "s3cret"]);
    let ask = |headers: &[(&str, &str)], path| {
        let answer = http::send("GET", &served.url, path, headers, "");
        answer.unwrap().status
    };
    assert_eq!(ask(&[], "/databases"), 401);
    assert_eq!(ask(&[("Authorization", "Bearer other")], "/databases"), 401);
    assert_eq!(
        ask(&[("Authorization", "Bearer s3cret")], "/databases"),
        200
    );
    assert_eq!(ask(&[], "/health"), 200);

    let open = served
        .project
        .devdb(&["serve", "--port", "0", "--address", "0.0.0.0"]);
    assert_eq!(open.code, 2, "{}", open.show());
    assert!(open.stderr.contains("--token"), "{}", open.stderr);
    let port = served.url.rsplit(':').next().unwrap();
    let taken = served.project.devdb(&["serve", "--port", port]);
    assert_eq!(taken.code, 2, "{}", taken.show());
    assert!(taken.stderr.contains("another --port"), "{}", taken.stderr);

    let (mut child, url) = start(&served.project, &["--pool", "0", "--while-stdin"]);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(http::send("GET", &url, "/health", &[], "").is_err());
}

/// Without a token, pages of a browser stay outside.
#[tokio::test]
async fn pages_stay_outside() {
    let served = Served::new("serve_pages", &["--pool", "0"]);
    let ask = |header| {
        let answer = http::send("POST", &served.url, "/databases", &[header], "");
        answer.unwrap().status
    };
    assert_eq!(ask(("Origin", "https://evil.example")), 403);
    assert_eq!(ask(("Host", "evil.example")), 403);
    assert_eq!(ask(("Host", "localhost:1")), 201);
}

/// `ConnectionString()` of integresql-client-go, as a target.
fn config(database: &Value) -> Target {
    let config = &database["config"];
    let text = |key: &str| config[key].as_str().unwrap().to_owned();
    let admin = Target::parse("postgresql://u@h/d").unwrap();
    Target {
        host: text("host"),
        port: config["port"].as_u64().unwrap().try_into().unwrap(),
        user: text("username"),
        password: Some(text("password")),
        database: text("database"),
        ..admin
    }
}

/// What integresql-client-go's own tests do (client_test.go), call by call.
#[tokio::test]
async fn clients_of_integresql_work_as_they_are() {
    let served = Served::new("serve_integresql", &["--pool", "2", "--max", "6"]);
    let reset = || served.send("DELETE", "/api/v1/admin/templates").status;
    assert_eq!(reset(), 204);
    let no_hash = served.post("/api/v1/templates", &json!({}));
    assert_eq!(
        (no_hash.status, &no_hash.body["message"]),
        (400, &json!("hash is required"))
    );
    // As integresql-client-python sends it.
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let sent = http::send(
        "POST",
        &served.url,
        "/api/v1/templates",
        &[form],
        "hash=a%2Bb",
    );
    let sent = sent.unwrap();
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(sent.body["database"]["templateHash"], "a+b");
    let hash = "hashinghash1";
    let of = |path: &str| format!("/api/v1/templates/{hash}{path}");
    let initialize = || served.post("/api/v1/templates", &json!({ "hash": hash }));

    assert_eq!(served.send("GET", &of("/tests")).status, 404);
    assert_eq!(served.send("PUT", &of("")).status, 404);
    assert_eq!(served.send("DELETE", &of("")).status, 404);
    let template = initialize();
    assert_eq!(template.status, 200, "{template:?}");
    assert_eq!(template.body["database"]["templateHash"], hash);
    assert_eq!(initialize().status, 423);

    // Whoever asks meanwhile waits, and is told when it comes to nothing.
    let url = served.url.clone();
    let path = of("/tests");
    let early = std::thread::spawn(move || http::send("GET", &url, &path, &[], "").unwrap());
    until("somebody waits", || {
        (served.send("GET", "/health").body["waiting"] == 1).then_some(())
    });
    assert_eq!(served.send("DELETE", &of("")).status, 204);
    assert_eq!(early.join().unwrap().status, 410);
    assert_eq!(served.send("PUT", &of("")).status, 404);

    let template = config(&initialize().body["database"]);
    let mut session = postgres::connect(&template).await.unwrap();
    session
        .execute("create table pilots (name text); insert into pilots values ('Mario')")
        .await
        .unwrap();
    // As in SetupTemplateWithDBClient, the client is still connected.
    assert_eq!(served.send("PUT", &of("")).status, 204);
    assert_eq!(served.send("PUT", &of("")).status, 204);
    session.close().await;

    let get = || {
        let test = served.send("GET", &of("/tests"));
        assert_eq!(test.status, 200, "{test:?}");
        assert_eq!(test.body["database"]["templateHash"], hash);
        let id = test.body["id"].as_u64().unwrap();
        (id, config(&test.body["database"]))
    };
    let fly = "with w as (insert into pilots values ('x')) select count(*)::text from pilots";
    let (first, database) = get();
    assert_eq!(ask(&database, fly).await, "1");
    let (second, other) = get();
    assert_ne!((first, &database), (second, &other));
    let unlock = |id: u64| served.send("POST", &of(&format!("/tests/{id}/unlock")));
    assert_eq!(unlock(second).status, 204);
    assert_eq!(get().0, second);
    let deprecated = served.send("DELETE", &of(&format!("/tests/{second}")));
    assert_eq!(deprecated.status, 204);
    assert_eq!(unlock(second).status, 204, "twice is no error");
    assert_eq!(get().0, second);
    let recreate = served.send("POST", &of(&format!("/tests/{first}/recreate")));
    assert_eq!(recreate.status, 204);
    assert_eq!(unlock(99_999).status, 404);
    assert_eq!(
        served.send("POST", &of("/tests/x/unlock")).status,
        400,
        "as strconv.Atoi says"
    );

    // Nobody ever returns one: beyond --max, those that nobody is connected to are taken back.
    let (_, held) = get();
    let mut holder = postgres::connect(&held).await.unwrap();
    for _ in 0..12 {
        let (_, target) = get();
        assert_ne!(target, held);
        assert_eq!(ask(&target, fly).await, "1");
    }
    holder.execute("select 1").await.unwrap();
    holder.close().await;

    let is_template = |name: &str| name.rsplit('_').next().unwrap().starts_with('t');
    assert!(served.databases().split(',').any(is_template));
    // Templates of several runs side by side, and one's own databases.
    let (_, mine) = served.lend();
    assert_eq!(notes(&mine).await, "0");
    assert_eq!(reset(), 204);
    assert_eq!(served.send("GET", &of("/tests")).status, 404);
    assert_eq!(notes(&mine).await, "1");
    until("the templates are gone", || {
        let left = served.send("GET", "/databases").body;
        let left = left.as_array().unwrap().iter();
        (left.filter(|one| !one["template"].is_null()).count() == 0
            && !served.databases().split(',').any(is_template))
        .then_some(())
    });
}

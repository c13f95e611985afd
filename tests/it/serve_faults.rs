//! `devdb serve` when things go wrong: too many clients, clients that never return anything,
//! servers that restart or are full, and its own sudden death.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use devdb::postgres;
use nix::sys::signal::Signal;

use crate::kept::query;
use crate::serve::{Served, ask, notes, read, start, until};
use crate::support::http;

#[tokio::test]
async fn fifty_clients_on_an_empty_pool_are_served_or_told() {
    let arguments = ["--pool", "0", "--max", "30", "--wait", "20s"];
    let served = Served::new("serve_fifty", &arguments);
    let lent = Mutex::new(BTreeSet::new());
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..50 {
            let (served, lent, told) = (&served, &lent, &told);
            scope.spawn(move || {
                let answer = served.send("POST", "/databases");
                if answer.status == 503 {
                    let message = answer.body["message"].as_str().unwrap();
                    assert!(message.contains("within 20 s"), "{message}");
                    told.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                let (id, target) = read(&answer.body);
                // Nobody else has it at the same time, and nobody wrote to it before.
                assert!(lent.lock().unwrap().insert(id), "{id} is lent twice");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                assert_eq!(runtime.unwrap().block_on(notes(&target)), "0");
                // Half of them return theirs, for those who wait.
                if client % 2 == 0 {
                    served.send("DELETE", &format!("/databases/{id}"));
                }
            });
        }
    });
    let (lent, told) = (lent.into_inner().unwrap().len(), told.into_inner());
    assert_eq!(lent + told, 50);
    assert!(lent >= 30, "{lent}");
}

#[tokio::test]
async fn who_never_returns_a_database_holds_it_as_long_as_the_lease() {
    let arguments = ["--pool", "0", "--max", "1", "--wait", "1s", "--lease", "6s"];
    let served = Served::new("serve_lease", &arguments);
    // On a busy machine making one takes longer than it waits.
    let lend = || {
        let answer = served.send("POST", "/databases");
        (answer.status == 201).then_some(answer)
    };
    let (id, target) = read(&until("the first database", lend).body);
    assert_eq!(notes(&target).await, "0");
    let begun = Instant::now();
    let refused = served.send("POST", "/databases");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let hint = refused.body["hint"].as_str().unwrap();
    assert!(hint.contains("--max") && hint.contains("--lease"), "{hint}");
    // Who waits for longer gets one; the database of the first is gone, and stays gone.
    let (next, _) = read(&until("a database", lend).body);
    assert_ne!(next, id);
    assert!(postgres::connect(&target).await.is_err());
    assert_eq!(
        served.send("DELETE", &format!("/databases/{id}")).status,
        404
    );
}

/// A client that goes away while it waits keeps nothing.
#[tokio::test]
async fn who_goes_away_while_waiting_gets_nothing() {
    let arguments = ["--pool", "0", "--max", "1", "--wait", "30s"];
    let served = Served::new("serve_away", &arguments);
    let (id, _) = served.lend();
    let waiting = || served.send("GET", "/health").body["waiting"].as_u64();
    {
        use std::io::Write as _;
        let host = served.url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(stream, "POST /databases HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        until("it waits", || (waiting() == Some(1)).then_some(()));
    }
    until("it does not wait", || (waiting() == Some(0)).then_some(()));
    served.send("DELETE", &format!("/databases/{id}"));
    served.lend();
}

/// Restarts the project's server as a crash would.
fn crash(served: &Served) {
    let sql = "select current_setting('data_directory') || '/postmaster.pid'";
    let file = served.project.command(&["psql", "-Atc", sql]).output();
    let file = String::from_utf8(file.unwrap().stdout).unwrap();
    let pid = std::fs::read_to_string(file.trim()).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid.lines().next().unwrap().parse().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGQUIT).unwrap();
    until("the server is gone", || {
        nix::sys::signal::kill(pid, None).is_err().then_some(())
    });
    served.project.devdb(&["up"]).ok();
}

/// Sets it when it goes, whatever happens.
struct Set<'a>(&'a AtomicBool);

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_restart_of_the_server_under_load_is_survived() {
    let served = Served::new("serve_restart", &["--pool", "3", "--max", "12"]);
    let (id, kept) = served.lend();
    assert_eq!(notes(&kept).await, "0");
    let (stop, after) = (AtomicBool::new(false), AtomicUsize::new(0));
    let is_back = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = served.send("POST", "/databases");
                    assert!([201, 503].contains(&answer.status), "{answer:?}");
                    if answer.status == 201 {
                        let (id, _) = read(&answer.body);
                        served.send("DELETE", &format!("/databases/{id}"));
                        if is_back.load(Ordering::Relaxed) {
                            after.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        // A failure here ends the load, too.
        let _end = Set(&stop);
        // So that it cannot take its lock before others sweep what belongs to the dead.
        served.signal(Signal::SIGSTOP);
        crash(&served);
        served.project.devdb(&["run", "--", "true"]).ok();
        served.signal(Signal::SIGCONT);
        is_back.store(true, Ordering::Relaxed);
        let began = Instant::now();
        while after.load(Ordering::Relaxed) < 8 && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(
        after.into_inner() >= 8,
        "nothing was lent after the restart"
    );
    assert_eq!(
        notes(&kept).await,
        "1",
        "what was lent before is still there"
    );
    // And swept it is not later either: the lock is taken again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    served.project.devdb(&["run", "--", "true"]).ok();
    assert_eq!(notes(&kept).await, "2");
    let (_, fresh) = served.lend();
    assert_eq!(notes(&fresh).await, "0");
    let path = format!("/databases/{id}");
    assert_eq!(served.send("DELETE", &path).status, 204);
}

#[tokio::test]
async fn what_a_reset_of_the_server_takes_is_made_again() {
    let served = Served::new("serve_reset", &["--pool", "2"]);
    let (_, lost) = served.lend();
    let more = "alter table notes add column more text;";
    served.project.file("migrations/2_more.sql", more);
    served.project.devdb(&["reset", "--yes", "--full"]).ok();
    assert!(postgres::connect(&lost).await.is_err());
    let columns = "select string_agg(column_name, ',' order by 1) from information_schema.columns where table_name = 'notes'";
    let lent = until("a database", || {
        let answer = served.send("POST", "/databases");
        let (_, target) = (answer.status == 201).then(|| read(&answer.body))?;
        // What stood ready may still be handed out until the loss is seen.
        let there = format!(
            "select count(*) from pg_database where datname = '{}'",
            target.database
        );
        (query(&served.project, &there) == "1").then_some(target)
    });
    assert_eq!(ask(&lent, columns).await, "body,more");
    // Nor does it matter where nobody but the baseline is gone.
    served.project.devdb(&["baseline", "prune"]).ok();
    let mut seen = BTreeSet::from([lent.database.clone()]);
    for _ in 0..6 {
        let (_, target) = served.lend();
        assert!(seen.insert(target.database.clone()));
        assert_eq!(ask(&target, columns).await, "body,more");
    }
}

#[tokio::test]
async fn a_server_without_a_connection_left_is_named_and_waited_for() {
    let served = Served::with(
        "serve_full",
        "[server.settings]\nmax_connections = \"14\"\n",
        &["--pool", "0", "--wait", "1s"],
    );
    let (_, target) = served.lend();
    // As a superuser, so that nothing is left for superusers either.
    let mut sessions = Vec::new();
    let fill = async |sessions: &mut Vec<postgres::Connection>| {
        while let Ok(session) = postgres::connect(&target).await {
            sessions.push(session);
            assert!(sessions.len() < 20);
        }
    };
    fill(&mut sessions).await;
    // Those of the pool, and the keeper's with its lock.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'postgres'";
    sessions[0].execute(end).await.unwrap();
    fill(&mut sessions).await;
    let refused = until("a refusal", || {
        let answer = served.send("POST", "/databases");
        (answer.status == 503).then_some(answer)
    });
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("53300"), "{message}");
    let hint = refused.body["hint"].as_str().unwrap();
    assert!(hint.contains("max_connections"), "{hint}");
    let template = r#"{"hash": "full"}"#;
    let refused = http::send("POST", &served.url, "/api/v1/templates", &[], template).unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(served.send("GET", "/health").status, 503);
    for session in sessions {
        session.close().await;
    }
    until("a database", || {
        let answer = served.send("POST", "/databases");
        (answer.status == 201).then_some(())
    });
    assert_eq!(served.send("GET", "/health").status, 200);
    let made = http::send("POST", &served.url, "/api/v1/templates", &[], template).unwrap();
    assert_eq!(made.status, 200, "{made:?}");
}

#[tokio::test]
async fn what_a_killed_pool_leaves_the_next_command_drops() {
    let mut served = Served::new("serve_killed", &["--pool", "3"]);
    served.lend();
    let template = r#"{"hash": "h"}"#;
    http::send("POST", &served.url, "/api/v1/templates", &[], template).unwrap();
    served.signal(Signal::SIGKILL);
    assert_eq!(served.child.wait().unwrap().signal(), Some(9));
    assert_ne!(served.databases(), "");
    let (mut child, url) = start(&served.project, &["--pool", "0"]);
    assert_eq!(served.databases(), "");
    // Nobody waits for ever for one that ends.
    let waiting = std::thread::spawn({
        let url = url.clone();
        let template = r#"{"hash": "w"}"#;
        http::send("POST", &url, "/api/v1/templates", &[], template).unwrap();
        move || http::send("GET", &url, "/api/v1/templates/w/tests", &[], "").unwrap()
    });
    until("somebody waits", || {
        let health = http::send("GET", &url, "/health", &[], "").unwrap();
        (health.body["waiting"] == 1).then_some(())
    });
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(waiting.join().unwrap().status, 503);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(served.databases(), "");
}

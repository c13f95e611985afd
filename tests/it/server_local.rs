//! `src/server/local` with the binaries of this machine.

use devdb::config::{Port, ServerKind};
use devdb::error::ErrorKind;
use devdb::server::{Condition, DataReset, Server};

use crate::support::docker::{TestProject, cut_off, mark, marked, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_local_server_lives_and_goes() {
    let project = TestProject::local("life");
    let server = project.open().await;
    assert_eq!(server.status().await.unwrap().condition, Condition::Missing);
    let target = server.ensure_up(&project.events).await.unwrap();
    mark(&target).await;
    assert_eq!(server.status().await.unwrap().condition, Condition::Ready);
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);

    server.stop(&project.events).await.unwrap();
    assert_eq!(
        server.status().await.unwrap().condition,
        Condition::Stopped { exit_code: None }
    );
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert!(marked(&target).await);
    let mut lines = Vec::new();
    server
        .logs(false, Some(50), |line| lines.push(line.to_string()))
        .await
        .unwrap();
    assert!(
        lines.iter().any(|l| l.contains("ready to accept")),
        "{lines:?}"
    );

    // A password that the data does not have.
    let mut other = project.config.clone();
    other.database.password = "wrong".into();
    let error = Server::open(&other, &project.events)
        .await
        .unwrap()
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(error.message().contains("does not accept"), "{error}");

    server.remove(&project.events, true).await.unwrap();
    assert!(!project.config.project.state_dir.join("local").exists());
    assert_eq!(server.status().await.unwrap().condition, Condition::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_folder_without_binaries_is_named() {
    let mut project = TestProject::local("bin");
    let folder = project.folder("bin");
    project.config.server.bin = Some(folder.clone());
    let opened = Server::open(&project.config, &project.events).await;
    let error = opened.err().expect("no binaries are there");
    let hint = error.hint_text().unwrap();
    let names = format!(
        "`bin` under [server] (or DEVDB_PG_BIN) names {}",
        folder.display()
    );
    assert!(hint.starts_with(&names), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_data_directory_is_put_aside_and_brought_back() {
    let project = TestProject::local("reset");
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    for _ in 0..2 {
        let DataReset::Fresh { target, aside, .. } =
            server.reset_data(&project.events, false).await.unwrap()
        else {
            panic!("a local server can be reset");
        };
        assert!(!marked(&target).await);
        assert!(aside.unwrap().ends_with("/local/1"));
        assert!(server.pending_reset());
    }
    server.finish_reset().await.unwrap();
    assert!(!server.pending_reset());
    assert!(marked(&server.undo_data(&project.events).await.unwrap().target).await);
    assert!(!marked(&server.undo_data(&project.events).await.unwrap().target).await);
    let state_dir = &project.config.project.state_dir;
    let kept = std::fs::read_dir(state_dir.join("local")).unwrap();
    assert_eq!(kept.count(), 2);

    // With everything forgotten, the newest data is taken for the present one.
    server.stop(&project.events).await.unwrap();
    std::fs::remove_file(state_dir.join("server.json")).unwrap();
    assert!(!marked(&server.ensure_up(&project.events).await.unwrap()).await);
    let data = server.status().await.unwrap().data;
    assert!(data.ends_with("/local/3/data"), "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_local_server_comes_back() {
    let project = TestProject::local("crash");
    let server = project.open().await;
    let target = server.ensure_up(&project.events).await.unwrap();
    mark(&target).await;
    // Commits are asynchronous: only what a checkpoint wrote surely survives the kill.
    run(&target, "checkpoint").await;
    let data = project.config.project.state_dir.join("local/1/data");
    let pid_file = data.join("postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let pid = text.lines().next().unwrap();
    // One of its children does not notice, as where it waits for a lock or for the disk.
    let walwriter = format!("pkill -STOP --parent {pid} --full walwriter && kill -KILL {pid}");
    let killed = std::process::Command::new("sh")
        .args(["-c", &walwriter])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert!(marked(&target).await);

    // After a restart of the machine the number is somebody else's.
    server.stop(&project.events).await.unwrap();
    std::fs::write(
        &pid_file,
        text.replacen(pid, &std::process::id().to_string(), 1),
    )
    .unwrap();
    assert!(matches!(
        server.status().await.unwrap().condition,
        Condition::Stopped { .. }
    ));
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);

    // Killed in the middle of initdb: what it left is no data directory.
    server.remove(&project.events, true).await.unwrap();
    std::fs::create_dir_all(
        project
            .config
            .project
            .state_dir
            .join("local/1/data.new/base"),
    )
    .unwrap();
    assert!(!marked(&server.ensure_up(&project.events).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_local_server_cannot_do_is_said() {
    let mut project = TestProject::local("bad");
    project
        .config
        .server
        .settings
        .insert("no_such_setting".into(), "1".into());
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(
        error.detail_text().unwrap().contains("no_such_setting"),
        "{error:?}"
    );
    project.config.server.settings.clear();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    project.config.server.port = Port::Fixed(port);
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .contains(&format!("port {port} is taken by")),
        "{error}"
    );

    let version = project
        .config
        .project
        .state_dir
        .join("local/1/data/PG_VERSION");
    std::fs::write(version, "9\n").unwrap();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(error.message().contains("made by PostgreSQL 9"), "{error}");

    let nowhere = project.folder("nowhere");
    project.config.server.bin = Some(nowhere.clone());
    let error = Server::open(&project.config, &project.events)
        .await
        .err()
        .unwrap();
    assert!(
        error
            .detail_text()
            .unwrap()
            .contains(nowhere.to_str().unwrap()),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_by_url_is_used_and_not_touched() {
    let project = TestProject::local("url");
    let target = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap();
    let mut config = project.config.clone();
    config.server.kind = ServerKind::Url;
    config.server.url = Some(target.with_database("app").url("postgresql"));
    let server = Server::open(&config, &project.events).await.unwrap();
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert_eq!(server.status().await.unwrap().condition, Condition::Ready);
    assert!(!server.is_ours());
    for refused in [
        server.stop(&project.events).await,
        server.remove(&project.events, true).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    }
    let reset = server.reset_data(&project.events, true).await.unwrap();
    assert!(matches!(reset, DataReset::Unsupported { .. }));

    project.open().await.stop(&project.events).await.unwrap();
    let began = std::time::Instant::now();
    let error = server.ensure_up(&project.events).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.hint_text().is_some() && began.elapsed().as_secs() < 2);
    assert!(!error.message().contains("p%25"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_reset_that_is_cut_off_at_any_moment_loses_nothing() {
    let project = TestProject::local("cut");
    cut_off(&project, &[5, 50, 150, 300, 600]).await;
    let kept = std::fs::read_dir(project.config.project.state_dir.join("local")).unwrap();
    assert_eq!(kept.count(), 2);
}

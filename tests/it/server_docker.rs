//! `src/server/docker` against a real engine: each test owns its container.

use devdb::config::{Data, Port};
use devdb::error::ErrorKind;
use devdb::postgres::Target;
use devdb::server::{Condition, DataReset, Server};

use crate::support::docker::{IMAGE, TestProject, cut_off, docker, mark, marked, run, value};

/// Works in a folder of uid 999, where an ordinary user may not.
fn in_folder(folder: &std::path::Path, script: &str) {
    let mount = format!("{}:/x", folder.display());
    docker(&[
        "run",
        "--rm",
        "-v",
        &mount,
        "--entrypoint",
        "sh",
        &IMAGE,
        "-c",
        script,
    ])
    .unwrap();
}

async fn reset(server: &Server, project: &TestProject) -> Target {
    match server.reset_data(&project.events, false).await.unwrap() {
        DataReset::Fresh { target, .. } => target,
        DataReset::Unsupported { why } => panic!("{why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_stop_up_down_wipe() {
    let project = TestProject::docker("life");
    let server = project.open().await;
    assert_eq!(server.status().await.unwrap().condition, Condition::Missing);

    let target = server.ensure_up(&project.events).await.unwrap();
    mark(&target).await;
    assert!(project.stages().contains(&"creating container".to_string()));
    let status = server.status().await.unwrap();
    assert_eq!(status.condition, Condition::Ready);
    assert_eq!(status.port, Some(target.port));
    assert_eq!(status.major, Some(17));
    assert_eq!(status.data, project.volume(1));
    assert!(status.started.is_some() && status.drift.is_empty());
    assert_eq!(value(&target, "show fsync").await.as_deref(), Some("off"));
    assert_eq!(
        docker(&["port", &project.container()]).unwrap(),
        format!("5432/tcp -> 127.0.0.1:{}", target.port)
    );

    let stages = project.stages().len();
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert_eq!(project.stages().len(), stages, "nothing is left to do");

    server.stop(&project.events).await.unwrap();
    assert_eq!(
        server.status().await.unwrap().condition,
        Condition::Stopped { exit_code: Some(0) }
    );
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert!(marked(&target).await);

    server.remove(&project.events, false).await.unwrap();
    assert!(project.containers().is_empty());
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), target);
    assert!(marked(&target).await);

    let mut lines = Vec::new();
    server
        .logs(false, Some(5), |line| lines.push(line.to_string()))
        .await
        .unwrap();
    assert!(
        lines.len() <= 5 && lines.iter().any(|l| l.contains("ready to accept")),
        "{lines:?}"
    );

    server.remove(&project.events, true).await.unwrap();
    assert!(project.containers().is_empty() && project.volumes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_port_in_use_names_its_holder() {
    let mut project = TestProject::docker("port");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    project.config.server.port = Port::Fixed(port);
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(
        error
            .message()
            .contains(&format!("port {port} is taken by")),
        "{error}"
    );
    assert!(
        error
            .message()
            .contains(&format!("pid {}", std::process::id())),
        "{error}"
    );

    drop(listener);
    project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap();
    let mut other = TestProject::docker("port2");
    other.config.server.port = Port::Fixed(port);
    let error = other
        .open()
        .await
        .ensure_up(&other.events)
        .await
        .unwrap_err();
    assert!(error.message().contains(&project.container()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_port_gives_way() {
    let project = TestProject::docker("autoport");
    let server = project.open().await;
    let target = server.ensure_up(&project.events).await.unwrap();
    mark(&target).await;
    server.stop(&project.events).await.unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", target.port)).unwrap();
    let other = server.ensure_up(&project.events).await.unwrap();
    assert_ne!(other.port, target.port);
    assert!(marked(&other).await);
    assert!(
        project.notes().contains("is taken by now"),
        "{}",
        project.notes()
    );
    drop(listener);
    assert_eq!(server.ensure_up(&project.events).await.unwrap(), other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_container_of_that_name_is_refused() {
    let project = TestProject::docker("name");
    let name = project.container();
    docker(&["create", "--name", &name, &IMAGE]).unwrap();
    let server = project.open().await;
    let up = server.ensure_up(&project.events).await.unwrap_err();
    let remove = server.remove(&project.events, true).await.unwrap_err();
    let there = docker(&["rm", "-v", &name]);
    assert_eq!(up.kind(), ErrorKind::Refused);
    assert!(
        up.message().contains(&name) && up.hint_text().is_some(),
        "{up}"
    );
    assert_eq!(remove.kind(), ErrorKind::Refused);
    there.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_named() {
    let mut project = TestProject::docker("image");
    project.config.server.image = "localhost:1/no/such:image".into();
    let began = std::time::Instant::now();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(began.elapsed().as_secs() < 15);
    assert!(
        error
            .message()
            .contains("localhost:1/no/such:image is not here"),
        "{error}"
    );
    assert!(error.hint_text().unwrap().contains("compose/build.sh"));
    assert!(project.containers().is_empty() && project.volumes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_says_nothing_is_given_up() {
    let mut project = TestProject::docker("registry");
    // Connections are taken by the kernel and never answered.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    project.config.server.image = format!("127.0.0.1:{port}/some:image");
    let began = std::time::Instant::now();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    assert!(error.message().contains("cannot be pulled"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_during_the_start_shows_the_log_at_once() {
    let mut project = TestProject::docker("exit");
    project
        .config
        .server
        .settings
        .insert("no_such_setting".into(), "1".into());
    let began = std::time::Instant::now();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(began.elapsed().as_secs() < 15);
    assert!(error.message().contains("exited with code"), "{error}");
    let detail = error.detail_text().unwrap();
    assert!(
        detail.contains("unrecognized configuration parameter \"no_such_setting\""),
        "{detail}"
    );

    // The data directory was initialised but never completed: it is made again, not trusted.
    project.config.server.settings.clear();
    let target = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap();
    assert!(
        project.notes().contains("never finished"),
        "{}",
        project.notes()
    );
    mark(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_scripts_run_and_a_bad_one_is_shown() {
    let mut project = TestProject::docker("init");
    let script = project.folder("10-init.sql");
    project.config.server.mounts = vec![(
        script.clone(),
        "/docker-entrypoint-initdb.d/10-init.sql".into(),
    )];
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);

    std::fs::write(&script, "select 1/0;").unwrap();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(
        error.detail_text().unwrap().contains("division by zero"),
        "{error:?}"
    );
    assert!(error.message().contains("running init scripts"), "{error}");

    std::fs::write(&script, "create table mark ();").unwrap();
    let target = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap();
    assert!(marked(&target.with_database("app")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_major_version_is_recognised_before_the_start() {
    let project = TestProject::docker("major");
    let label = format!("dev.devdb.project={}", project.config.project.id);
    let volume = project.volume(1);
    docker(&[
        "volume",
        "create",
        "--label",
        &label,
        "--label",
        "dev.devdb.major=16",
        &volume,
    ])
    .unwrap();
    let server = project.open().await;
    let error = server.ensure_up(&project.events).await.unwrap_err();
    assert!(error.message().contains("made by PostgreSQL 16"), "{error}");
    assert!(error.hint_text().unwrap().contains("devdb reset"));
    assert!(project.containers().is_empty());

    // Without the label the volume itself tells.
    docker(&["volume", "rm", &volume]).unwrap();
    docker(&["volume", "create", "--label", &label, &volume]).unwrap();
    let mount = format!("{volume}:/data");
    docker(&[
        "run",
        "--rm",
        "-v",
        &mount,
        "--entrypoint",
        "sh",
        &IMAGE,
        "-c",
        "echo 15 > /data/PG_VERSION",
    ])
    .unwrap();
    std::fs::remove_dir_all(&project.config.project.state_dir).ok();
    let error = server.ensure_up(&project.events).await.unwrap_err();
    assert!(error.message().contains("made by PostgreSQL 15"), "{error}");

    // A reset is the way out.
    let target = reset(&server, &project).await;
    assert!(!marked(&target).await);
    assert_eq!(server.status().await.unwrap().aside, Some(volume));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_put_aside_and_brought_back() {
    let project = TestProject::docker("volume");
    let server = project.open().await;
    let refused = server.undo_data(&project.events).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    mark(&server.ensure_up(&project.events).await.unwrap()).await;

    let target = reset(&server, &project).await;
    assert!(server.pending_reset() && !marked(&target).await);
    // Cut off here, and begun again: the incomplete data goes, the aside stays.
    run(&target, "create table half_done ()").await;
    let target = reset(&server, &project).await;
    assert_eq!(project.volumes(), [project.volume(1), project.volume(3)]);
    server.finish_reset().await.unwrap();
    assert!(!server.pending_reset());

    let undone = server.undo_data(&project.events).await.unwrap();
    assert_eq!(
        (undone.target.clone(), undone.aside),
        (target, project.volume(3))
    );
    assert!(marked(&undone.target).await);
    let again = server.undo_data(&project.events).await.unwrap();
    assert!(!marked(&again.target).await);

    reset(&server, &project).await;
    assert_eq!(project.volumes().len(), 3);
    server.finish_reset().await.unwrap();
    assert_eq!(project.volumes(), [project.volume(3), project.volume(4)]);
    server.remove(&project.events, true).await.unwrap();
    assert!(project.volumes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_uid_999_is_put_aside_brought_back_and_wiped() {
    use std::os::unix::fs::MetadataExt as _;
    let mut project = TestProject::docker("folder");
    let folder = project.folder("data/postgres");
    project.config.server.data = Data::Folder(folder.clone());
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    assert_eq!(std::fs::metadata(&folder).unwrap().uid(), 999);
    assert!(project.volumes().is_empty());

    let DataReset::Fresh { target, aside, .. } =
        server.reset_data(&project.events, false).await.unwrap()
    else {
        panic!("a folder can be reset");
    };
    assert!(!marked(&target).await);
    let aside = std::path::PathBuf::from(aside.unwrap());
    assert!(aside.exists());
    assert_eq!(aside.parent(), folder.parent());

    // A second reset before the first was finished empties the folder and keeps the aside.
    let target = reset(&server, &project).await;
    assert!(!marked(&target).await && aside.exists());
    server.finish_reset().await.unwrap();

    let undone = server.undo_data(&project.events).await.unwrap();
    assert!(marked(&undone.target).await && !aside.exists());
    reset(&server, &project).await;
    server.finish_reset().await.unwrap();
    server.remove(&project.events, true).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.parent().unwrap())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_devdb_did_not_make_is_not_wiped() {
    let mut project = TestProject::docker("adopt");
    let folder = project.folder("pg");
    project.config.server.data = Data::Folder(folder.clone());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("precious.txt"), "").unwrap();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("precious.txt"), "{error}");
    std::fs::remove_file(folder.join("precious.txt")).unwrap();

    // A good data directory that devdb knows nothing of.
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    server.remove(&project.events, false).await.unwrap();
    std::fs::remove_dir_all(&project.config.project.state_dir).unwrap();
    let mut other = project.config.clone();
    other.database.password = "wrong".into();
    let other = Server::open(&other, &project.events).await.unwrap();
    let error = other.ensure_up(&project.events).await.unwrap_err();
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("`devdb reset --adopt`"), "{error}: {hint}");
    assert!(marked(&server.ensure_up(&project.events).await.unwrap()).await);
    let error = server.reset_data(&project.events, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.hint_text().unwrap().contains("--adopt"));
    let error = server.remove(&project.events, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(server.status().await.unwrap().condition, Condition::Ready);

    let adopted = server.reset_data(&project.events, true).await.unwrap();
    assert!(matches!(adopted, DataReset::Fresh { aside: Some(_), .. }));
    let undone = server.undo_data(&project.events).await.unwrap();
    assert!(marked(&undone.target).await);
    server.remove(&project.events, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_folder_that_was_cut_off_is_healed() {
    let mut project = TestProject::docker("heal");
    let folder = project.folder("pg");
    project.config.server.data = Data::Folder(folder.clone());
    let key = format!("folder:{}", folder.display());
    let to = format!("{}.devdb-aside-7", folder.display());
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    server.stop(&project.events).await.unwrap();

    // Killed after noting what it was about to do: nothing happened.
    let put_aside = serde_json::json!({ "put-aside": { "to": &to } });
    project.edit_state(|state| state["slots"][&key]["intent"] = put_aside.clone());
    assert!(marked(&server.ensure_up(&project.events).await.unwrap()).await);
    assert!(!server.pending_reset());

    // Killed after the rename: the data is aside.
    server.stop(&project.events).await.unwrap();
    project.edit_state(|state| state["slots"][&key]["intent"] = put_aside);
    std::fs::rename(&folder, &to).unwrap();
    assert!(!marked(&server.ensure_up(&project.events).await.unwrap()).await);
    assert!(server.pending_reset());

    // Killed in the middle of an undo: it goes through.
    server.stop(&project.events).await.unwrap();
    let other = format!("{}.devdb-aside-8", folder.display());
    let swap = serde_json::json!({ "swap-back": { "to": &other } });
    project.edit_state(|state| state["slots"][&key]["intent"] = swap);
    std::fs::rename(&folder, &other).unwrap();
    assert!(marked(&server.ensure_up(&project.events).await.unwrap()).await);
    assert_eq!(server.status().await.unwrap().aside, Some(other));

    // Killed while emptying incomplete data: the rest goes too.
    server.stop(&project.events).await.unwrap();
    project.edit_state(|state| state["slots"][&key]["intent"] = "empty".into());
    in_folder(&folder, "rm /x/PG_VERSION");
    assert!(!marked(&server.ensure_up(&project.events).await.unwrap()).await);
    server.remove(&project.events, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_volume_that_was_cut_off_is_healed() {
    let project = TestProject::docker("healvol");
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    // Killed right after the one write that counts: the container still has the old volume.
    project.edit_state(|state| {
        let slot = &mut state["slots"]["volume"];
        slot["aside"] = slot["current"].clone();
        slot["current"] = serde_json::json!({ "place": project.volume(2), "ours": true });
        slot["generation"] = 2.into();
        slot["pending"] = true.into();
    });
    assert!(!marked(&server.ensure_up(&project.events).await.unwrap()).await);
    assert!(server.pending_reset());
    assert!(marked(&server.undo_data(&project.events).await.unwrap().target).await);

    // With everything forgotten, the container still knows its volume.
    std::fs::remove_dir_all(&project.config.project.state_dir).unwrap();
    assert!(marked(&server.ensure_up(&project.events).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_nothing_and_says_so() {
    let mut project = TestProject::docker("tmpfs");
    project.config.server.data = Data::Tmpfs;
    let server = project.open().await;
    let target = server.ensure_up(&project.events).await.unwrap();
    mark(&target).await;
    // Commands that only need databases ask no engine whose server this is.
    let identifier = "select system_identifier::text from pg_control_system()";
    let first = value(&target, identifier).await.unwrap();
    assert!(Server::is_known(&project.config, &first));
    let reset = server.reset_data(&project.events, false).await.unwrap();
    assert!(matches!(reset, DataReset::Unsupported { .. }));
    let mounts = docker(&[
        "inspect",
        &project.container(),
        "--format",
        "{{len .Mounts}}",
    ])
    .unwrap();
    assert_eq!(mounts, "0", "no anonymous volume");

    // Making it again would lose the data: it is kept, and that is said.
    project
        .config
        .server
        .settings
        .insert("work_mem".into(), "9MB".into());
    let server = project.open().await;
    assert!(marked(&server.ensure_up(&project.events).await.unwrap()).await);
    assert!(
        project.notes().contains("setting work_mem 9MB (new)"),
        "{}",
        project.notes()
    );
    assert!(!project.notes().contains("went with the container"));
    server.stop(&project.events).await.unwrap();
    let target = server.ensure_up(&project.events).await.unwrap();
    assert!(!marked(&target).await);
    let second = value(&target, identifier).await.unwrap();
    assert_ne!(first, second);
    assert!(Server::is_known(&project.config, &second));
    assert!(!Server::is_known(&project.config, &first));
    let notes = project.notes();
    assert!(notes.contains("went with the container"), "{notes}");
    assert!(!notes.contains("the data stays"), "{notes}");
    assert_eq!(
        value(&target, "show work_mem").await.as_deref(),
        Some("9MB")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_explained() {
    let mut project = TestProject::docker("drift");
    mark(
        &project
            .open()
            .await
            .ensure_up(&project.events)
            .await
            .unwrap(),
    )
    .await;
    project
        .config
        .server
        .settings
        .insert("work_mem".into(), "8MB".into());
    let server = project.open().await;
    let drift = server.status().await.unwrap().drift;
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].to_string(), "setting work_mem 8MB (new)");
    let target = server.ensure_up(&project.events).await.unwrap();
    assert!(marked(&target).await);
    assert_eq!(
        value(&target, "show work_mem").await.as_deref(),
        Some("8MB")
    );
    assert!(
        project.notes().contains("setting work_mem 8MB (new)"),
        "{}",
        project.notes()
    );

    project.config.database.password = "another".into();
    let error = project
        .open()
        .await
        .ensure_up(&project.events)
        .await
        .unwrap_err();
    assert!(error.message().contains("does not accept"), "{error}");
    assert!(
        error.hint_text().unwrap().contains("devdb reset"),
        "{error}"
    );
    assert!(
        project
            .notes()
            .contains("counts only when a data directory is made")
    );
    assert!(!project.notes().contains("another"));
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_runs_on_this_machine_or_in_the_container() {
    let mut project = TestProject::docker("psql");
    let server = project.open().await;
    let target = server.ensure_up(&project.events).await.unwrap();
    project.config.server.path.clear();
    for server in [server, project.open().await] {
        let command = server.psql(&target, false).unwrap();
        let output = std::process::Command::new(&command.program)
            .args(&command.args)
            .args(["-Atc", "select 6 * 7"])
            .envs(command.env)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "42\n",
            "{output:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_emptied_by_hand_begins_anew() {
    let mut project = TestProject::docker("gone");
    let folder = project.folder("pg");
    project.config.server.data = Data::Folder(folder.clone());
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    server.stop(&project.events).await.unwrap();
    in_folder(&folder, "find /x -mindepth 1 -delete");
    std::fs::remove_dir(&folder).unwrap();
    let target = server.ensure_up(&project.events).await.unwrap();
    assert!(!marked(&target).await);
    assert!(project.notes().contains("is gone"), "{}", project.notes());
    // It is devdb's own as before.
    server.remove(&project.events, true).await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_another_container_uses_is_left_alone() {
    let mut project = TestProject::docker("shared");
    let folder = project.folder("data/pg");
    let link = project.folder("link");
    std::os::unix::fs::symlink(project.folder("data"), &link).unwrap();
    let label = format!("label=dev.devdb.project={}", project.config.project.id);
    project.config.server.data = Data::Folder(folder.clone());
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    reset(&server, &project).await;
    server.finish_reset().await.unwrap();
    server.stop(&project.events).await.unwrap();

    // Somebody else's server, through a symbolic link; it goes with the label of the project.
    let other = format!("{}-other", project.container());
    let owner = format!("{label}-other").replace("label=", "");
    let start = |mount: &str, name: &str, command: &[&str]| {
        let mut arguments = vec!["run", "-d", "--rm", "--name", name, "--label", &owner];
        arguments.extend(["-e", "POSTGRES_PASSWORD=x", "-v", mount]);
        arguments.push(&IMAGE);
        arguments.extend(command);
        docker(&arguments).unwrap();
    };
    let mount = format!("{}:/var/lib/postgresql/data", link.join("pg").display());
    start(&mount, &other, &[]);
    let mut errors = vec![server.ensure_up(&project.events).await.unwrap_err()];
    errors.push(server.reset_data(&project.events, true).await.unwrap_err());
    errors.push(server.undo_data(&project.events).await.unwrap_err());
    errors.push(server.remove(&project.events, true).await.unwrap_err());
    let state = docker(&[
        "inspect",
        &project.container(),
        "--format",
        "{{.State.Status}}",
    ]);
    docker(&["rm", "-fv", &other]).unwrap();
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.message().contains(&other), "{error}");
        assert!(error.message().contains(IMAGE.as_str()), "{error}");
        let stop = format!("docker stop {other}");
        assert!(error.hint_text().unwrap().contains(&stop), "{error}");
    }
    assert_eq!(state.unwrap(), "exited");

    // An application that mounts the whole project is no server; a server there is one.
    let mount = format!("{}:/app", project.folder("").display());
    start(&mount, &other, &["sleep", "60"]);
    let target = server.ensure_up(&project.events).await;
    docker(&["rm", "-fv", &other]).unwrap();
    assert!(!marked(&target.unwrap()).await);
    server.stop(&project.events).await.unwrap();
    start(&mount, &other, &[]);
    let error = server.ensure_up(&project.events).await;
    docker(&["rm", "-fv", &other]).unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
    assert!(marked(&server.undo_data(&project.events).await.unwrap().target).await);
    server.remove(&project.events, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_deleted_under_the_running_server_begins_anew() {
    let mut project = TestProject::docker("hollow");
    let folder = project.folder("pg");
    project.config.server.data = Data::Folder(folder.clone());
    let server = project.open().await;
    mark(&server.ensure_up(&project.events).await.unwrap()).await;
    let delete = || {
        in_folder(&folder, "find /x -mindepth 1 -delete");
        std::fs::remove_dir(&folder).unwrap();
    };
    delete();
    let target = server.ensure_up(&project.events).await.unwrap();
    assert!(!marked(&target).await);
    assert!(project.notes().contains("is gone"), "{}", project.notes());

    mark(&target).await;
    delete();
    let reset = server.reset_data(&project.events, false).await.unwrap();
    let DataReset::Fresh { target, aside, .. } = reset else {
        panic!("a folder can be reset");
    };
    assert!(!marked(&target).await && aside.is_none());
    server.finish_reset().await.unwrap();

    // Emptied only: the container still has the same folder.
    in_folder(&folder, "find /x -mindepth 1 -delete");
    server.ensure_up(&project.events).await.unwrap();
    server.remove(&project.events, true).await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_that_really_runs_is_named() {
    const DEFAULT: &str = "pgvector/pgvector:pg17";
    let mut project = TestProject::docker("standin");
    project.config.server.image = DEFAULT.into();
    let server = project.open().await;
    server.ensure_up(&project.events).await.unwrap();
    let image = match docker(&["image", "inspect", DEFAULT]) {
        Ok(_) => DEFAULT.to_string(),
        Err(_) => format!("{}, in place of {DEFAULT}", *IMAGE),
    };
    let server = project.open().await;
    assert_eq!(server.status().await.unwrap().image, Some(image.clone()));
    let name = server.describe();
    assert!(name.ends_with(&format!("({image})")), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_kept_where_newer_images_have_it() {
    let mut project = TestProject::docker("layout");
    let tag = format!("{}:layout", project.container());
    let dockerfile = project.folder("Dockerfile");
    let text = format!(
        "FROM {}\nENV PGDATA=/var/lib/postgresql/18/docker\nVOLUME /var/lib/postgresql\n",
        *IMAGE
    );
    std::fs::write(&dockerfile, text).unwrap();
    docker(&[
        "build",
        "-q",
        "-t",
        &tag,
        &project.folder("").to_string_lossy(),
    ])
    .unwrap();
    project.config.server.image = tag.clone();
    let folder = project.folder("pg");
    project.config.server.data = Data::Folder(folder.clone());
    let outcome = project.open().await.ensure_up(&project.events).await;
    let mounted = docker(&[
        "inspect",
        &project.container(),
        "--format",
        "{{range .Mounts}}{{.Source}} {{.Destination}};{{end}}",
    ]);
    let version = folder.join("18/docker").exists();
    let again = match project
        .open()
        .await
        .reset_data(&project.events, false)
        .await
    {
        Ok(DataReset::Fresh { aside, .. }) => aside,
        other => panic!("{other:?}"),
    };
    project
        .open()
        .await
        .remove(&project.events, true)
        .await
        .unwrap();
    docker(&["rmi", &tag]).unwrap();
    outcome.unwrap();
    let want = format!("{} /var/lib/postgresql;", folder.display());
    assert!(mounted.unwrap().contains(&want));
    assert!(version && again.is_some() && !folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_share_one_container() {
    let project = TestProject::docker("twins");
    let (one, two) = (project.open().await, project.open().await);
    let (one, two) = tokio::join!(
        one.ensure_up(&project.events),
        two.ensure_up(&project.events)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(project.containers().len(), 1);
    assert_eq!(project.volumes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_volume_that_is_cut_off_at_any_moment_loses_nothing() {
    let project = TestProject::docker("cut");
    cut_off(&project, &[5, 80, 250, 500, 900]).await;
    assert_eq!(project.volumes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_folder_that_is_cut_off_at_any_moment_loses_nothing() {
    let mut project = TestProject::docker("cutfolder");
    let folder = project.folder("data/pg");
    project.config.server.data = Data::Folder(folder.clone());
    cut_off(&project, &[10, 200, 700]).await;
    let beside = std::fs::read_dir(folder.parent().unwrap()).unwrap();
    assert_eq!(beside.count(), 2);
    project
        .open()
        .await
        .remove(&project.events, true)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_cut_off_and_changed_is_made_again() {
    let mut project = TestProject::docker("first");
    for milliseconds in [350, 550, 800] {
        let server = project.open().await;
        let limit = std::time::Duration::from_millis(milliseconds);
        let _ = tokio::time::timeout(limit, server.ensure_up(&project.events)).await;
        // What runs by now is in the middle of initdb, and made from another configuration.
        let work_mem = format!("{milliseconds}MB");
        project
            .config
            .server
            .settings
            .insert("work_mem".into(), work_mem.clone());
        let server = project.open().await;
        let target = server.ensure_up(&project.events).await.unwrap();
        assert_eq!(value(&target, "show work_mem").await, Some(work_mem));
        mark(&target).await;
        server.remove(&project.events, true).await.unwrap();
    }
}

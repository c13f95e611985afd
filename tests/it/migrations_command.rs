//! Projects whose own command runs the chain.

use devdb::config::{Migrations, Tool};
use devdb::error::ErrorKind;
use devdb::event::Events;
use devdb::migrations::command::Command;
use devdb::migrations::{MigrationTool, Rollback};
use devdb::postgres::Target;

use crate::support::events::Recorded;

fn config(dir: &tempfile::TempDir, up: Option<&str>, generate: Option<&str>) -> Migrations {
    Migrations {
        tool: Tool::Command,
        dir: dir.path().into(),
        run: Vec::new(),
        schema: None,
        table: String::new(),
        variables: Vec::new(),
        complete: false,
        role: None,
        up: up.map(String::from),
        generate: generate.map(String::from),
    }
}

#[tokio::test]
async fn it_runs_in_its_folder_with_the_variables_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let up = "echo \"url $APP_URL\"; echo oops >&2; echo $APP_URL > ran; cat";
    let mut tool = MigrationTool::open(&config(&dir, Some(up), None), None).unwrap();
    let (recorded, events) = Recorded::new();
    let env = [(
        "APP_URL".to_string(),
        "postgresql://me:secret@h/x".to_string(),
    )];
    let target = Target::parse("postgresql://me:secret@h/x").unwrap();
    assert_eq!(
        tool.migrate(&target, &env, None, &events).await.unwrap(),
        []
    );
    assert_eq!(
        std::fs::read_to_string(dir.path().join("ran")).unwrap(),
        "postgresql://me:secret@h/x\n"
    );
    let output = recorded.output();
    assert!(
        output.contains("url postgresql://me:***@h/x\n") && output.contains("oops\n"),
        "{output}"
    );
    assert!(
        tool.chain(&env, &events)
            .await
            .unwrap()
            .migrations
            .is_empty()
    );
    for error in [
        tool.migrate(&target, &env, Some("1"), &events)
            .await
            .unwrap_err(),
        tool.rollback(&target, &env, &Rollback::Steps(1), &events)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[tokio::test]
async fn a_failure_shows_its_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    let up = "seq 1 100; echo 'relation missing' >&2; exit 4";
    let command = Command::open(&config(&dir, Some(up), None)).unwrap();
    let error = command.up(&[], &Events::silent()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    let detail = error.detail_text().unwrap();
    assert!(
        detail.contains("relation missing") && !detail.contains("\n50\n"),
        "{detail}"
    );
    assert!(error.message().contains("exit status: 4"), "{error}");
}

#[tokio::test]
async fn a_message_is_one_word_for_the_shell() {
    let dir = tempfile::tempdir().unwrap();
    let command = Command::open(&config(
        &dir,
        Some("true"),
        Some("printf '%s|' {message} > out"),
    ))
    .unwrap();
    let message = "it's $HOME; `rm` \"x\"";
    command
        .generate(message, &[], &Events::silent())
        .await
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(dir.path().join("out")).unwrap(),
        format!("{message}|")
    );
    let without = Command::open(&config(&dir, Some("true"), None)).unwrap();
    let error = without
        .generate("x", &[], &Events::silent())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(
        Command::open(&config(&dir, None, None)).unwrap_err().kind(),
        ErrorKind::Usage
    );
}

#[tokio::test]
async fn a_command_that_is_given_up_takes_its_children_along() {
    let dir = tempfile::tempdir().unwrap();
    let up = "sleep 60 & echo $! > pid.part; mv pid.part pid; wait";
    let command = Command::open(&config(&dir, Some(up), None)).unwrap();
    let file = dir.path().join("pid");
    {
        let events = Events::silent();
        let call = command.up(&[], &events);
        tokio::pin!(call);
        while !file.exists() {
            tokio::select! {
                ended = &mut call => panic!("{ended:?}"),
                () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
            }
        }
    }
    let pid = std::fs::read_to_string(file).unwrap();
    // Gone, or ended and not yet collected by whoever inherited it.
    let alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    let begun = std::time::Instant::now();
    while alive() {
        assert!(begun.elapsed().as_secs() < 5, "the sleep still runs");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

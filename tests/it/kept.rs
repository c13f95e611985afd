//! Snapshots, and a dev database for each git branch.

use crate::support::project::{Project, Run};

const NOTES: (&str, &str) = ("1_notes.sql", "create table notes (body text);\n");

fn sqlx(name: &str) -> Project {
    Project::sqlx(name, &[NOTES], "create table notes (body text);\n")
}

pub fn query(project: &Project, sql: &str) -> String {
    let run = project.devdb(&["psql", "-Atc", sql]).ok();
    run.stdout.trim().to_owned()
}

fn bodies(project: &Project) -> String {
    query(
        project,
        "select coalesce(string_agg(body, ',' order by body), '') from notes",
    )
}

fn write(project: &Project, body: &str) {
    query(project, &format!("insert into notes values ('{body}')"));
}

#[test]
fn a_snapshot_brings_the_data_back_and_undo_what_was_there_meanwhile() {
    let project = sqlx("snapshots");
    project.devdb(&["ready"]).ok();
    write(&project, "one");
    let saved = project.devdb(&["snapshot", "save", "first try", "--note", "it's one"]);
    let saved = saved.ok();
    assert!(
        saved
            .stderr
            .contains("snapshot first try saved (at 1 notes)"),
        "{}",
        saved.stderr
    );
    write(&project, "two");
    project.devdb(&["snapshot", "restore", "first try"]).ok();
    assert_eq!(bodies(&project), "one");
    project.devdb(&["undo"]).ok();
    assert_eq!(bodies(&project), "one,two");

    project
        .devdb(&["snapshot", "rename", "first try", "1st"])
        .ok();
    let list = project.devdb(&["snapshot", "list", "--json"]).ok().json();
    let [only] = list.as_array().unwrap().as_slice() else {
        panic!("{list}");
    };
    assert_eq!(
        (&only["name"], &only["at"], &only["note"], &only["kind"]),
        (
            &"1st".into(),
            &"1 notes".into(),
            &"it's one".into(),
            &"saved".into()
        )
    );
    let list = project.devdb(&["snapshot", "list"]).ok().stdout;
    assert!(
        list.starts_with("1st  ") && list.contains("at 1 notes; it's one"),
        "{list}"
    );

    // It is a side of a comparison, too.
    query(&project, "alter table notes add later int");
    let diff = project
        .devdb(&["diff", "snapshot:1st", "dev", "--summary"])
        .ok();
    assert!(
        diff.stdout.contains("+ column public.notes.later"),
        "{}",
        diff.stdout
    );

    let refused = |arguments: &[&str], code: i32, says: &str| {
        let run: Run = project.devdb(arguments);
        assert_eq!(run.code, code, "{}", run.show());
        assert!(run.stderr.contains(says), "{}", run.stderr);
    };
    refused(
        &["snapshot", "save", "1st"],
        5,
        "there is a snapshot 1st already",
    );
    refused(
        &["snapshot", "save", "auto-9"],
        2,
        "automatic snapshots are called so",
    );
    refused(&["snapshot", "save", " "], 2, "it is empty");
    refused(&["snapshot", "restore", "1"], 2, "there are 1st");
    project.devdb(&["snapshot", "remove", "1st"]).ok();
    refused(
        &["snapshot", "restore", "1st"],
        2,
        "there is no snapshot 1st",
    );
}

#[test]
fn a_snapshot_of_an_older_chain_can_be_brought_to_head() {
    let project = sqlx("snapshot_older");
    project.devdb(&["ready"]).ok();
    write(&project, "one");
    project.devdb(&["snapshot", "save", "old"]).ok();
    project.file("migrations/2_more.sql", "create table more ();\n");
    project.devdb(&["ready"]).ok();
    let restored = project.devdb(&["snapshot", "restore", "old"]).ok();
    assert!(
        restored.stderr.contains("it lacks 1 migration"),
        "{}",
        restored.stderr
    );
    let restored = project
        .devdb(&["snapshot", "restore", "old", "--migrate"])
        .ok();
    assert!(restored.stderr.contains("applied"), "{}", restored.stderr);
    assert_eq!(
        query(&project, "select to_regclass('more') is not null"),
        "t"
    );
    assert_eq!(bodies(&project), "one");
}

#[test]
fn what_would_be_lost_is_kept_as_an_automatic_snapshot() {
    let project = sqlx("snapshot_auto");
    project.file("migrations/1_notes.down.sql", "drop table notes;\n");
    std::fs::rename(
        project.path("migrations/1_notes.sql"),
        project.path("migrations/1_notes.up.sql"),
    )
    .unwrap();
    project.devdb(&["ready"]).ok();
    write(&project, "before the rollback");
    let rollback = project.devdb(&["rollback"]).ok();
    assert!(
        rollback.stderr.contains("devdb snapshot restore auto-1"),
        "{}",
        rollback.stderr
    );
    project.devdb(&["ready"]).ok();
    assert_eq!(bodies(&project), "");
    project.devdb(&["snapshot", "restore", "auto-1"]).ok();
    assert_eq!(bodies(&project), "before the rollback");

    // Each reset keeps what the one before put aside; the last three stay.
    for n in 1..=6 {
        write(&project, &n.to_string());
        project.devdb(&["reset", "--yes"]).ok();
    }
    project.devdb(&["tidy"]).ok();
    let list = project.devdb(&["snapshot", "list", "--json"]).ok().json();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|snapshot| snapshot["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    // The last one stands aside, so the newest snapshot is of the one before.
    project.devdb(&["snapshot", "restore", names[2]]).ok();
    assert_eq!(bodies(&project), "5");
}

#[test]
fn clients_are_named_and_end_when_a_snapshot_is_saved() {
    let project = sqlx("snapshot_clients");
    project.devdb(&["ready"]).ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let target = project.target();
    let mut client = runtime.block_on(devdb::postgres::connect(&target)).unwrap();
    runtime
        .block_on(client.execute("set application_name = 'shop'"))
        .unwrap();
    let saved = project.devdb(&["snapshot", "save", "busy"]).ok();
    assert!(
        saved.stderr.contains("disconnecting 1 client"),
        "{}",
        saved.stderr
    );
    assert!(saved.stderr.contains("shop ("), "{}", saved.stderr);
    assert!(runtime.block_on(client.execute("select 1")).is_err());
}

fn git(project: &Project, arguments: &[&str]) {
    let done = std::process::Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(project.root())
        .env("PATH", path_with_devdb())
        .env("DEVDB_STATE_DIR", project.path(".state"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "git {arguments:?}: {said}");
}

/// So that git's hooks find this build of it.
fn path_with_devdb() -> String {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_devdb"));
    let folder = binary.parent().unwrap().display();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

fn committed(project: &Project) {
    project.file(".gitignore", ".state\n");
    git(project, &["init", "-q"]);
    git(project, &["add", "."]);
    git(project, &["commit", "-qm", "first"]);
}

#[test]
fn each_branch_has_a_database_of_its_own() {
    let project = sqlx("switch");
    committed(&project);
    project.devdb(&["ready"]).ok();
    let stays = project.devdb(&["switch", "--json"]).ok().json();
    assert_eq!(
        (&stays["how"], &stays["entered"]),
        (&"stayed".into(), &"main".into())
    );
    write(&project, "main");

    git(&project, &["switch", "-qc", "feature"]);
    let new = project.devdb(&["switch", "--json"]).ok().json();
    assert_eq!(
        (&new["how"], &new["left"]),
        (&"copied".into(), &"main".into())
    );
    write(&project, "feature");
    assert_eq!(bodies(&project), "feature,main");
    git(&project, &["switch", "-q", "main"]);
    let back = project.devdb(&["switch", "--json"]).ok().json();
    assert_eq!(back["how"], "brought-back");
    assert_eq!(bodies(&project), "main");
    project.devdb(&["switch", "feature"]).ok();
    assert_eq!(bodies(&project), "feature,main");
    project.devdb(&["switch", "third", "--clean"]).ok();
    assert_eq!(query(&project, "select to_regclass('notes') is null"), "t");
    project.devdb(&["ready"]).ok();
    assert_eq!(bodies(&project), "");
    // A parked one is no snapshot to restore by name, but it is listed.
    let list = project.devdb(&["snapshot", "list", "--json"]).ok().json();
    let parked = list.as_array().unwrap();
    assert!(parked.iter().all(|s| s["kind"] == "parked"), "{list}");
    assert_eq!(parked.len(), 2);

    let nowhere = sqlx("switch_nowhere");
    let run = nowhere.devdb(&["switch"]);
    assert_eq!(run.code, 2, "{}", run.show());
    assert!(
        run.stderr.contains("lies in no git repository"),
        "{}",
        run.stderr
    );
}

/// A project with a server of its own from local binaries.
pub fn local(name: &str) -> Project {
    let project = Project::empty(name);
    let bin = std::env::var("DEVDB_TEST_PG_BIN").expect("set by the test script");
    project.file(
        "devdb.toml",
        &format!("[server]\nkind = \"local\"\nbin = {bin:?}\n[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\n"),
    );
    project.file(&format!("migrations/{}", NOTES.0), NOTES.1);
    project
}

#[test]
fn what_was_saved_outlives_resets_of_the_whole_data_directory() {
    let project = local("saved_dirs");
    let full = || project.devdb(&["reset", "--yes", "--full"]).ok();
    project.devdb(&["ready"]).ok();
    project.devdb(&["switch", "main"]).ok();
    write(&project, "saved");
    project.devdb(&["snapshot", "save", "old"]).ok();
    write(&project, "of main");
    project.devdb(&["switch", "feature"]).ok();
    for n in 1..=3 {
        write(&project, &format!("feature {n}"));
        full();
    }
    let list = project.devdb(&["snapshot", "list"]).ok().stdout;
    let elsewhere = |name: &str| {
        let line = list.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{list}"))
            .contains("in a data directory")
    };
    assert!(elsewhere("old ") && elsewhere("main "));
    write(&project, "feature now");
    let refused = project.devdb(&["snapshot", "save", "old"]);
    assert_eq!(refused.code, 5, "{}", refused.show());

    project.devdb(&["snapshot", "restore", "old"]).ok();
    assert_eq!(bodies(&project), "saved");
    project.devdb(&["undo"]).ok();
    assert_eq!(bodies(&project), "feature now");

    // The same for the database of another branch; then back again.
    project.devdb(&["switch", "main"]).ok();
    assert_eq!(bodies(&project), "of main,saved");
    project.devdb(&["switch", "feature"]).ok();
    assert_eq!(bodies(&project), "feature now");
    full();
    project.devdb(&["snapshot", "remove", "old"]).ok();
    project.devdb(&["switch", "main"]).ok();
    assert_eq!(bodies(&project), "of main,saved");
    project.devdb(&["down", "--wipe", "--yes"]).ok();
}

#[test]
fn a_switch_that_was_cut_off_is_seen_for_what_it_became() {
    let project = sqlx("switch_cut");
    project.devdb(&["ready"]).ok();
    project.devdb(&["switch", "main"]).ok();
    write(&project, "main");
    project.devdb(&["switch", "feature"]).ok();
    write(&project, "feature");
    let file = std::fs::read_dir(project.path(".state"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("branch.json"))
        .find(|file| file.exists())
        .unwrap();
    // Killed after the databases changed places, and before that was written down.
    std::fs::write(&file, r#"{"branch":"main","entering":"feature"}"#).unwrap();
    let stays = project.devdb(&["switch", "feature", "--json"]).ok().json();
    assert_eq!(stays["how"], "stayed");
    assert_eq!(bodies(&project), "feature,main");
    // Killed before they did.
    std::fs::write(&file, r#"{"branch":"feature","entering":"main"}"#).unwrap();
    let back = project.devdb(&["switch", "main", "--json"]).ok().json();
    assert_eq!(back["how"], "brought-back");
    assert_eq!(bodies(&project), "main");
}

#[test]
fn git_switches_databases_where_it_is_told_to() {
    let project = sqlx("switch_hook");
    committed(&project);
    project.devdb(&["ready"]).ok();
    write(&project, "main");
    project.devdb(&["init", "--git-hook"]).ok();
    git(&project, &["switch", "-qc", "feature"]);
    write(&project, "feature");
    git(&project, &["switch", "-q", "main"]);
    assert_eq!(bodies(&project), "main");
    // A checkout of files is no switch, and a second installation changes nothing.
    git(&project, &["checkout", "-q", "--", "schema.sql"]);
    assert_eq!(bodies(&project), "main");
    project.devdb(&["init", "--git-hook"]).ok();
    project.file(".git/hooks/post-checkout", "#!/bin/sh\necho mine\n");
    let run = project.devdb(&["init", "--git-hook"]);
    assert_eq!(run.code, 5, "{}", run.show());
    assert!(run.stderr.contains("devdb switch --hook"), "{}", run.stderr);
}

#[test]
fn a_migration_of_another_branch_is_found_there() {
    let project = sqlx("abandoned");
    committed(&project);
    git(&project, &["switch", "-qc", "old-idea"]);
    project.file("migrations/2_idea.sql", "create table idea ();\n");
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "idea"]);
    project.devdb(&["ready"]).ok();
    git(&project, &["switch", "-q", "main"]);
    let ready = project.devdb(&["ready"]);
    assert_eq!(ready.code, 7, "{}", ready.show());
    assert!(
        ready
            .stderr
            .contains("its file is gone; the branch old-idea has it"),
        "{}",
        ready.stderr
    );
    assert!(ready.stderr.contains("devdb switch"), "{}", ready.stderr);
    project.devdb(&["reset", "--yes"]).ok();
    project.devdb(&["ready"]).ok();
}

#[tokio::test]
async fn a_full_disk_is_seen_before() {
    let project = sqlx("room");
    let target = devdb::postgres::Target::parse(&crate::support::server::url()).unwrap();
    let mut on = devdb::postgres::connect(&target).await.unwrap();
    let loaded = devdb::config::load(&devdb::config::Surroundings {
        folder: project.root().to_owned(),
        ..Default::default()
    })
    .unwrap();
    let names = devdb::databases::Names::new(&loaded.config.project, "app");
    let room = devdb::databases::ensure_room(&mut on, &names, 1 << 20).await;
    assert!(room.is_ok(), "{room:?}");
    let error = devdb::databases::ensure_room(&mut on, &names, 1 << 60).await;
    let error = error.unwrap_err();
    assert!(
        error
            .message()
            .contains("not enough room on the server's disk"),
        "{error}"
    );
    assert!(error.hint_text().unwrap().contains("devdb snapshot remove"));
}

#[test]
fn worktrees_run_side_by_side() {
    let project = local("worktrees");
    committed(&project);
    let folders = ["one", "two", "three"].map(|name| {
        git(
            &project,
            &[
                "worktree",
                "add",
                "-q",
                "-b",
                name,
                &format!("trees/{name}"),
            ],
        );
        project.path(&format!("trees/{name}"))
    });
    let devdb = |folder: &std::path::Path, arguments: &[&str]| {
        let mut command = project.command(arguments);
        // Each run of the harness is in the first tree.
        let output = command.current_dir(folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut urls = std::collections::BTreeSet::new();
    for folder in &folders {
        urls.insert(devdb(folder, &["ready"]));
        devdb(
            folder,
            &[
                "psql",
                "-c",
                &format!("insert into notes values ('{}')", folder.display()),
            ],
        );
    }
    assert_eq!(urls.len(), 3, "{urls:?}");
    devdb(&folders[0], &["reset", "--yes"]);
    let count = |folder| devdb(folder, &["psql", "-Atc", "select count(*) from notes"]);
    assert_eq!(
        [count(&folders[0]), count(&folders[1]), count(&folders[2])],
        ["0", "1", "1"]
    );
    for folder in &folders {
        devdb(folder, &["down", "--wipe", "--yes"]);
    }
}

/// Resets of a server that was changed by hand, the second of which finds a prepared data directory.
pub fn a_prepared_data_directory_is_swapped_in(project: &Project) {
    let reset = || {
        query(project, "drop role if exists by_hand; create role by_hand");
        let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
        assert_eq!(
            query(
                project,
                "select count(*) from pg_roles where rolname = 'by_hand'"
            ),
            "0"
        );
        let number = |name: &str| reset[name].as_u64().unwrap();
        (number("from_baseline"), number("migrations"))
    };
    project.devdb(&["ready"]).ok();
    project.devdb(&["tidy"]).ok();
    assert_eq!(reset(), (0, 1));
    project.devdb(&["tidy"]).ok();
    write(project, "before the swap");
    assert_eq!(reset(), (1, 0));
    assert_eq!(bodies(project), "");
    // It is a server like any other, and the next one is prepared again.
    project.devdb(&["reset", "--yes", "--verify"]).ok();
    project.devdb(&["undo"]).ok();
    project.devdb(&["tidy"]).ok();
    assert_eq!(reset(), (1, 0));
    project.devdb(&["undo"]).ok();
    // The chain grew: what was prepared is not what a replay gives any more.
    project.file("migrations/2_more.sql", "create table more ();\n");
    // Somebody who tidies up in the background may have seen the file before.
    let (known, replayed) = reset();
    assert_eq!(known + replayed, 2);
    assert_eq!(
        query(project, "select to_regclass('more') is not null"),
        "t"
    );
    assert_eq!(project.devdb(&["down", "--wipe", "--yes"]).code, 0);
}

#[test]
fn a_prepared_local_data_directory_is_swapped_in() {
    a_prepared_data_directory_is_swapped_in(&local("prepared"));
}

#[test]
fn another_path_is_no_other_server() {
    let project = local("paths");
    project.devdb(&["ready"]).ok();
    let mut command = project.command(&["reset", "--yes", "--json", "-v"]);
    let path = format!("/no/such/folder:{}", std::env::var("PATH").unwrap());
    let reset = project.run({
        command.env("PATH", path);
        command
    });
    assert_eq!(reset.ok().json()["from_baseline"], 1);
    project.devdb(&["down", "--wipe", "--yes"]).ok();
}

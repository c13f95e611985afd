//! The binary with a server of its own in Docker.

use crate::support::docker::docker;
use crate::support::project::{Gone, Project};
use crate::support::python;
use crate::support::server::image;

#[test]
fn what_init_scripts_of_a_compose_file_make_stands_in_every_baseline() {
    let project = Project::empty("compose");
    project
        .file(
            "compose.yaml",
            &format!(
                "services:\n  db:\n    image: {}\n    environment: {{POSTGRES_USER: me, POSTGRES_PASSWORD: pw, POSTGRES_DB: shop}}\n    volumes: ['./init.sql:/docker-entrypoint-initdb.d/init.sql']\n",
                image()
            ),
        )
        // A command of psql's: only the image can run it.
        .file("init.sql", "\\set schema auth\ncreate schema :schema;\ncreate table auth.users (id int primary key);\n")
        .file("migrations/1_notes.sql", "create table notes (author int references auth.users);\n")
        .file("schema.sql", "create table notes (author int references auth.users, body text);\n");
    let _gone = Gone(&project);

    let ready = project.devdb(&["ready", "--json"]).ok().json();
    assert_eq!(ready["database"], "shop");
    let generated = project.devdb(&["generate", "body", "--json"]).ok().json();
    assert_eq!(generated["proved"], true);
    assert_eq!(generated["changes"][0], "+ column public.notes.body text");
    project.devdb(&["reset", "--yes"]).ok();
    project.devdb(&["drift"]).ok();
    project.devdb(&["undo"]).ok();
}

/// An empty sqlx project with a server of its own.
fn sqlx_project(name: &str) -> Project {
    let project = Project::empty(name);
    let toml = format!(
        "[server]\nkind = \"docker\"\nimage = {:?}\n[migrations]\ntool = \"sqlx\"\ndir = \"migrations\"\n",
        image()
    );
    project.file("devdb.toml", &toml);
    project
}

#[test]
fn a_reset_is_a_clone_where_that_is_the_same_as_a_replay() {
    let project = sqlx_project("baseline");
    project
        .file("migrations/1_notes.sql", "create table notes (id int);\n")
        .file("migrations/2_more.sql", "insert into notes values (1);\n");
    let _gone = Gone(&project);
    let psql = |sql: &str| {
        let run = project.devdb(&["psql", "-Atc", sql]).ok();
        run.stdout.trim().to_owned()
    };
    let reset = |arguments: &[&str]| {
        let arguments = [&["reset", "--yes", "--json"], arguments].concat();
        let reset = project.devdb(&arguments).ok().json();
        let number = |name: &str| reset[name].as_u64().unwrap();
        (number("from_baseline"), number("migrations"))
    };
    project.devdb(&["ready"]).ok();
    psql("create table by_hand (id int)");
    assert_eq!(reset(&[]), (2, 0));
    assert_eq!(
        psql("select to_regclass('by_hand') is null, (select count(*) from notes)"),
        "t|1"
    );
    project.devdb(&["undo"]).ok();
    assert_eq!(psql("select to_regclass('by_hand') is null"), "f");

    // What comes after the known beginning is replayed; an edited migration is known no more.
    project.file("migrations/3_last.sql", "create table last ();\n");
    assert_eq!(reset(&[]), (2, 1));
    project.devdb(&["tidy"]).ok();
    assert_eq!(reset(&[]), (3, 0));
    project.file(
        "migrations/2_more.sql",
        "insert into notes values (1), (2);\n",
    );
    assert_eq!(reset(&[]), (0, 3));
    // So does what the settings name besides.
    let toml = project.read("devdb.toml");
    project.file("devdb.toml", &format!("{toml}variables = [\"TENANT\"]\n"));
    project.file(".env", "TENANT=a\n");
    assert_eq!(reset(&[]), (0, 3));
    assert_eq!(reset(&[]), (3, 0));
    project.file(".env", "TENANT=b\n");
    assert_eq!(reset(&[]), (0, 3));
    project.file("devdb.toml", &toml);
    assert_eq!(psql("select count(*) from notes"), "2");
    assert_eq!(reset(&["--full"]), (0, 3));
    // Its baseline is made behind it.
    project.devdb(&["tidy"]).ok();
    assert_eq!(reset(&[]), (3, 0));

    // A setting and a role are the server's: no clone takes them away. (A data directory that stands
    // ready may.)
    let long_way = || {
        let (from_baseline, replayed) = reset(&[]);
        assert_eq!(from_baseline + replayed, 3);
    };
    psql("alter system set work_mem = '5MB'");
    long_way();
    let by_hand = "select count(*) from pg_file_settings where name = 'work_mem'";
    assert_eq!(psql(by_hand), "0");
    psql("create role made_by_hand");
    psql("create table in_the_old_server (id int)");
    long_way();
    assert_eq!(
        psql("select count(*) from pg_roles where rolname = 'made_by_hand'"),
        "0"
    );
    project.devdb(&["undo"]).ok();
    assert_eq!(psql("select to_regclass('in_the_old_server') is null"), "f");
    assert_eq!(
        psql("select count(*) from pg_roles where rolname = 'made_by_hand'"),
        "1"
    );

    let list = project.devdb(&["baseline", "list", "--json"]).ok().json();
    assert!(!list.as_array().unwrap().is_empty());
    project.devdb(&["baseline", "prune"]).ok();
    let list = project.devdb(&["baseline", "list", "--json"]).ok().json();
    assert_eq!(list, serde_json::json!([]));
}

#[test]
fn a_chain_that_makes_a_role_is_cloned_where_the_server_has_just_that() {
    let project = sqlx_project("server_wide");
    project
        .file(
            "migrations/1_role.sql",
            "create role reader password 'x';\n",
        )
        .file(
            "migrations/2_notes.sql",
            "create table notes (id int);\ngrant select on notes to reader;\n",
        )
        .file(
            "schema.sql",
            "create table notes (id int, body text);\ngrant select on notes to reader;\n",
        );
    let toml = format!("{}schema = \"schema.sql\"\n", project.read("devdb.toml"));
    project.file("devdb.toml", &toml);
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    let reset = |arguments: &[&str]| {
        let arguments = [&["reset", "--yes", "--json"], arguments].concat();
        let reset = project.devdb(&arguments).ok().json();
        let number = |name: &str| reset[name].as_u64().unwrap();
        (number("from_baseline"), number("migrations"))
    };
    let psql = |sql: &str| project.devdb(&["psql", "-Atc", sql]).ok();
    assert_eq!(reset(&["--verify"]), (2, 0));
    // By hand, the server is no longer what the chain makes.
    psql("alter role reader createdb");
    assert_eq!(reset(&[]), (0, 2));
    assert_eq!(reset(&[]), (2, 0));

    // Against a known baseline, against one that wants a role which is there already, and against
    // one that wants a role which is not.
    project.devdb(&["generate", "body"]).ok();
    for role in ["writer", "owner"] {
        project.file(
            &format!("migrations/90000101000000_{role}.sql"),
            &format!("create role {role};\n"),
        );
        if role == "writer" {
            project.devdb(&["ready"]).ok();
        }
        let none = project
            .devdb(&["generate", "nothing", "--json"])
            .ok()
            .json();
        assert_eq!(none["files"], serde_json::json!([]), "{none}");
        project.devdb(&["drift", "--json"]).ok();
        assert_eq!(psql("select count(*) from notes").stdout.trim(), "0");
        if role == "writer" {
            std::fs::remove_file(project.path("migrations/90000101000000_writer.sql")).unwrap();
            reset(&["--full"]);
        }
    }
    assert_eq!(
        psql("select count(*) from pg_roles where rolname = 'owner'")
            .stdout
            .trim(),
        "0"
    );
    project.devdb(&["down", "--wipe", "--yes"]).ok();
    let servers = docker(&["ps", "-a", "--format", "{{.Names}}"]).unwrap();
    let folder = project.root().file_name().unwrap().to_string_lossy();
    let folder = folder.replace('.', "").to_lowercase();
    let ours = servers.lines().filter(|name| name.contains(&folder));
    assert_eq!(ours.count(), 0, "a server is left: {servers}");
}

#[test]
fn a_reset_is_verified_against_a_full_replay() {
    let project = sqlx_project("verify");
    project.file(
        "migrations/1_notes.sql",
        "create table notes (id int, body text, drawn uuid default gen_random_uuid());\ninsert into notes values (1, 'a');\n",
    );
    project.file("migrations/2_more.sql", "create table more ();\n");
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    let reset = project.devdb(&["reset", "--yes", "--verify", "--json"]);
    let reset = reset.ok().json();
    assert_eq!(reset["verified"], true);
    assert_eq!(
        reset["random"],
        serde_json::json!(["table public.notes: the values of drawn"])
    );
    let reset = project.devdb(&["reset", "--yes", "--verify", "--to", "1", "--json"]);
    assert_eq!(reset.ok().json()["from_baseline"], 0);
    let status = project.devdb(&["status", "--json"]).ok().json();
    assert_eq!(status["database"]["pending"], serde_json::json!(["2 more"]));
    let wrong = project.devdb(&["reset", "--yes", "--to", "7"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("there is no migration 7"),
        "{}",
        wrong.stderr
    );

    // A baseline that somebody tampered with is found out.
    project.devdb(&["reset", "--yes"]).ok();
    project.devdb(&["tidy"]).ok();
    let list = project.devdb(&["baseline", "list", "--json"]).ok().json();
    for baseline in list.as_array().unwrap() {
        let name = baseline["name"].as_str().unwrap();
        let allow = |allow: bool| format!("alter database \"{name}\" allow_connections {allow}");
        project
            .devdb(&[
                "psql",
                "-c",
                &allow(true),
                "-c",
                &format!("\\c {name}"),
                "-c",
                "insert into notes values (2, 'b')",
            ])
            .ok();
        project.devdb(&["psql", "-c", &allow(false)]).ok();
    }
    project
        .devdb(&["psql", "-c", "create table by_hand ()"])
        .ok();
    // The spare is a clone of the baseline as it was.
    project.devdb(&["reset", "--yes", "--verify"]).ok();
    let reset = project.devdb(&["reset", "--yes", "--verify"]);
    assert_eq!(reset.code, 3, "{}", reset.stderr);
    assert!(
        reset
            .stderr
            .contains("table public.notes: the number of rows"),
        "{}",
        reset.stderr
    );
    project
        .devdb(&["reset", "--yes", "--full", "--verify"])
        .ok();
}

#[test]
fn a_spare_makes_the_next_reset_a_rename() {
    let project = sqlx_project("spare");
    project.file("migrations/1_notes.sql", "create table notes (id int);\n");
    let _gone = Gone(&project);
    let oid = |name: &str| {
        let sql = format!("select oid from pg_database where datname like '%{name}%'");
        project.devdb(&["psql", "-Atc", &sql]).ok().stdout
    };
    project.devdb(&["ready"]).ok();
    let tidied = project.devdb(&["tidy", "--json"]).ok().json();
    assert!(tidied["spare_of"].is_string(), "{tidied}");
    let spare = oid("_spare_");
    assert_eq!(spare.lines().count(), 1);
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    let dev = format!(
        "select oid from pg_database where datname = '{}'",
        reset["database"].as_str().unwrap()
    );
    assert_eq!(project.devdb(&["psql", "-Atc", &dev]).ok().stdout, spare);
    // The chain grew: the spare is of what it is now. Two resets leave something to drop.
    project.devdb(&["reset", "--yes"]).ok();
    project.file("migrations/2_more.sql", "create table more ();\n");
    project.devdb(&["tidy"]).ok();
    assert_eq!(oid("_trash_"), "");
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(reset["from_baseline"], 2);
    // Without one, where that is configured.
    let toml = format!("{}[database]\nspare = false\n", project.read("devdb.toml"));
    project.file("devdb.toml", &toml);
    let tidied = project.devdb(&["tidy", "--json"]).ok().json();
    assert!(tidied["spare_of"].is_null());
    assert_eq!(oid("_spare_"), "");
}

#[test]
fn a_client_that_comes_back_at_once_does_not_stop_a_reset() {
    let project = sqlx_project("clients");
    project.file("migrations/1_notes.sql", "create table notes (id int);\n");
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    let url = project.command(&["url"]).output().unwrap().stdout;
    let url = String::from_utf8(url).unwrap();
    let target = devdb::postgres::Target::parse(url.trim()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let came = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let Ok(mut client) = devdb::postgres::connect(&target).await else {
                            continue;
                        };
                        came.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let _ = client.execute("select pg_sleep(1)").await;
                    }
                });
            });
        }
        let runs: Vec<_> = (0..5).map(|_| project.devdb(&["reset", "--yes"])).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for run in runs {
            run.ok();
        }
    });
    assert!(came.into_inner() >= 5);
}

#[test]
fn a_reset_to_a_known_baseline_starts_no_python() {
    let project = Project::empty("alembic_baseline");
    let toml = format!(
        "[server]\nkind = \"docker\"\nimage = {:?}\n[migrations]\ntool = \"alembic\"\nrun = [{:?}, \"-m\", \"alembic\"]\n[env]\nDATABASE_URL = \"postgresql+psycopg\"\n",
        image(),
        python::python().display().to_string()
    );
    project.file("devdb.toml", &toml);
    python::copy_project("alembic_plain", project.root());
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    project
        .devdb(&["psql", "-c", "create table by_hand (id int)"])
        .ok();
    // Without an interpreter, Python cannot be started.
    let python = python::python().display().to_string();
    project.file("devdb.toml", &toml.replace(&python, "/no/such/python"));
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(
        (&reset["from_baseline"], &reset["migrations"]),
        (&3.into(), &0.into())
    );
    let gone = "select to_regclass('by_hand') is null";
    let gone = project.devdb(&["psql", "-Atc", gone]).ok();
    assert_eq!(gone.stdout.trim(), "t");

    // A module that a revision imports belongs to its key.
    project.file("devdb.toml", &toml);
    project.file("shop/kinds.py", "KIND = 'new'\n");
    let name = project.read_folder("migrations/versions").pop().unwrap();
    let file = format!("migrations/versions/{name}");
    let text = project.read(&file);
    project.file(&file, &format!("from shop.kinds import KIND\n{text}"));
    let replayed = |run: serde_json::Value| run["migrations"].as_u64().unwrap();
    assert!(replayed(project.devdb(&["reset", "--yes", "--json"]).ok().json()) > 0);
    assert_eq!(
        replayed(project.devdb(&["reset", "--yes", "--json"]).ok().json()),
        0
    );
    project.file("shop/kinds.py", "KIND = 'newer'\n");
    assert!(replayed(project.devdb(&["reset", "--yes", "--json"]).ok().json()) > 0);
    // The models are none of a replay's business.
    let models = project.read("shop/models.py");
    project.file("shop/models.py", &format!("{models}\n# a change\n"));
    assert_eq!(
        replayed(project.devdb(&["reset", "--yes", "--json"]).ok().json()),
        0
    );
}

#[test]
fn undo_takes_back_the_last_reset_whichever_way_it_went() {
    let project = sqlx_project("undo_ways");
    project.file("migrations/1_notes.sql", "create table notes (id int);\n");
    let _gone = Gone(&project);
    let make = |table: &str| {
        project
            .devdb(&["psql", "-c", &format!("create table {table} ()")])
            .ok()
    };
    let has = |table: &str| {
        let sql = format!("select to_regclass('{table}') is not null");
        project.devdb(&["psql", "-Atc", &sql]).ok().stdout.trim() == "t"
    };
    project.devdb(&["ready"]).ok();
    make("before_long");
    project.devdb(&["reset", "--yes", "--full"]).ok();
    make("before_short");
    project.devdb(&["reset", "--yes"]).ok();
    assert!(!has("before_short"));
    // The server that stands still is asked all the same, and not passed over for older data.
    project.devdb(&["down"]).ok();
    project.devdb(&["undo"]).ok();
    assert!(has("before_short") && !has("before_long"));

    // A long reset that fails loses nothing that an earlier one put aside.
    project.devdb(&["reset", "--yes"]).ok();
    make("before_failure");
    project.file("migrations/2_bad.sql", "select 1 / 0;\n");
    assert_ne!(project.devdb(&["reset", "--yes", "--full"]).code, 0);
    std::fs::remove_file(project.path("migrations/2_bad.sql")).unwrap();
    project.devdb(&["undo"]).ok();
    assert!(has("before_failure"));
    project.devdb(&["undo"]).ok();
    assert!(
        has("before_short"),
        "what the short reset put aside is still there"
    );
}

#[test]
fn a_chain_that_speaks_of_its_database_is_replayed_in_the_dev_database() {
    let project = sqlx_project("by_name");
    project.file(
        "devdb.toml",
        &format!(
            "{}schema = \"schema.sql\"\n[database]\nname = \"app\"\n",
            project.read("devdb.toml")
        ),
    );
    project
        .file(
            "migrations/1_zone.sql",
            "alter database app set timezone = 'Asia/Tokyo';\n",
        )
        .file("schema.sql", "create table more ();\n")
        .file("migrations/2_more.sql", "create table more ();\n");
    let _gone = Gone(&project);
    let zone = || {
        project
            .devdb(&["psql", "-Atc", "show timezone"])
            .ok()
            .stdout
            .trim()
            .to_owned()
    };
    project.devdb(&["ready"]).ok();
    assert_eq!(zone(), "Asia/Tokyo");
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(zone(), "Asia/Tokyo");
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(
        (&reset["from_baseline"], zone().as_str()),
        (&2.into(), "Asia/Tokyo")
    );

    // Where it is not replayed yet, `generate` must not touch the dev database's settings.
    project
        .file(
            "migrations/3_zone.sql",
            "alter database app set timezone = 'Asia/Seoul';\n",
        )
        .file("schema.sql", "create table more (id int);\n");
    project.devdb(&["generate", "id"]).ok();
    assert_eq!(zone(), "Asia/Tokyo");
    project.devdb(&["reset", "--yes", "--verify"]).ok();
    assert_eq!(zone(), "Asia/Seoul");
}

#[test]
fn a_snapshot_goes_into_a_file_and_comes_back() {
    let project = sqlx_project("export");
    project.file(
        "migrations/1_notes.sql",
        "create extension vector;\ncreate table notes (body text, at vector(2));\n",
    );
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    let psql = |sql: &str| {
        let run = project.devdb(&["psql", "-Atc", sql]).ok();
        run.stdout.trim().to_owned()
    };
    psql("insert into notes values ('kept', '[1,2]')");
    project.devdb(&["snapshot", "save", "it"]).ok();
    project.devdb(&["snapshot", "export", "it", "it.dump"]).ok();
    let twice = project.devdb(&["snapshot", "export", "it", "it.dump"]);
    assert_eq!(twice.code, 5, "{}", twice.show());
    project.devdb(&["down", "--wipe", "--yes"]).ok();
    project.devdb(&["ready"]).ok();
    let imported = project.devdb(&["snapshot", "import", "from file", "it.dump", "--json"]);
    assert_eq!(imported.ok().json()["at"], "1 notes");
    project.devdb(&["snapshot", "restore", "from file"]).ok();
    assert_eq!(psql("select body, at from notes"), "kept|[1,2]");
    project.file("bad.dump", "no dump at all");
    let bad = project.devdb(&["snapshot", "import", "bad", "bad.dump"]);
    assert_eq!(bad.code, 1, "{}", bad.show());
    assert!(bad.stderr.contains("pg_restore failed"), "{}", bad.stderr);
}

#[test]
fn a_prepared_folder_is_swapped_in() {
    let project = sqlx_project("prepared_folder");
    project.file(
        "migrations/1_notes.sql",
        "create table notes (body text);\n",
    );
    let toml = project.read("devdb.toml");
    let toml = toml.replace("[server]\n", "[server]\ndata = \"./data/pg\"\n");
    project.file("devdb.toml", &toml);
    let _gone = Gone(&project);
    crate::kept::a_prepared_data_directory_is_swapped_in(&project);
    let left: Vec<_> = std::fs::read_dir(project.path("data")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_prepared_volume_is_swapped_in() {
    let project = sqlx_project("prepared");
    project.file(
        "migrations/1_notes.sql",
        "create table notes (body text);\n",
    );
    let _gone = Gone(&project);
    crate::kept::a_prepared_data_directory_is_swapped_in(&project);
    let folder = project.root().file_name().unwrap().to_string_lossy();
    let folder = folder.replace('.', "").to_lowercase();
    let volumes = docker(&["volume", "ls", "-q"]).unwrap();
    let left: Vec<&str> = volumes
        .lines()
        .filter(|name| name.contains(&folder))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_chain_that_makes_another_database_is_prepared() {
    let project = sqlx_project("other_database");
    project.file(
        "migrations/1_other.sql",
        "-- no-transaction\ncreate database devdb_reports;\n",
    );
    project.file("migrations/2_notes.sql", "create table notes ();\n");
    project.file("schema.sql", "create table notes (id int);\n");
    let toml = format!("{}schema = \"schema.sql\"\n", project.read("devdb.toml"));
    project.file("devdb.toml", &toml);
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    let reset = || project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(reset()["migrations"], 2);
    project.devdb(&["tidy"]).ok();
    let reset = reset();
    assert_eq!(
        (&reset["from_baseline"], &reset["migrations"]),
        (&2.into(), &0.into())
    );
    let sql = "select count(*) from pg_database where datname = 'devdb_reports'";
    assert_eq!(
        project.devdb(&["psql", "-Atc", sql]).ok().stdout.trim(),
        "1"
    );
    project.devdb(&["generate", "id"]).ok();
}

#[test]
fn what_is_said_of_the_database_stays_with_it() {
    let project = sqlx_project("said");
    let toml = project.read("devdb.toml");
    project
        .file("devdb.toml", &format!("{toml}[database]\nname = \"app\"\n"))
        .file(
            "migrations/1_said.sql",
            "create table notes ();\ncomment on database app is 'by devdb''s\nusers';\n",
        );
    let _gone = Gone(&project);
    let psql = |sql: &str| {
        let run = project.devdb(&["psql", "-Atc", sql]).ok();
        run.stdout.trim().to_owned()
    };
    let said = || {
        psql(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()",
        )
    };
    let by_chain = "by devdb's\nusers";
    project.devdb(&["ready"]).ok();
    project.devdb(&["switch", "main"]).ok();
    let reset =
        || project.devdb(&["reset", "--yes", "--json"]).ok().json()["from_baseline"].clone();
    assert_eq!((reset(), said().as_str()), (1.into(), by_chain));
    project.devdb(&["tidy"]).ok();
    assert_eq!((reset(), said().as_str()), (1.into(), by_chain));

    // What a developer says goes where the data goes, through marks and back.
    psql("comment on database app is 'mine'");
    project.devdb(&["snapshot", "save", "it"]).ok();
    assert_eq!((reset(), said().as_str()), (1.into(), by_chain));
    project.devdb(&["undo"]).ok();
    assert_eq!(said(), "mine");
    project.devdb(&["reset", "--yes"]).ok();
    project.devdb(&["snapshot", "restore", "it"]).ok();
    assert_eq!(said(), "mine");
    project.devdb(&["switch", "other"]).ok();
    assert_eq!(said(), "mine", "it begins as a copy");
    project.devdb(&["switch", "clean", "--clean"]).ok();
    assert_eq!(said(), by_chain);
    project.devdb(&["switch", "main"]).ok();
    assert_eq!(said(), "mine");
    let psql = "psql \"$DATABASE_URL\" -Atc \"select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()\"";
    let run = project.devdb(&["run", "--", "sh", "-c", psql]);
    assert_eq!(run.ok().stdout.trim(), by_chain);
}

#[test]
fn a_reset_gives_what_initdb_would_be_told_now() {
    let project = Project::empty("initdb");
    let compose = |more: &str| {
        let image = image();
        project.file(
            "compose.yaml",
            &format!("services:\n  db:\n    image: {image}\n    environment: {{POSTGRES_PASSWORD: pw{more}}}\n"),
        );
    };
    compose("");
    project.file("migrations/1_notes.sql", "create table notes ();\n");
    let _gone = Gone(&project);
    let show = || {
        let run = project.devdb(&["psql", "-Atc", "show data_checksums"]);
        run.ok().stdout.trim().to_owned()
    };
    project.devdb(&["ready"]).ok();
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(show(), "off");
    compose(", POSTGRES_INITDB_ARGS: --data-checksums");
    let ready = project.devdb(&["ready"]).ok();
    assert!(
        ready
            .stderr
            .contains("counts only when a data directory is made"),
        "{}",
        ready.stderr
    );
    assert_eq!(show(), "off");
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(show(), "on");
    let reset =
        || project.devdb(&["reset", "--yes", "--json"]).ok().json()["from_baseline"].clone();
    assert_eq!((reset(), show().as_str()), (1.into(), "on"));
    compose("");
    project.devdb(&["reset", "--yes"]).ok();
    assert_eq!(show(), "off");
}

#[test]
fn a_server_in_memory_is_reset_by_a_clone() {
    let project = sqlx_project("in_memory");
    project.file("migrations/1_notes.sql", "create table notes ();\n");
    let toml = project.read("devdb.toml");
    let toml = toml.replace("[server]\n", "[server]\ndata = \"tmpfs\"\n");
    project.file("devdb.toml", &toml);
    let _gone = Gone(&project);
    project.devdb(&["ready"]).ok();
    project
        .devdb(&["psql", "-c", "create table by_hand ()"])
        .ok();
    let reset = project.devdb(&["reset", "--yes", "-v"]).ok();
    assert!(reset.stderr.contains("the short way"), "{}", reset.stderr);
    let tables = || {
        let sql = "select string_agg(relname, ' ' order by relname) from pg_class where relnamespace = 'public'::regnamespace and relname !~ '^_'";
        project.devdb(&["psql", "-Atc", sql]).ok().stdout
    };
    assert_eq!(tables().trim(), "notes");
    project.devdb(&["undo"]).ok();
    assert_eq!(tables().trim(), "by_hand notes");
}

#[test]
fn a_baseline_of_the_longer_chain_is_made_by_tidy() {
    let project = sqlx_project("one_more");
    project.file("migrations/1_notes.sql", "create table notes ();\n");
    let _gone = Gone(&project);
    let baselines = || {
        let listed = project.devdb(&["baseline", "list", "--json"]).ok().json();
        listed.as_array().unwrap().len()
    };
    let reset = || {
        let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
        let number = |name: &str| reset[name].as_u64().unwrap();
        (number("from_baseline"), number("migrations"))
    };
    project.devdb(&["ready"]).ok();
    assert_eq!((reset(), baselines()), ((1, 0), 1));
    project.file("migrations/2_more.sql", "create table more ();\n");
    assert_eq!(reset(), (1, 1));
    project.devdb(&["tidy"]).ok();
    assert_eq!((reset(), baselines()), ((2, 0), 2));
}

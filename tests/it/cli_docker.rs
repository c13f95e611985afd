//! The binary with a server of its own in Docker.

use crate::support::project::Project;
use crate::support::server::image;

/// Takes the project's server and data away, also when the test fails.
struct Gone<'a>(&'a Project);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let run = self.0.devdb(&["down", "--wipe", "--yes"]);
        if run.code != 0 && !std::thread::panicking() {
            panic!("{}", run.show());
        }
    }
}

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

//! `kind = "url"`: a server that devdb did not make, here by testcontainers.

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use devdb::config::ServerKind;
use devdb::server::Condition;

use crate::support::docker::TestProject;
use crate::support::project::Project;
use crate::support::server::image;

#[tokio::test]
async fn the_whole_way_on_a_server_of_somebody_else() {
    let image = image();
    let (name, tag) = image.rsplit_once(':').unwrap();
    let container = GenericImage::new(name, tag)
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::message_on_stderr("ready to accept connections"))
        .with_env_var("POSTGRES_USER", "owner")
        .with_env_var("POSTGRES_PASSWORD", "p@ss:w%rd/{}")
        .start()
        .await
        .expect("an engine and the image (scripts/test.sh gets both)");
    let port = container.get_host_port_ipv4(5432).await.unwrap();

    let project = Project::empty("url_server");
    let url = format!("postgresql://owner:p%40ss%3Aw%25rd%2F%7B%7D@127.0.0.1:{port}/owner");
    project
        .file(
            "devdb.toml",
            &format!(
                "[server]\nkind = \"url\"\nurl = \"{url}\"\nallow_reset = true\n[database]\nname = \"shop\"\n[migrations]\ntool = \"sqlx\"\nschema = \"schema.sql\"\n"
            ),
        )
        .file("migrations/1_items.sql", "create table items (id int primary key);\n")
        .file("schema.sql", "create table items (id int primary key, name text);\n");

    // The message that testcontainers waits for comes from the init phase too; devdb itself waits
    // for an answer over TCP.
    let mut ready = project.devdb(&["ready", "--json"]);
    for _ in 0..100 {
        if ready.code == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        ready = project.devdb(&["ready", "--json"]);
    }
    let ready = ready.ok().json();
    assert_eq!(ready["applied"][0], "1");
    assert!(
        ready["url"]
            .as_str()
            .unwrap()
            .contains("p%40ss%3Aw%25rd%2F%7B%7D")
    );

    let generated = project.devdb(&["generate", "names", "--json"]).ok().json();
    assert_eq!(generated["proved"], true);
    project.devdb(&["migrate"]).ok();
    let reset = project.devdb(&["reset", "--yes", "--json"]).ok().json();
    assert_eq!(reset["migrations"], 2);
    project.devdb(&["undo"]).ok();

    let down = project.devdb(&["down"]);
    assert_eq!(
        down.code,
        5,
        "devdb stops only what it started: {}",
        down.show()
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_called_so() {
    let mut project = TestProject::local("nourl");
    project.config.server.kind = ServerKind::Url;
    project.config.server.url = Some("postgresql://me@127.0.0.1:1/x".into());
    let status = project.open().await.status().await.unwrap();
    assert_eq!(status.condition, Condition::Unreachable);
    assert_eq!(status.condition.to_string(), "not reachable");
}

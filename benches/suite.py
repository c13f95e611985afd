"""A suite of tests, each with a database of its own at head: devdb::testing, #[sqlx::test] and testcontainers.

    python3 benches/suite.py FOLDER [TESTS] [MIGRATIONS] [CONTAINERS]

Makes a crate in FOLDER with a chain of MIGRATIONS (270) and TESTS (300) empty tests of each kind, so that what is
measured is set-up and tear-down, and runs them by `cargo test`, as many at a time as there are processors. Of the
kind with a container for each test, which replays the chain in it, only CONTAINERS (16) are run and counted up.
"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVDB = os.path.join(HERE, "target/release/devdb")

MANIFEST = """[package]
name = "suite"
version = "0.0.0"
edition = "2024"

[workspace]

[dev-dependencies]
devdb = { path = "%s", features = ["testcontainers"] }
sqlx = { version = "0.9", default-features = false, features = ["runtime-tokio", "postgres", "migrate", "macros"] }
testcontainers = "0.28"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
"""

KINDS = {
    "devdb": """    #[tokio::test]
    async fn t%d() {
        let db = devdb::testing::database().await.unwrap();
        sqlx::query("select 1").execute(db.pool()).await.unwrap();
    }
""",
    "sqlx_test": """    #[sqlx::test]
    async fn t%d(pool: sqlx::PgPool) {
        sqlx::query("select 1").execute(&pool).await.unwrap();
    }
""",
    "containers": """    #[tokio::test(flavor = "multi_thread")]
    async fn t%d() {
        use devdb::testing::PostgresImage;
        use testcontainers::runners::AsyncRunner as _;
        let image = PostgresImage::of_project().unwrap();
        let container = image.clone().start().await.unwrap();
        let port = container.get_host_port_ipv4(PostgresImage::PORT).await.unwrap();
        let pool = sqlx::PgPool::connect(&image.url("127.0.0.1", port)).await.unwrap();
        sqlx::migrate!().run(&pool).await.unwrap();
        sqlx::query("select 1").execute(&pool).await.unwrap();
    }
""",
}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def make(folder, tests, migrations, containers, image):
    write(folder + "/Cargo.toml", MANIFEST % HERE)
    write(folder + "/src/lib.rs", "")
    for number in range(1, migrations + 1):
        table = "t%d" % (number % 90)
        sql = "create table %s (id bigint generated always as identity primary key, name text not null, at timestamptz default now());\ncreate index on %s (name);\n" % (table, table)
        if number > 90:
            sql = "alter table %s add column c%d int;\n" % (table, number)
        elif number == 90:
            sql = "create table t0 (id bigint);\n"
        write("%s/migrations/%04d_step.sql" % (folder, number), sql)
    text = ""
    for kind, body in KINDS.items():
        count = containers if kind == "containers" else tests
        text += "mod %s {\n%s}\n" % (kind, "".join(body % n for n in range(count)))
    write(folder + "/tests/suite.rs", text)
    # The stand-in's name where that is what the machine has: testcontainers asks for exactly this one.
    write(folder + "/devdb.toml", '[server]\nimage = "%s"\n[migrations]\ntool = "sqlx"\ndir = "migrations"\n' % image)


def main():
    folder = os.path.abspath(sys.argv[1])
    tests, migrations, containers = [int(n) for n in sys.argv[2:]] + [300, 270, 16][len(sys.argv) - 2 :]
    images = ["pgvector/pgvector:pg17", "devdb/pgvector:pg17"]
    here = [i for i in images if subprocess.run(["docker", "image", "inspect", i], capture_output=True).returncode == 0]
    make(folder, tests, migrations, containers, here[0])
    url = subprocess.run([DEVDB, "ready", "-q"], cwd=folder, check=True, capture_output=True, text=True)
    env = dict(os.environ, DATABASE_URL=url.stdout.strip(), CARGO_TARGET_DIR=folder + "/target")
    subprocess.run(["cargo", "test", "-j2", "--release", "--no-run"], cwd=folder, env=env, check=True)
    for kind in KINDS:
        command = ["cargo", "test", "-q", "--release", "--test", "suite", kind + "::"]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        took = time.perf_counter() - begun
        if done.returncode != 0:
            sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
        count = containers if kind == "containers" else tests
        print("%-10s %4d tests %7.1f s  %7.1f ms each  %7.1f s for %d" % (kind, count, took, took / count * 1e3, took / count * tests, tests))


main()

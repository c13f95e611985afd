#!/usr/bin/env python3
"""Times devdb beside other commands, in one run, turn by turn, and prints medians and ratios.

    benches/run.py reset  [--runs 20] [--migrations 300]     reset and ready beside bare psql and sqlx-cli
    benches/run.py diff   [--runs 5] [--tables 1000]         diff beside pg_dump and migra, where that is
    benches/serve.py                                         what serve lends beside bare SQL and a bare answer

Wants a release build (`cargo build --release`), `psql`, and Docker or local binaries for a server of its own.
What is not installed is left out and named. Timings are never part of a test.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVDB = os.environ.get("DEVDB", os.path.join(ROOT, "target", "release", "devdb"))


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit("%s\n%s%s" % (" ".join(command), done.stdout, done.stderr))
    return done.stdout


def timed(command, **options):
    begun = time.perf_counter()
    run(command, **options)
    return time.perf_counter() - begun


def table(title, rows, yardstick):
    """`rows`: name and seconds of each run; medians, and ratios to the yardstick."""
    print("\n%s" % title)
    base = statistics.median(dict(rows)[yardstick])
    for name, times in rows:
        middle = statistics.median(times)
        print(
            "  %-44s %9.1f ms   %6.2f x   (%.1f to %.1f, %d runs)"
            % (name, middle * 1000, middle / base, min(times) * 1000, max(times) * 1000, len(times))
        )


def turns(commands, runs):
    """Runs each command once per turn, so that what the machine does meanwhile hits all alike."""
    times = [(name, []) for name, _ in commands]
    for turn in range(runs + 1):
        for (name, command), (_, found) in zip(commands, times):
            took = command()
            if turn:  # the first turn warms up
                found.append(took)
    return times


class Project:
    """A sqlx project with a server of its own."""

    def __init__(self, migrations):
        self.folder = tempfile.mkdtemp(prefix="devdb-bench-")
        self.env = dict(os.environ, DEVDB_STATE_DIR=os.path.join(self.folder, ".state"))
        os.mkdir(os.path.join(self.folder, "migrations"))
        self.write("devdb.toml", '[migrations]\ntool = "sqlx"\ndir = "migrations"\n')
        for n in range(1, migrations + 1):
            self.write(
                "migrations/%d_step.sql" % n,
                "create table t%d (id bigint primary key, name text not null);\n" % n
                if n % 3 == 1
                else "alter table t%d add column c%d text;\n" % ((n - 1) // 3 * 3 + 1, n),
            )

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def devdb(self, *arguments):
        return run([DEVDB, *arguments], cwd=self.folder, env=self.env)

    def timed(self, *arguments):
        return timed([DEVDB, *arguments], cwd=self.folder, env=self.env)

    def reset_without_spare(self):
        env = dict(self.env, DEVDB_DATABASE_SPARE="false")
        run([DEVDB, "tidy"], cwd=self.folder, env=env)
        return timed([DEVDB, "reset", "--yes"], cwd=self.folder, env=env)

    def reset_with_spare(self):
        self.devdb("tidy")
        return self.timed("reset", "--yes")

    def reset_one_more(self):
        """One that is new each time, after a spare of the chain without it."""
        self.devdb("reset", "--yes")
        self.devdb("tidy")
        self.more = getattr(self, "more", 0) + 1
        self.write("migrations/90000_more.sql", "create table more%d ();\n" % self.more)
        took = self.timed("reset", "--yes")
        os.remove(os.path.join(self.folder, "migrations/90000_more.sql"))
        self.devdb("reset", "--yes")
        return took

    def close(self):
        self.devdb("down", "--wipe", "--yes")
        shutil.rmtree(self.folder, ignore_errors=True)


def reset(options):
    project = Project(options.migrations)
    try:
        url = project.devdb("ready").strip()
        maintenance = url.rsplit("/", 1)[0] + "/postgres"
        psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        # A template as devdb's baseline is one.
        run(psql + [maintenance, "-c", "create database bare_template template %s" % url.rsplit("/", 1)[1]])
        run(psql + [maintenance, "-c", "create database bare template bare_template"])
        swap = [
            "alter database bare rename to bare_aside",
            "create database bare template bare_template strategy wal_log",
        ]
        arguments = [part for sql in swap for part in ("-c", sql)]

        def bare():
            run(psql + [maintenance, "-c", "drop database if exists bare_aside"])
            return timed(psql + [maintenance] + arguments)

        # devdb looks at the other databases of the server: these two would send it the long way.
        other = Project(options.migrations)
        try:
            other.devdb("ready")
            other.devdb("reset", "--yes")
            commands = [
                ("psql: rename, create from a template", bare),
                ("devdb reset, no spare", lambda: other.reset_without_spare()),
                ("devdb reset, a spare ready", lambda: other.reset_with_spare()),
                ("devdb reset, one migration more", lambda: other.reset_one_more()),
            ]
            sqlx = shutil.which("sqlx")
            if sqlx:
                command = [sqlx, "database", "reset", "-y", "--source", "migrations", "-D", url + "_sqlx"]
                run([sqlx, "database", "setup", "--source", "migrations", "-D", url + "_sqlx"], cwd=project.folder)
                commands.append(("sqlx database reset -y", lambda: timed(command, cwd=project.folder)))
            else:
                print("sqlx-cli is not installed: left out")
            table("reset, %d migrations" % options.migrations, turns(commands, options.runs), commands[0][0])
            commands = [
                ("psql -c 'select 1'", lambda: timed(psql + [url, "-c", "select 1"])),
                ("devdb ready", lambda: other.timed("ready")),
            ]
            table("ready when ready", turns(commands, options.runs), commands[0][0])
            long_way(other, psql, options)
        finally:
            other.close()
        small, large = Project(10), Project(1000)
        try:
            commands = []
            for name, each in (("10 migrations", small), ("1,000 migrations", large)):
                each.devdb("ready")
                each.devdb("reset", "--yes")
                commands.append((name, lambda each=each: each.reset_with_spare()))
            table("growth of reset", turns(commands, options.runs), "10 migrations")
        finally:
            small.close()
            large.close()
    finally:
        project.close()


def long_way(project, psql, options):
    """The whole data directory exchanged, beside a restart of the same container."""
    url = project.devdb("url").strip()
    if not shutil.which("docker"):
        return print("docker is not installed: the long way is left out")
    port = re.search(r":(\d+)/", url).group(1)
    container = run(["docker", "ps", "--filter", "publish=" + port, "--format", "{{.Names}}"]).strip()
    answers = psql + [url, "-c", "select 1"]

    def until_it_answers():
        while subprocess.run(answers, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.005)

    def restart():
        begun = time.perf_counter()
        run(["docker", "restart", container])
        until_it_answers()
        return time.perf_counter() - begun

    def swap():
        run(psql + [url, "-c", "create role by_hand"])
        project.devdb("tidy")
        return project.timed("reset", "--yes")

    def bare():
        """A new container and all files in one session."""
        run(["docker", "rm", "-f", "-v", "devdb-bench-bare"])
        image = run(["docker", "inspect", "--format", "{{.Config.Image}}", container]).strip()
        folder = os.path.join(project.folder, "migrations")
        names = sorted(os.listdir(folder), key=lambda name: int(name.split("_")[0]))
        files = [part for name in names for part in ("-f", os.path.join(folder, name))]
        begun = time.perf_counter()
        run(["docker", "run", "-d", "--name", "devdb-bench-bare", "-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-p", "127.0.0.1:45987:5432", image,
             "postgres", "-c", "fsync=off", "-c", "full_page_writes=off"])
        here = psql + ["postgresql://postgres@127.0.0.1:45987/postgres"]
        while subprocess.run(here + ["-c", "select 1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.005)
        run(here + files)
        return time.perf_counter() - begun

    project.devdb("reset", "--yes", "--full")
    runs = max(3, options.runs // 4)
    table("the long way", turns([
        ("docker restart, until it answers SQL", restart),
        ("devdb reset, data directory swapped", swap),
    ], runs), "docker restart, until it answers SQL")
    table("from nothing", turns([
        ("docker run, psql -f of the same files", bare),
        ("devdb reset --full", lambda: project.timed("reset", "--yes", "--full")),
    ], runs), "docker run, psql -f of the same files")
    run(["docker", "rm", "-f", "-v", "devdb-bench-bare"])


def schema(tables, changed):
    """8 columns, 2 indexes, 1 foreign key each; every hundredth differs on the changed side."""
    lines = []
    for n in range(tables):
        extra = ", extra text" if changed and n % 100 == 0 else ""
        lines.append(
            "create table t%d (id bigint generated always as identity primary key, parent bigint, name text not null,"
            " created timestamptz not null default now(), amount numeric(12,2), kind varchar(20) default 'x',"
            " active boolean not null default true, data jsonb%s);" % (n, extra)
        )
        lines.append("create index t%d_name on t%d (name); create index t%d_made on t%d (created, kind);" % (n, n, n, n))
        if n:
            lines.append("alter table t%d add foreign key (parent) references t%d (id);" % (n, n - 1))
    return "\n".join(lines)


def diff(options):
    project = Project(1)
    try:
        project.write("devdb.toml", '[server.settings]\nmax_locks_per_transaction = "4096"\n[migrations]\ntool = "sqlx"\ndir = "migrations"\n')
        url = project.devdb("ready").strip()
        root = url.rsplit("/", 1)[0]
        urls = []
        for side in ("a", "b"):
            run(["psql", "-Xq", root + "/postgres", "-c", "create database %s" % side])
            sql = schema(options.tables, side == "b")
            run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-1", root + "/" + side], input=sql)
            urls.append(root + "/" + side)
        port = re.search(r":(\d+)/", url).group(1)
        container = ""
        if shutil.which("docker"):
            container = run(["docker", "ps", "--quiet", "--filter", "publish=" + port]).strip()
        commands = []
        if container:
            # The client must not be older than the server: the one beside the server.
            dump = ["docker", "exec", container, "pg_dump", "-U", "postgres", "-s", "a"]
            nothing = ["docker", "exec", container, "true"]
            commands.append(("docker exec true (to take off the next)", lambda: timed(nothing)))
        else:
            dump = ["pg_dump", "-s", urls[0]]
        commands.append(("pg_dump -s", lambda: timed(dump)))
        commands.append(("devdb diff", lambda: project.timed("diff", *urls, "--no-proof")))
        if shutil.which("migra"):
            migra = ["migra", "--unsafe", *urls]
            # It exits with 2 where the sides differ.
            commands.append(("migra", lambda: timed(["sh", "-c", '"$@"; test $? -eq 2', "sh", *migra])))
        else:
            print("migra is not installed: left out")
        table("diff, %d tables" % options.tables, turns(commands, options.runs), "pg_dump -s")
        peak = subprocess.run(
            ["/usr/bin/env", "python3", "-c",
             "import resource,subprocess,sys; subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024)",
             DEVDB, "diff", *urls, "--no-proof"],
            cwd=project.folder, env=project.env, stdout=subprocess.PIPE, text=True)
        print("  memory of devdb diff: %s MB" % peak.stdout.strip())
    finally:
        project.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reset", "diff"])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--migrations", type=int, default=300)
    parser.add_argument("--tables", type=int, default=1000)
    options = parser.parse_args()
    options.runs = options.runs or {"reset": 20, "diff": 5}[options.what]
    if not os.path.exists(DEVDB):
        sys.exit("%s is not there: cargo build --release" % DEVDB)
    {"reset": reset, "diff": diff}[options.what](options)


if __name__ == "__main__":
    main()

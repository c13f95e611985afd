#!/usr/bin/env python3
"""`devdb reset` and `devdb ready` beside bare psql, sqlx-cli and docker, turn by turn in one run.

    benches/reset.py [--runs 20] [--migrations 300]

Wants a release build (`cargo build --release`), `psql`, and Docker or local binaries for a server of its own.
What is not installed is left out and named.
"""

import argparse
import os
import re
import shutil
import subprocess
import time

from side_by_side import Project, release_build, run, table, timed, turns


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
        project.devdb("tidy")
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

    def full():
        project.devdb("tidy")
        return project.timed("reset", "--yes", "--full")

    project.devdb("reset", "--yes", "--full")
    runs = options.runs
    table("the long way", turns([
        ("docker restart, until it answers SQL", restart),
        ("devdb reset, data directory swapped", swap),
    ], runs), "docker restart, until it answers SQL")
    table("from nothing", turns([
        ("docker run, psql -f of the same files", bare),
        ("devdb reset --full", full),
    ], runs), "docker run, psql -f of the same files")
    run(["docker", "rm", "-f", "-v", "devdb-bench-bare"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--migrations", type=int, default=300)
    release_build()
    reset(parser.parse_args())


if __name__ == "__main__":
    main()

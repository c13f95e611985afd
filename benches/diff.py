#!/usr/bin/env python3
"""`devdb diff URL URL` beside `pg_dump -s` of one of the two, migra and pg-delta, turn by turn in one run.

    benches/diff.py [--runs 5] [--tables 100 1000 5000 20000] [--memory]

Wants a release build (`cargo build --release`), `psql`, and Docker or local binaries for a server of its own; migra
(`pip install migra psycopg2-binary "sqlalchemy<2.1" "setuptools<80"`) and pgdelta (`npm install @supabase/pg-delta`) on the path, or they are
left out and named.
"""

import argparse
import re
import shutil
import subprocess

from side_by_side import DEVDB, Project, release_build, run, table, timed, turns


def schema(tables, changed):
    """8 columns, 2 indexes, 1 foreign key each; every hundredth differs on the changed side."""
    lines = ["begin;"]
    for n in range(tables):
        if n % 500 == 499:  # one long transaction gets slower with each table
            lines.append("commit; begin;")
        extra = ", extra text" if changed and n % 100 == 0 else ""
        lines.append(
            "create table t%d (id bigint generated always as identity primary key, parent bigint, name text not null,"
            " created timestamptz not null default now(), amount numeric(12,2), kind varchar(20) default 'x',"
            " active boolean not null default true, data jsonb%s);" % (n, extra)
        )
        lines.append("create index t%d_name on t%d (name); create index t%d_made on t%d (created, kind);" % (n, n, n, n))
        if n:
            lines.append("alter table t%d add foreign key (parent) references t%d (id);" % (n, n - 1))
    return "\n".join(lines + ["commit;"])


def diff(tables, runs, memory):
    project = Project(1)
    try:
        server = '[server]\ndata = "tmpfs"\n' if memory else ""
        project.write("devdb.toml", server + '[server.settings]\nmax_locks_per_transaction = "4096"\n[migrations]\ntool = "sqlx"\ndir = "migrations"\n')
        url = project.devdb("ready").strip()
        root = url.rsplit("/", 1)[0]
        urls = []
        for side in ("a", "b"):
            run(["psql", "-Xq", root + "/postgres", "-c", "create database %s" % side])
            sql = schema(tables, side == "b")
            run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", root + "/" + side], input=sql)
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
        if shutil.which("pgdelta"):
            delta = ["pgdelta", "plan", "--source", urls[0], "--desired", urls[1], "--out", project.folder + "/plan.json"]
            commands.append(("pg-delta", lambda: timed(delta)))
        else:
            print("pgdelta is not installed: left out")
        table("diff, %d tables" % tables, turns(commands, runs), "pg_dump -s")
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
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="the server's data in memory: 20,000 tables are 280,000 files")
    parser.add_argument("--tables", type=int, nargs="+", default=[100, 1000, 5000])
    release_build()
    options = parser.parse_args()
    for tables in options.tables:
        diff(tables, options.runs, options.memory)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How many pairs of the corpora devdb and its peers turn into one another, there and back, on one server.

    benches/peers.py [--corpus ../shared/corpus tests/corpus] [--only NAME ...]

Each engine gets the URLs of two databases (apgdiff their dumps) and its SQL is run on a copy of the first one. The verdict is
pg_dump's: entries sorted, columns of a table in any order. Wants a release build, Docker, `psql`, and on the path those of `migra`, `results`
(`pip install migra psycopg2-binary "sqlalchemy<2.1" "setuptools<80"`, `pip install results`, each in a venv), `pgdelta`
(`npm install @supabase/pg-delta@alpha`) and `apgdiff` (Debian) that are to be tried; what is not there is left out and named.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

from side_by_side import DEVDB, Project, release_build, run

LIMIT = 60  # seconds for one answer


class Failed(Exception):
    """What an engine, or the server about its SQL, said."""


def ask(command, codes=(0,), **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT, **options)
    if done.returncode not in codes:
        raise Failed((done.stderr or done.stdout).strip()[-2000:])
    return done.stdout


def entries(dump):
    """A dump without what pg_dump orders by chance."""
    found, entry = [], []

    def finish():
        if not entry:
            return
        first = entry[0]
        if re.match(r"CREATE (UNLOGGED |FOREIGN )?TABLE", first) or re.match(r"CREATE TYPE .* AS \($", first):
            found.append("\n".join(sorted(line.rstrip(",") for line in entry)))
        elif all(re.match("GRANT |REVOKE ", line) for line in entry):
            found.append("\n".join(sorted(entry, key=lambda line: (line.startswith("GRANT"), line))))
        else:
            found.append("\n".join(entry))
        entry.clear()

    for line in dump.split("\n"):
        if line.startswith("-- Name:"):
            finish()
        if line and not line.startswith("--") and not line.startswith("\\"):
            entry.append(line)
    finish()
    return sorted(found)


class Server:
    def __init__(self):
        self.project = Project(1)
        url = self.project.devdb("ready").strip()
        self.root = url.rsplit("/", 1)[0]
        port = re.search(r":(\d+)/", url).group(1)
        self.container = run(["docker", "ps", "--quiet", "--filter", "publish=" + port]).strip()
        self.sql("postgres", "create role r_app")
        self.make("template", "template0")
        self.sql("template", "create extension vector; create extension pg_trgm; create extension btree_gist")

    def url(self, database):
        return self.root + "/" + database

    def sql(self, database, sql):
        return ask(["psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-f", "-", self.url(database)], input=sql)

    def make(self, database, template):
        self.sql("postgres", 'drop database if exists "%s" with (force)' % database)
        self.sql("postgres", 'create database "%s" template "%s"' % (database, template))

    def dump(self, database):
        return ask(["docker", "exec", self.container, "pg_dump", "-U", "postgres", "-s", database])

    def load(self, database, path):
        self.make(database, "template")
        with open(path) as file:
            for part in file.read().split("-- commit"):
                # As one transaction, as the tests do.
                ask(["psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-1", "-f", "-", self.url(database)], input=part)


def devdb(server, a, b):
    """The SQL that leads from one database to the other, as the engine gives it to its users."""
    arguments = [DEVDB, "diff", server.url(a), server.url(b), "--no-proof"]
    return ask(arguments, cwd=server.project.folder, env=server.project.env)


def migra(server, a, b):
    return ask(["migra", "--unsafe", "--with-privileges", server.url(a), server.url(b)], codes=(0, 2))


def results(server, a, b):
    return ask(["results", "dbdiff", "--with-privileges", server.url(a), server.url(b)], codes=(0, 2, 3))


def apgdiff(server, a, b):
    with tempfile.TemporaryDirectory() as folder:
        for name in (a, b):
            with open(os.path.join(folder, name), "w") as file:
                # Newer ones have commands of psql's in them, which apgdiff does not know.
                file.write(re.sub(r"(?m)^\\.*$", "", server.dump(name)))
        # It says what it cannot do on stdout, and ends with 0.
        return ask(["apgdiff", "--ignore-start-with", os.path.join(folder, a), os.path.join(folder, b)])


def pgdelta(server, a, b):
    """Applies its plan itself: it knows its transactions best."""
    plan = os.path.join(server.project.folder, "plan.json")
    ask(["pgdelta", "plan", "--source", server.url(a), "--desired", server.url(b), "--out", plan])
    ask(["pgdelta", "apply", "--plan", plan, "--target", server.url(a), "--force", "--allow-data-loss"])
    return None


ENGINES = {"devdb": devdb, "pgdelta": pgdelta, "results": results, "migra": migra, "apgdiff": apgdiff}


def verdict(server, engine, a, b, wanted):
    """`converged`, or in which way not, and why."""
    server.make("target", a)
    try:
        sql = engine(server, "target", b)
        if sql is not None:
            server.sql("target", sql)
    except (Failed, subprocess.TimeoutExpired) as failure:
        return "failed", str(failure)
    if entries(server.dump("target")) == wanted:
        return "converged", ""
    return ("silent" if sql is not None and not sql.strip() else "not equal"), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    corpora = [os.path.join(root, "../shared/corpus"), os.path.join(root, "tests/corpus")]
    parser.add_argument("--corpus", nargs="+", default=corpora)
    parser.add_argument("--only", nargs="+")
    release_build()
    options = parser.parse_args()
    there = {name: engine for name, engine in ENGINES.items() if name == "devdb" or shutil.which(name)}
    for name in ENGINES.keys() - there.keys():
        print("%s is not installed: left out" % name)
    server = Server()
    try:
        for corpus in options.corpus:
            counts = collections.defaultdict(collections.Counter)
            asked = 0
            for name in sorted(os.listdir(corpus)):
                folder = os.path.join(corpus, name)
                if not os.path.isdir(folder) or (options.only and name not in options.only):
                    continue
                try:
                    for side in "ab":
                        server.load(side, os.path.join(folder, side + ".sql"))
                except Failed:
                    print("%s: this server cannot make it" % name)
                    continue
                dumps = {side: entries(server.dump(side)) for side in "ab"}
                ways = [("a", "b")] if os.path.exists(os.path.join(folder, "no-way-back")) else [("a", "b"), ("b", "a")]
                for a, b in ways:
                    asked += 1
                    for engine, how in there.items():
                        what, why = verdict(server, how, a, b, dumps[b])
                        counts[engine][what] += 1
                        if what != "converged" and (engine == "devdb" or os.environ.get("PEERS_SHOW")):
                            print("%s %s → %s, %s: %s %s" % (name, a, b, engine, what, why))
                sys.stdout.flush()
            print("\n%s: %d ways" % (os.path.relpath(corpus, root), asked))
            for engine in there:
                found = counts[engine]
                rest = ", ".join("%s %d" % (what, found[what]) for what in ("not equal", "silent", "failed"))
                print("  %-8s %5.1f %% converged   (%d; %s)" % (engine, 100 * found["converged"] / max(asked, 1), found["converged"], rest))
    finally:
        server.sql("postgres", "drop database if exists target with (force)")
        server.project.close()


if __name__ == "__main__":
    main()

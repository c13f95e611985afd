"""What the benchmarks share: commands run turn by turn, medians and ratios, a project to run them in."""

import os
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


def release_build():
    """Ends the process where there is none: timings of a debug build say nothing."""
    if not os.path.exists(DEVDB):
        sys.exit("%s is not there: cargo build --release" % DEVDB)

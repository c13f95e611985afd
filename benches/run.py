"""`devdb run -- true` as a whole process beside the bare clone and drop of the same baseline.

    python3 benches/run.py PROJECT [ROUNDS]

PROJECT is a folder whose dev database is ready (`devdb ready`). Needs psql and a release build in
target/release. Both are run turn by turn; printed are medians in milliseconds and the difference.
"""

import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVDB = os.path.join(HERE, "target/release/devdb")


def timed(command, **options):
    begun = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    return (time.perf_counter() - begun) * 1e3


def main():
    project, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    url = subprocess.run(
        [DEVDB, "url"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.strip()
    server = url.rsplit("/", 1)[0] + "/postgres"
    listed = subprocess.run(
        [DEVDB, "baseline", "list", "--json"], cwd=project, check=True, capture_output=True, text=True
    ).stdout
    template = json.loads(listed)[0]["name"]
    clone = "create database bare template \"%s\" strategy file_copy" % template
    bare = ["psql", "-X", "-q", server, "-c", clone, "-c", "drop database bare with (force)"]
    nothing = ["psql", "-X", "-q", server, "-c", "select 1"]
    subprocess.run(["psql", "-X", "-q", server, "-c", "drop database if exists bare"], check=True)
    runs, bares, starts = [], [], []
    for _ in range(rounds):
        runs.append(timed([DEVDB, "run", "--", "true"], cwd=project))
        bares.append(timed(bare))
        starts.append(timed(nothing))
    run, both, start = (statistics.median(x) for x in (runs, bares, starts))
    sql = both - start
    print("devdb run -- true       %6.1f ms" % run)
    print("bare clone and drop     %6.1f ms (%.1f ms with psql, %.1f ms of that psql itself)" % (sql, both, start))
    print("difference              %6.1f ms" % (run - sql))


main()

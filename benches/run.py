"""`devdb run -- true` as a whole process beside the bare clone and drop of the same baseline.

    python3 benches/run.py PROJECT [ROUNDS]

PROJECT is a folder whose dev database is ready (`devdb ready`). Needs psql and a release build in
target/release. Both are run turn by turn; printed are medians in milliseconds and the difference.
"""

import json
import statistics
import sys

from side_by_side import DEVDB, release_build, run, timed


def main():
    project, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    release_build()
    url = run([DEVDB, "url"], cwd=project).strip()
    server = url.rsplit("/", 1)[0] + "/postgres"
    listed = run([DEVDB, "baseline", "list", "--json"], cwd=project)
    template = json.loads(listed)[0]["name"]
    clone = "create database bare template \"%s\" strategy file_copy" % template
    bare = ["psql", "-X", "-q", server, "-c", clone, "-c", "drop database bare with (force)"]
    nothing = ["psql", "-X", "-q", server, "-c", "select 1"]
    run(["psql", "-X", "-q", server, "-c", "drop database if exists bare"])
    runs, bares, starts = [], [], []
    for _ in range(rounds):
        # The spare is made behind `run`'s back: neither is to be timed beside that.
        run([DEVDB, "tidy"], cwd=project)
        runs.append(timed([DEVDB, "run", "--", "true"], cwd=project))
        run([DEVDB, "tidy"], cwd=project)
        bares.append(timed(bare))
        starts.append(timed(nothing))
    whole, both, start = (statistics.median(x) * 1e3 for x in (runs, bares, starts))
    sql = both - start
    print("devdb run -- true       %6.1f ms" % whole)
    print("bare clone and drop     %6.1f ms (%.1f ms with psql, %.1f ms of that psql itself)" % (sql, both, start))
    print("difference              %6.1f ms" % (whole - sql))


main()

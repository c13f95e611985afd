"""A baked image beside an empty server that is initialised already: from `docker run` to the first answer over TCP.

    python3 benches/bake.py PROJECT [ROUNDS]

PROJECT is a sqlx project. Needs psql, a Docker engine and a release build in target/release. The empty server is the
project's image with a data directory in a layer of its own, too (an image committed after initdb), so that both copy
the same way. Run turn by turn; printed are medians in milliseconds and the ratio.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVDB = os.path.join(HERE, "target/release/devdb")


def output(*command, **options):
    done = subprocess.run(command, check=True, capture_output=True, text=True, **options)
    return done.stdout.strip()


def started(image, url, question):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.perf_counter()
    container = output("docker", "run", "-d", "-p", "127.0.0.1:%d:5432" % port, image)
    try:
        while True:
            done = subprocess.run(
                ["psql", "-X", "-q", url % port, "-Atc", question], capture_output=True, text=True
            )
            if done.returncode == 0:
                return (time.perf_counter() - begun) * 1e3
            time.sleep(0.005)
    finally:
        output("docker", "rm", "-f", "-v", container)


def main():
    project, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    baked = output(DEVDB, "bake", cwd=project).splitlines()[-1]
    database = output(
        "docker", "inspect", "--format", '{{index .Config.Labels "dev.devdb.baked.database"}}', baked
    )
    with tempfile.TemporaryDirectory() as folder:
        # Baked as well, of a project without migrations: what initdb makes, and an empty database.
        with open(folder + "/devdb.toml", "w") as file:
            file.write('name = "empty-%d"\n[database]\nname = "%s"\n' % (os.getpid(), database))
        empty = output(DEVDB, "bake", cwd=folder).splitlines()[-1]
    url = "postgresql://postgres:postgres@127.0.0.1:%d/" + database
    at_head, bare = [], []
    try:
        for _ in range(rounds):
            bare.append(started(empty, url, "select 1"))
            at_head.append(started(baked, url, "select count(*) from _sqlx_migrations"))
    finally:
        output("docker", "rmi", "-f", empty)
    one, other = statistics.median(at_head), statistics.median(bare)
    print("baked image to first SQL at head     %6.0f ms" % one)
    print("empty initialised server to select 1 %6.0f ms" % other)
    print("ratio                                %6.2f" % (one / other))


main()

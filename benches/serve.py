#!/usr/bin/env python3
"""Times `devdb serve` in one run, turn by turn, beside what it is made of.

    benches/serve.py [--rounds 5] [--tables 200] [--jobs 4] [--server local|docker]

- Hand-out: 16 clients lend a database that stands ready, hold it for 20 ms and return it clean; beside them, in turns,
  the same clients get `/health`: what HTTP and this script cost by themselves.
- Throughput: databases made and dropped per second, 8 clients at a time; beside it 8 sessions of psql with
  `CREATE DATABASE … TEMPLATE` and `DROP DATABASE` alone, with each strategy.

Wants a release build (`cargo build --release`) and `psql`. Timings are never part of a test.
"""

import argparse
import asyncio
import json
import os
import selectors
import statistics
import subprocess
import sys
import time

from run import DEVDB, Project

CLIENTS = 16
AT_A_TIME = 8


class Client:
    """One connection that is kept open."""

    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def send(self, method, path):
        request = "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n" % (method, path)
        self.writer.write(request.encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = await self.reader.readexactly(length) if length else b""
        status = int(head.split(b" ", 2)[1])
        if status >= 300:
            sys.exit("%s %s: %d %s" % (method, path, status, body.decode()))
        return json.loads(body) if body else None


async def hand_out(port, seconds, lends):
    """Seconds that each of the requests took."""
    found = []
    end = time.perf_counter() + seconds

    async def one(n):
        await asyncio.sleep(n * 0.002)
        async with Client(port) as client:
            while time.perf_counter() < end:
                begun = time.perf_counter()
                lent = await client.send("POST", "/databases") if lends else await client.send("GET", "/health")
                found.append(time.perf_counter() - begun)
                await asyncio.sleep(0.02)
                if lends:
                    await client.send("DELETE", "/databases/%d?clean=true" % lent["id"])

    await asyncio.gather(*(one(n) for n in range(CLIENTS)))
    return found


async def throughput(port, seconds):
    """Databases per second, from the first that is made until the last is dropped."""
    begun = time.perf_counter()
    done = 0

    async def one():
        nonlocal done
        async with Client(port) as client:
            while time.perf_counter() < begun + seconds:
                lent = await client.send("POST", "/databases")
                await client.send("DELETE", "/databases/%d" % lent["id"])
                done += 1

    await asyncio.gather(*(one() for _ in range(AT_A_TIME)))
    async with Client(port) as client:
        while await client.send("GET", "/databases"):
            await asyncio.sleep(0.002)
    return done / (time.perf_counter() - begun)


def bare(root, template, strategy, seconds, sessions):
    """The same with psql alone."""
    psqls = [
        subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", root + "/postgres"], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(sessions)
    ]
    for psql in psqls:  # connected, before the clock starts
        psql.stdin.write("\\echo up\n")
        psql.stdin.flush()
        psql.stdout.readline()
    done, begun = 0, time.perf_counter()
    busy = {}
    ready = selectors.DefaultSelector()

    def give(n, psql):
        psql.stdin.write("create database bare%d template %s strategy %s;\ndrop database bare%d with (force);\n\\echo done\n"
                         % (n, template, strategy, n))
        psql.stdin.flush()

    for n, psql in enumerate(psqls):
        ready.register(psql.stdout, selectors.EVENT_READ, (n, psql))
        give(n, psql)
        busy[n] = True
    while any(busy.values()):
        for key, _ in ready.select():
            n, psql = key.data
            if psql.stdout.readline() != "done\n":
                sys.exit("psql ended")
            done += 1
            busy[n] = time.perf_counter() < begun + seconds
            if busy[n]:
                give(n, psql)
    rate = done / (time.perf_counter() - begun)
    for psql in psqls:
        psql.stdin.close()
        psql.wait()
    return rate


class Serve:
    def __init__(self, project, *arguments):
        command = [DEVDB, "serve", "--json", "--port", "0", "--while-stdin", *arguments]
        self.process = subprocess.Popen(command, cwd=project.folder, env=project.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(json.loads(self.process.stdout.readline())["url"].rsplit(":", 1)[1])

    def __enter__(self):
        return self.port

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


async def standing(port, count):
    async with Client(port) as client:
        while (await client.send("GET", "/health"))["ready"] < count:
            await asyncio.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="for each turn")
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--jobs", default="4")
    parser.add_argument("--server", default="auto")
    options = parser.parse_args()
    project = Project(1)
    os.chmod(project.folder, 0o755)  # a local server of root's runs as somebody else
    try:
        project.env["DEVDB_SERVER_KIND"] = options.server
        project.write("migrations/1_step.sql", "\n".join(
            "create table t%d (id bigint generated always as identity primary key, name text);" % n
            for n in range(options.tables)))
        root = project.devdb("ready").strip().rsplit("/", 1)[0]
        name = json.loads(project.devdb("baseline", "list", "--json"))[0]["name"]
        with Serve(project, "--pool", "24") as port:
            asyncio.run(standing(port, 24))
            bench = {"GET /health": [], "POST /databases": []}
            for _ in range(options.rounds):
                bench["GET /health"] += asyncio.run(hand_out(port, 2, False))
                bench["POST /databases"] += asyncio.run(hand_out(port, 2, True))
        print("hand-out, %d clients" % CLIENTS)
        base = statistics.median(bench["GET /health"])
        for what, times in bench.items():
            times.sort()
            p50, p95 = times[len(times) // 2], times[len(times) * 95 // 100]
            print("  %-20s p50 %6.2f ms   p95 %6.2f ms   %5.2f x   (%d)" % (what, p50 * 1e3, p95 * 1e3, p50 / base, len(times)))
        rates = {}
        with Serve(project, "--pool", "0", "--max", "64", "--jobs", options.jobs) as port:
            for turn in range(options.rounds + 1):
                seconds = options.seconds if turn else 1  # the first turn warms up
                found = {
                    "bare, file_copy": bare(root, name, "file_copy", seconds, AT_A_TIME),
                    "bare, wal_log": bare(root, name, "wal_log", seconds, AT_A_TIME),
                    "devdb serve": asyncio.run(throughput(port, seconds)),
                }
                for what, rate in found.items():
                    rates.setdefault(what, []).extend([rate] if turn else [])
        print("databases made and dropped per second, %d tables, %d at a time" % (options.tables, AT_A_TIME))
        best = max(statistics.median(found) for what, found in rates.items() if what.startswith("bare"))
        for what, found in rates.items():
            middle = statistics.median(found)
            print("  %-20s %6.1f /s   %5.2f x   (%.1f to %.1f)" % (what, middle, middle / best, min(found), max(found)))
    finally:
        project.close()


main()

"""An ssh server that runs what it is told to, for scripts/second-engine.sh: ADDRESS PORT FOLDER."""

import asyncio
import subprocess
import sys

import asyncssh

address, port, folder = sys.argv[1:]


async def run(process):
    child = subprocess.Popen(
        ["sh", "-c", process.command or "exit 1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    process.exit(await asyncio.to_thread(child.wait))
    await process.wait_closed()


async def main():
    await asyncssh.listen(
        address,
        int(port),
        server_host_keys=[folder + "/host_key"],
        authorized_client_keys=folder + "/client_key.pub",
        process_factory=run,
        encoding=None,
    )
    await asyncio.Event().wait()


asyncio.run(main())

"""Moves a large file both ways, and prints what it moved and by how much its memory grew."""

import asyncio
import hashlib
import json
import os
import resource
import sys

from opencomputer import Sandbox

BLOCK_BYTES = 1_000_000


async def main(sandbox_id: str, blocks: int) -> None:
    sandbox = await Sandbox.connect(sandbox_id)
    await sandbox.files.write("small", b"x" * BLOCK_BYTES)
    await sandbox.files.read("small")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent, received = hashlib.sha256(), hashlib.sha256()

    def content():
        random = os.urandom(BLOCK_BYTES - 8)
        for number in range(blocks):
            # No two are alike, so that one lost or doubled changes the sum.
            block = number.to_bytes(8, "big") + random
            sent.update(block)
            yield block

    await sandbox.files.write_stream("/tmp/large", content())
    async for part in sandbox.files.read_stream("/tmp/large"):
        received.update(part)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    json.dump(
        {
            "sent": sent.hexdigest(),
            "received": received.hexdigest(),
            "grownBytes": grown * 1024,
        },
        sys.stdout,
    )


asyncio.run(main(sys.argv[1], int(sys.argv[2])))

"""Runs a round of the Python SDK for each line of its input, and prints its times as JSON."""

import asyncio
import json
import statistics
import sys
import time

from opencomputer import Sandbox


async def run_round(warm_runs: int) -> dict[str, float]:
    started_at = time.perf_counter()
    sandbox = await Sandbox.create()
    await sandbox.exec.run("echo ready")
    first_output = time.perf_counter() - started_at
    warm = []
    for _ in range(warm_runs):
        run_started_at = time.perf_counter()
        await sandbox.exec.run("true")
        warm.append(time.perf_counter() - run_started_at)
    await sandbox.kill()
    return {
        "firstOutputMilliseconds": first_output * 1000,
        "warmRunMilliseconds": statistics.median_low(warm) * 1000,
    }


async def main() -> None:
    for _ in iter(sys.stdin.readline, ""):
        print(json.dumps(await run_round(int(sys.argv[1]))), flush=True)


asyncio.run(main())

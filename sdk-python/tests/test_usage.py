from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from contract import ContractServer

import opencomputer.sync
from opencomputer import NotFoundError, Sandbox, Usage


async def test_of_a_sandbox_has_what_it_uses_now_and_its_buckets(
    sandbox: Sandbox, server: ContractServer
) -> None:
    usage = await sandbox.usage(since=datetime(2026, 1, 2, 4, tzinfo=timezone(timedelta(hours=1))))
    assert (usage["sandboxID"], usage["status"]) == (sandbox.id, "running")
    assert usage["current"] is not None
    assert usage["current"]["cpuPercent"] == 12.5
    assert usage["since"] == "2026-01-02T03:00:00Z"
    assert len(usage["buckets"]) == 1
    await sandbox.kill()
    assert (await Usage.of_sandbox(sandbox.id))["current"] is None
    with pytest.raises(NotFoundError):
        await Usage.of_sandbox("sb-none")


async def test_of_the_org_chooses_by_tags_and_page(sandbox: Sandbox) -> None:
    await sandbox.set_tags({"usage": "a&b=c"})
    chosen = await Usage.of_org(tags={"usage": "a&b=c"}, interval="day", limit=1)
    assert [row["sandboxID"] for row in chosen["sandboxes"]] == [sandbox.id]
    assert chosen["cursor"] is None
    none = await Usage.of_org(tags={"usage": "a&b=c", "other": "x"})
    assert none["sandboxCount"] == 0


async def test_by_tag_has_its_values_and_none(sandbox: Sandbox) -> None:
    await sandbox.set_tags({"by": "x"})
    async with await Sandbox.create():
        usage = await Usage.by_tag("by")
    assert {"x", None} <= {row["value"] for row in usage["values"]}


def test_the_blocking_sdk_has_it_too(sync_sandbox: opencomputer.sync.Sandbox) -> None:
    assert sync_sandbox.usage()["total"]["cpuSeconds"] == 450
    assert opencomputer.sync.Usage.of_org()["sandboxCount"] >= 1

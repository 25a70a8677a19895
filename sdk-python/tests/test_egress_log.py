from __future__ import annotations

import pytest
from contract import ContractServer

import opencomputer.sync
from opencomputer import EgressLog, OpenComputerError, Sandbox


async def test_list_chooses_by_place_order_decision_and_host(sandbox: Sandbox) -> None:
    page = await sandbox.egress.list()
    assert [entry["cursor"] for entry in page["entries"]] == ["1", "2"]
    first = page["entries"][0]
    assert first["secrets"]["substituted"] == [{"name": "KEY", "places": ["header authorization"]}]
    assert first["durationMilliseconds"] == 12.5
    newest = await sandbox.egress.list(order="desc", limit=1)
    assert ([entry["cursor"] for entry in newest["entries"]], newest["hasMore"]) == (["2"], True)
    rest = await sandbox.egress.list(cursor="1")
    assert [entry["cursor"] for entry in rest["entries"]] == ["2"]
    refused = await sandbox.egress.list(refused=True)
    assert [entry["decision"] for entry in refused["entries"]] == ["refused"]
    assert (await sandbox.egress.list(host="none.example.com"))["entries"] == []


async def test_follow_has_the_entries_after_a_cursor(sandbox: Sandbox) -> None:
    cursors = []
    async for entry in sandbox.egress.follow(cursor="0"):
        cursors.append(entry["cursor"])
        if len(cursors) == 2:
            break
    assert cursors == ["1", "2"]


async def test_follow_without_a_cursor_begins_behind_the_newest_entry(
    sandbox: Sandbox, server: ContractServer
) -> None:
    server.respond_next(403, '{"error":"no","code":"forbidden"}', part="cursor=2")
    with pytest.raises(OpenComputerError) as caught:
        await anext(sandbox.egress.follow())
    assert caught.value.code == "forbidden"


async def test_explain_and_suggest(sandbox: Sandbox) -> None:
    explanation = await sandbox.egress.explain("https://api.example.com/", method="POST")
    assert (explanation["rule"], explanation["method"]) == ("allowlist_entry", "POST")
    assert [secret["withheld"] for secret in explanation["secrets"]] == [None, "host"]
    suggestion = await sandbox.egress.suggest()
    assert suggestion["perSecretAllowedHosts"] == {"KEY": ["api.example.com"]}


async def test_the_log_of_a_killed_sandbox_is_read_by_its_id(sandbox: Sandbox) -> None:
    await sandbox.kill()
    assert len((await EgressLog(sandbox.id).list())["entries"]) == 2
    with pytest.raises(OpenComputerError) as caught:
        await EgressLog("sb-none").list()
    assert caught.value.status == 404


def test_the_blocking_sdk_has_it_too(sync_sandbox: opencomputer.sync.Sandbox) -> None:
    log = sync_sandbox.egress
    assert len(log.list()["entries"]) == 2
    assert next(iter(log.follow(cursor="1")))["cursor"] == "2"

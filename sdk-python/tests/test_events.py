from __future__ import annotations

from datetime import datetime, timezone

import pytest
from contract import ContractServer

import opencomputer._async.follow
import opencomputer.sync
from opencomputer import Events, OpenComputerError, Sandbox


@pytest.fixture(autouse=True)
def _reconnect_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencomputer._async.follow, "RECONNECT_SECONDS", 0.01)


async def test_list_chooses_by_sandbox_type_place_order_and_time(sandbox: Sandbox) -> None:
    page = await Events.list(sandbox_id=sandbox.id)
    assert [event["type"] for event in page["events"]] == ["sandbox.created", "sandbox.ready"]
    assert page["hasMore"] is False
    newest = await Events.list(sandbox_id=sandbox.id, order="desc", limit=1)
    assert newest["events"] == page["events"][1:]
    assert newest["hasMore"] is True
    after = await Events.list(sandbox_id=sandbox.id, cursor=page["events"][0]["cursor"])
    assert after["events"] == page["events"][1:]
    ready = await Events.list(sandbox_id=sandbox.id, types=["sandbox.ready", "sandbox.killed"])
    assert ready["events"] == page["events"][1:]
    long_ago = datetime(2000, 1, 1, tzinfo=timezone.utc)
    assert (await Events.list(until=long_ago))["events"] == []
    assert len((await Events.list(sandbox_id=sandbox.id, since=long_ago))["events"]) == 2


async def test_follow_goes_on_after_the_last_event_when_its_connection_ends(
    sandbox: Sandbox, server: ContractServer
) -> None:
    types = []
    async for event in Events.follow(sandbox_id=sandbox.id, cursor="0-0"):
        types.append(event["type"])
        if len(types) == 2:
            server.break_next("/events")
            server.break_next("/events")
            server.drop_event_streams()
            await sandbox.kill()
        if len(types) == 3:
            break
    assert types == ["sandbox.created", "sandbox.ready", "sandbox.killed"]


async def test_follow_without_a_cursor_begins_behind_the_newest_event(
    sandbox: Sandbox, server: ContractServer
) -> None:
    newest = (await Events.list(order="desc", limit=1))["cursor"]
    server.respond_next(403, '{"error":"no","code":"forbidden"}', part=f"cursor={newest}")
    with pytest.raises(OpenComputerError) as caught:
        await anext(Events.follow())
    assert caught.value.code == "forbidden"


async def test_follow_ends_when_it_is_refused(sandbox: Sandbox, server: ContractServer) -> None:
    events = Events.follow(sandbox_id=sandbox.id, cursor="0-0")
    await anext(events)
    server.respond_next(403, '{"error":"invalid API key","code":"invalid_api_key"}')
    server.drop_event_streams()
    with pytest.raises(OpenComputerError) as caught:
        async for _ in events:
            pass
    assert caught.value.code == "invalid_api_key"


def test_the_blocking_follow_is_an_iterator(sync_sandbox: opencomputer.sync.Sandbox) -> None:
    events = opencomputer.sync.Events.follow(sandbox_id=sync_sandbox.id, cursor="0-0")
    assert [next(iter(events))["type"] for _ in range(2)] == ["sandbox.created", "sandbox.ready"]

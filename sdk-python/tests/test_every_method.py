from __future__ import annotations

import asyncio
import json
from unittest.mock import AsyncMock

import pytest
from contract import ContractServer
from every_method import CALLS, World, method_names

from opencomputer import OpenComputerError, Sandbox


@pytest.fixture
async def world(sandbox: Sandbox, server: ContractServer) -> World:
    server.forget_requests()
    return World(sandbox)


def test_every_method_is_in_the_list() -> None:
    assert sorted(CALLS) == sorted(method_names())


async def test_all_of_them_work_in_their_order(world: World) -> None:
    for function in CALLS.values():
        await function(world)


@pytest.mark.parametrize("name", CALLS)
async def test_it_carries_all_that_the_error_of_the_service_has(
    name: str, world: World, server: ContractServer
) -> None:
    body = {"error": "not now", "code": "some_conflict", "details": {"n": 1}}
    server.respond_next(409, json.dumps({**body, "remediation": "oc ls"}))
    with pytest.raises(OpenComputerError) as caught:
        await CALLS[name](world)
    error = caught.value
    assert (error.code, error.status, str(error)) == ("some_conflict", 409, "not now")
    assert (error.details, error.remediation) == ({"n": 1}, "oc ls")


@pytest.mark.parametrize("name", CALLS)
async def test_cancelling_the_task_aborts_the_request(
    name: str, world: World, server: ContractServer
) -> None:
    aborted = server.aborted
    server.be_silent_next()
    task = asyncio.ensure_future(CALLS[name](world))
    while server.requests == []:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        if server.aborted > aborted:
            break
        await asyncio.sleep(0.005)
    assert server.aborted == aborted + 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("sandbox.")])
async def test_without_a_key_it_sends_nothing(
    name: str, world: World, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This one begins with a call on the sandbox, which has its key.
    monkeypatch.setattr(world.sandbox, "create_checkpoint", AsyncMock(return_value={"id": "x"}))
    monkeypatch.delenv("OPENCOMPUTER_API_KEY")
    with pytest.raises(OpenComputerError, match="OPENCOMPUTER_API_KEY") as caught:
        await CALLS[name](world)
    assert caught.value.code == "missing_api_key"
    assert server.requests == []

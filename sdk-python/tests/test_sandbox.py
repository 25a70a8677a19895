from __future__ import annotations

import json

import pytest
from contract import ContractServer

from opencomputer import NotFoundError, OpenComputerError, Sandbox, SecretStore


async def test_a_with_block_kills_its_sandbox(server: ContractServer) -> None:
    async with await Sandbox.create() as sandbox:
        assert await sandbox.is_running()
    assert not await sandbox.is_running()
    with pytest.raises(ValueError, match="of the block"):
        async with await Sandbox.create() as failing:
            raise ValueError("of the block")
    assert not await failing.is_running()


async def test_a_with_block_accepts_a_killed_sandbox(server: ContractServer) -> None:
    async with await Sandbox.create() as sandbox:
        await sandbox.kill()
        server.respond_next(404, '{"error":"gone","code":"sandbox_not_found"}', part="DELETE")


async def test_only_what_is_given_is_sent(server: ContractServer) -> None:
    with pytest.raises(OpenComputerError) as caught:
        await Sandbox.create(cpu_count=99)
    assert caught.value.code == "invalid_request"
    sandbox = await Sandbox.create(timeout=0, memory_mb=2048, envs={"A": "1"}, metadata={"m": "2"})
    assert (sandbox.info["endAt"], sandbox.info["memoryMB"]) == (None, 2048)
    assert sandbox.info["metadata"] == {"m": "2"}
    assert (await sandbox.exec.run("echo $A")).stdout == "1\n"
    assert sandbox.id == sandbox.sandbox_id == sandbox.info["sandboxID"]
    assert repr(sandbox) == f"<Sandbox {sandbox.id}>"


async def test_a_killed_sandbox_is_not_found_by_connect(sandbox: Sandbox) -> None:
    assert (await Sandbox.connect(sandbox.id)).id == sandbox.id
    await sandbox.kill()
    assert (await Sandbox.get(sandbox.id))["status"] == "stopped"
    with pytest.raises(NotFoundError, match="was killed"):
        await Sandbox.connect(sandbox.id)


async def test_hibernation(sandbox: Sandbox) -> None:
    assert (await sandbox.hibernate())["sizeBytes"] > 0
    assert not await sandbox.is_running()
    assert (await sandbox.wake(timeout=60))["status"] == "running"
    await sandbox.set_timeout(0)
    assert (await sandbox.get_info())["endAt"] is None


async def test_tags(sandbox: Sandbox) -> None:
    assert (await sandbox.get_tags())["tagsLastUpdatedAt"] is None
    await sandbox.set_tags({"team": "search"})
    assert {"key": "team", "sandboxCount": 1, "valueCount": 1} in await Sandbox.list_tag_keys()
    changed = await sandbox.update_tags({"env": "prod", "team": None, "absent": None})
    assert changed["tags"] == {"env": "prod"}
    assert (await sandbox.set_tags({}))["tags"] == {}


async def test_fields_that_this_sdk_does_not_know_are_passed_on(
    sandbox: Sandbox, server: ContractServer
) -> None:
    body = {**await sandbox.get_info(), "fromTheFuture": 1}
    server.respond_next(200, json.dumps(body))
    assert await sandbox.get_info() == body


async def test_kill_deletes_the_store_on_request(server: ContractServer) -> None:
    for name in ("one", "other"):
        await SecretStore.create(name=name)
    sandbox, same = [await Sandbox.create(secret_store="one") for _ in range(2)]
    with pytest.raises(OpenComputerError) as caught:
        await sandbox.kill(delete_secret_store=True)
    assert (caught.value.code, caught.value.status) == ("secret_store_in_use", 409)
    await same.kill()
    await sandbox.kill(delete_secret_store=True)
    other = await Sandbox.create(secret_store="other")
    await Sandbox.kill_by_id(other.id, delete_secret_store=True)
    assert await SecretStore.list() == []


async def test_what_counts_as_use_is_chosen_and_inherited(server: ContractServer) -> None:
    assert server.url
    async with await Sandbox.create(idle="cpu") as parent:
        assert (await parent.get_info())["idle"] == "cpu"
        checkpoint = await parent.create_checkpoint("busy", wait=True)
        async with await Sandbox.create_from_checkpoint(checkpoint["id"]) as fork:
            assert fork.info["idle"] == "cpu"
        fork = await Sandbox.create_from_checkpoint(checkpoint["id"], idle="requests")
        assert fork.info["idle"] == "requests"

from __future__ import annotations

import asyncio

import pytest
from contract import ContractServer

import opencomputer.sync
from opencomputer import NotFoundError, OpenComputerError, Sandbox


async def test_the_callback_receives_echo_and_output(sandbox: Sandbox) -> None:
    shown: list[str] = []
    terminal = await sandbox.pty.create(cols=80, rows=24, on_output=shown.append)
    await terminal.send("echo $TERM\r")
    await terminal.send(b"exit 7\n")
    assert await terminal.wait() == 7
    assert "xterm-256color\n" in "".join(shown)
    with pytest.raises(RuntimeError, match="on_output"):
        async for _ in terminal:
            pass


async def test_an_iteration_ends_with_the_shell_and_an_attach_replays(sandbox: Sandbox) -> None:
    terminal = await sandbox.pty.create(cols=80, rows=24, shell="sh")
    await terminal.send("echo gr\u00fcn; exit 3\n")
    shown = b"".join([data async for data in terminal])
    assert shown.endswith("\ngr\u00fcn\n".encode())
    assert await terminal.wait() == 3
    again = await sandbox.pty.attach(terminal.session_id)
    assert b"".join([data async for data in again]) == shown
    info = await sandbox.pty.get(terminal.session_id)
    assert (info["running"], info["exitCode"]) == (False, 3)


async def test_a_split_character_is_decoded(sandbox: Sandbox) -> None:
    shown: list[str] = []
    script = "printf '\\303'; sleep 0.2; printf '\\274|'; exit\n"
    terminal = await sandbox.pty.create(cols=80, rows=24, shell="sh", on_output=shown.append)
    await terminal.send(script)
    await terminal.wait()
    assert "".join(shown).endswith("\u00fc|")


async def test_detaching_and_a_lost_connection(sandbox: Sandbox, server: ContractServer) -> None:
    async with await sandbox.pty.create(cols=80, rows=24) as terminal:
        pass
    with pytest.raises(OpenComputerError, match="detached"):
        await terminal.wait()
    with pytest.raises(OpenComputerError, match="attach to it again"):
        await terminal.send("x")
    again = await sandbox.pty.attach(terminal.session_id)
    waiting = asyncio.ensure_future(again.wait())
    server.drop_sockets()
    with pytest.raises(OpenComputerError, match="its shell keeps running"):
        await waiting
    assert [one["running"] for one in await sandbox.pty.list()] == [True]


async def test_resize_kill_and_refusals(sandbox: Sandbox) -> None:
    terminal = await sandbox.pty.create(cols=80, rows=24)
    await terminal.resize(100, 30)
    info = await sandbox.pty.get(terminal.session_id)
    assert (info["cols"], info["rows"]) == (100, 30)
    for cols, rows in [(0, 24), (80, 10_000)]:
        with pytest.raises(OpenComputerError) as refusal:
            await sandbox.pty.create(cols=cols, rows=rows)
        assert refusal.value.code == "invalid_request"
    with pytest.raises(OpenComputerError) as missing:
        await sandbox.pty.create(cols=80, rows=24, shell="no-such-shell")
    assert missing.value.code == "command_not_found"
    await terminal.kill()
    assert await terminal.wait() == 129
    with pytest.raises(NotFoundError):
        await sandbox.pty.attach(terminal.session_id)


def test_the_blocking_twin(sync_sandbox: opencomputer.sync.Sandbox) -> None:
    shown: list[str] = []
    terminal = sync_sandbox.pty.create(cols=80, rows=24, on_output=shown.append)
    terminal.send("echo twin; exit 5\n")
    assert terminal.wait() == 5
    assert "\ntwin\n" in "".join(shown)
    with sync_sandbox.pty.attach(terminal.session_id) as again:
        assert b"\ntwin\n" in b"".join(again)

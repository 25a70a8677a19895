from __future__ import annotations

import asyncio
import time

import pytest
from contract import ContractServer

from opencomputer import CommandSession, NotFoundError, OpenComputerError, Sandbox
from opencomputer._async.session_socket import SessionSocket


async def test_callbacks_receive_both_streams_as_they_arrive(sandbox: Sandbox) -> None:
    said: list[str] = []

    async def on_stderr(text: str) -> None:
        await asyncio.sleep(0)
        said.append(f"err:{text}")

    session = await sandbox.exec.start(
        "echo out; echo err >&2; exit 7",
        on_stdout=lambda text: said.append(f"out:{text}"),
        on_stderr=on_stderr,
    )
    assert await session.wait() == 7
    assert await session.wait() == 7
    assert sorted(said) == ["err:err\n", "out:out\n"]


async def test_options_are_passed_on(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start(
        "/bin/sh", args=["-c", "echo $1 $A; pwd", "x", "$A"], env={"A": "1"}, cwd="/usr"
    )
    assert await _text_of(session) == "$A 1\n/usr\n"
    late = await sandbox.exec.start("sleep 60", timeout=0.1)
    assert await late.wait() == -1


async def test_iteration_gives_the_output_in_order_and_ends_with_it(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("echo one; sleep 0.1; echo two >&2")
    assert [(chunk["stream"], chunk["data"]) async for chunk in session] == [
        ("stdout", b"one\n"),
        ("stderr", b"two\n"),
    ]
    assert await session.wait() == 0


async def test_a_character_that_spans_frames_is_decoded(sandbox: Sandbox) -> None:
    script = "printf 'a\\342\\202'; sleep 0.1; printf '\\254 \\303'; sleep 0.1; printf '\\274\\360'"
    texts: list[str] = []
    session = await sandbox.exec.start(script, on_stdout=texts.append)
    await session.wait()
    assert texts == ["a", "\u20ac ", "\u00fc", "\ufffd"]
    chunks = [chunk async for chunk in await sandbox.exec.start(script)]
    assert "".join(chunk["text"] for chunk in chunks) == "a\u20ac \u00fc\ufffd"
    assert b"".join(chunk["data"] for chunk in chunks) == b"a\xe2\x82\xac \xc3\xbc\xf0"


async def test_wait_drops_unread_output(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("head -c 5000000 /dev/zero; exit 2")
    assert await session.wait() == 2


async def test_wait_leaves_the_output_to_a_concurrent_iteration(sandbox: Sandbox) -> None:
    for _ in range(5):
        session = await sandbox.exec.start("for i in $(seq 200); do echo $i; done; exit 4")
        text, code = await asyncio.gather(_text_of(session), session.wait())
        assert text.split() == [str(number) for number in range(1, 201)]
        assert code == 4


async def test_wait_after_an_abandoned_iteration(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("echo ready; sleep 0.1; echo more; exit 5")
    async for chunk in session:
        assert chunk["text"] == "ready\n"
        break
    assert await asyncio.wait_for(session.wait(), 5) == 5


async def test_input_reaches_the_command(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("wc -c")
    await session.send_stdin("gr\u00fcn\n")
    await session.send_stdin(bytes(300_000))
    await session.send_stdin("")
    await session.end_stdin()
    assert (await _text_of(session)).strip() == "300006"


async def test_a_slow_callback_receives_all_output_in_order(sandbox: Sandbox) -> None:
    total = inside = 0

    async def on_stdout(text: str) -> None:
        nonlocal total, inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0.001)
        total += len(text)
        inside -= 1

    session = await sandbox.exec.start("head -c 8000000 /dev/zero", on_stdout=on_stdout)
    assert await session.wait() == 0
    assert total == 8_000_000


async def test_unread_output_is_not_fetched(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("head -c 50000000 /dev/zero")
    await asyncio.sleep(0.3)
    frames = session._socket._connection.recv_messages.frames
    assert len(frames) < 100
    assert await session.wait() == 0


async def test_wait_raises_the_exception_of_a_callback(sandbox: Sandbox) -> None:
    failure = ValueError("no room")

    def on_stdout(_text: str) -> None:
        raise failure

    session = await sandbox.exec.start("echo x; sleep 60", on_stdout=on_stdout)
    with pytest.raises(ValueError, match="no room") as caught:
        await session.wait()
    assert caught.value is failure
    await session.kill()


async def test_a_callback_may_close_the_session(sandbox: Sandbox) -> None:
    session: CommandSession

    async def on_stdout(_text: str) -> None:
        await session.close()

    session = await sandbox.exec.start("sleep 0.1; echo x; sleep 60", on_stdout=on_stdout)
    with pytest.raises(OpenComputerError, match="detached"):
        await asyncio.wait_for(session.wait(), 5)
    await session.kill()


async def test_a_session_with_callbacks_cannot_be_iterated(sandbox: Sandbox) -> None:
    session = await sandbox.exec.start("true", on_stderr=print)
    with pytest.raises(RuntimeError, match="on_stdout"):
        await _text_of(session)
    await session.wait()


async def test_attach_replays_and_continues(sandbox: Sandbox) -> None:
    async with await sandbox.exec.start("echo before; read -r line; echo after $line") as first:
        async for chunk in first:
            assert chunk["text"] == "before\n"
            break
    with pytest.raises(OpenComputerError) as caught:
        await first.wait()
    assert caught.value.code == "connection_failed"
    said: list[str] = []
    second = await sandbox.exec.attach(
        first.session_id, on_stdout=said.append, on_replay_end=lambda: said.append("|")
    )
    assert second.info["running"] is True
    await second.send_stdin("input\n")
    assert await second.wait() == 0
    assert said == ["before\n", "|", "after input\n"]


async def test_attach_reports_the_end_of_the_replay_without_callbacks_for_output(
    sandbox: Sandbox,
) -> None:
    session_id = (await sandbox.exec.start_detached("echo before; sleep 60"))["sessionID"]
    said: list[str] = []
    iterated = await sandbox.exec.attach(session_id, on_replay_end=lambda: said.append("|"))
    async for chunk in iterated:
        said.append(chunk["text"])
        await sandbox.exec.kill(session_id)
    assert said == ["before\n", "|"]
    waited = await sandbox.exec.attach(session_id, on_replay_end=lambda: said.append("|"))
    assert await waited.wait() == 137
    assert said == ["before\n", "|", "|"]


async def test_a_lost_connection_states_how_to_attach_again(
    sandbox: Sandbox, server: ContractServer
) -> None:
    session = await sandbox.exec.start("sleep 60")
    waiting = asyncio.ensure_future(session.wait())
    await asyncio.sleep(0.05)
    server.drop_sockets()
    with pytest.raises(OpenComputerError, match="keeps running: attach to it again") as caught:
        await waiting
    assert caught.value.code == "connection_failed"
    with pytest.raises(OpenComputerError, match="attach to it again"):
        await session.send_stdin("x")
    await sandbox.exec.kill(session.session_id)


async def test_cancelling_wait_leaves_the_session_alone(sandbox: Sandbox) -> None:
    for callback in (None, print):
        session = await sandbox.exec.start("read -r line; exit 3", on_stdout=callback)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.wait(), 0.1)
        await session.send_stdin("\n")
        assert await session.wait() == 3


async def test_the_client_sends_keep_alive_messages(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencomputer._async.session_socket.KEEPALIVE_SECONDS", 0.02)
    sent: list[bytes] = []
    send = SessionSocket.send

    async def note(self: SessionSocket, message: bytes) -> bool:
        sent.append(message)
        return await send(self, message)

    monkeypatch.setattr(SessionSocket, "send", note)
    async with await sandbox.exec.start("sleep 60") as session:
        await asyncio.sleep(0.15)
        await session.kill()
    assert sent[:3] == [b"", b"", b""]
    count = len(sent)
    await asyncio.sleep(0.1)
    assert len(sent) == count


async def test_start_detached_list_get_and_kill(sandbox: Sandbox) -> None:
    info = await sandbox.exec.start_detached("sleep", args=["600"], max_run_after_disconnect=5)
    assert (info["command"], info["args"], info["running"]) == ("sleep", ["600"], True)
    assert info["sessionID"] in [entry["sessionID"] for entry in await sandbox.exec.list()]
    await sandbox.exec.kill(info["sessionID"], 15)
    session = await sandbox.exec.attach(info["sessionID"])
    assert await session.wait() == 143
    assert (await sandbox.exec.get(info["sessionID"])).get("exitCode") == 143
    await sandbox.exec.kill(info["sessionID"])


async def test_background_commands(sandbox: Sandbox) -> None:
    quick = await sandbox.exec.run_async("echo quick; exit 3")
    assert (quick.running, quick.exit_code, quick.stdout) == (False, 3, "quick\n")
    waiting = await sandbox.exec.run_async("echo begun; sleep 60")
    assert waiting.running
    assert waiting.exec_id is not None
    progress = await sandbox.exec.result(waiting.exec_id)
    assert (progress.running, progress.exit_code, progress.stdout) == (True, None, "begun\n")
    await sandbox.exec.kill(waiting.exec_id)
    while progress.running:
        progress = await sandbox.exec.result(waiting.exec_id)
    assert progress.exit_code == 137


async def test_an_absent_session_is_not_found_everywhere(sandbox: Sandbox) -> None:
    exec_ = sandbox.exec
    for call in (exec_.attach, exec_.get, exec_.kill, exec_.result):
        with pytest.raises(NotFoundError) as caught:
            await call("exec-0")
        assert caught.value.code == "session_not_found"
    with pytest.raises(OpenComputerError) as refused:
        await exec_.start("no-such-program", args=[])
    assert refused.value.code == "command_not_found"


async def test_a_refused_web_socket_has_the_code_of_the_service(
    sandbox: Sandbox, server: ContractServer
) -> None:
    info = await sandbox.exec.start_detached("sleep 60")
    info["sessionID"] = "exec-0"
    from opencomputer._async.session import attach_session

    with pytest.raises(OpenComputerError, match="404") as caught:
        await attach_session(sandbox._connection, info, {})
    assert caught.value.status == 404
    assert not any(server.api_key in line for line in server.requests)


async def test_a_command_is_a_script_or_a_program(sandbox: Sandbox) -> None:
    result = await sandbox.commands.run("echo $A $B", env={"A": "1", "B": "2"}, envs={"B": "3"})
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 3\n", "")
    program = await sandbox.exec.run("echo", args=["$HOME", "it's"])
    assert program.stdout == "$HOME it's\n"
    failed = await sandbox.exec.run("echo why >&2; exit 3")
    assert (failed.exit_code, failed.stderr) == (3, "why\n")
    with pytest.raises(TypeError, match="list"):
        await sandbox.exec.run("echo", args="text")


async def test_the_time_out_is_the_commands_own(sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = await sandbox.exec.run("sleep 60", timeout=0.2)
    assert result.exit_code == -1
    assert result.stderr.endswith("\nProcess timed out")
    assert time.monotonic() - began < 30


async def test_a_command_whose_response_was_lost_runs_once(
    sandbox: Sandbox, server: ContractServer
) -> None:
    folder = (await sandbox.exec.run("mktemp -d")).stdout.strip()
    cmd = f"echo ran >> {folder}/log"

    async def run() -> None:
        await sandbox.exec.run(cmd)

    async def run_async() -> None:
        await sandbox.exec.run_async(cmd)

    async def start() -> None:
        await (await sandbox.exec.start(cmd)).wait()

    for count, call in enumerate((run, run_async, start), start=1):
        server.lose_next_response("/exec")
        await call()
        assert (await sandbox.exec.run(f"cat {folder}/log")).stdout == "ran\n" * count


async def test_an_idempotency_key_has_one_result(sandbox: Sandbox) -> None:
    first = await sandbox.exec.run("date +%N", idempotency_key="deploy-1")
    assert await sandbox.exec.run("date +%N", idempotency_key="deploy-1") == first
    with pytest.raises(OpenComputerError) as caught:
        await sandbox.exec.run("true", idempotency_key="deploy-1")
    assert (caught.value.code, caught.value.status) == ("idempotency_key_reused", 422)
    with pytest.raises(OpenComputerError, match="visible ASCII"):
        await sandbox.exec.run("true", idempotency_key="a b")


async def _text_of(session: CommandSession) -> str:
    return "".join([chunk["text"] async for chunk in session])

from __future__ import annotations

import inspect
import threading
from pathlib import Path

import pytest
from contract import ContractServer

import opencomputer
import opencomputer.sync
from opencomputer.sync import Image, NotFoundError, OpenComputerError, Sandbox, Snapshots


def test_the_twin_has_the_same_names_and_signatures() -> None:
    assert opencomputer.sync.__all__ == opencomputer.__all__
    for name in opencomputer.__all__:
        one, other = getattr(opencomputer, name), getattr(opencomputer.sync, name)
        if one is other or not inspect.isclass(one):
            continue
        for method in vars(one):
            if method.startswith("_") or not inspect.isroutine(getattr(one, method)):
                continue
            twin = getattr(other, method)
            assert not inspect.iscoroutinefunction(twin), method
            expected = str(inspect.signature(getattr(one, method)))
            found = str(inspect.signature(twin))
            assert found == expected.replace("AsyncIterator", "Iterator"), method


def test_it_is_generated_whole() -> None:
    package = Path(opencomputer.sync.__file__).parent
    twins = {path.name for path in package.glob("*.py")}
    assert twins == {path.name for path in (package.parent / "_async").glob("*.py")}
    for path in package.glob("*.py"):
        source = path.read_text()
        for word in ("await ", "async ", "asyncio", "opencomputer._async", "coroutine"):
            assert word not in source.split("\n", 1)[1], path.name


def test_a_sandbox_from_its_create_to_its_end(server: ContractServer) -> None:
    with Sandbox.create(envs={"A": "1"}) as sandbox:
        assert sandbox.commands.run("echo $A").stdout == "1\n"
        sandbox.files.write("file", (b"part" for _ in range(3)))
        assert sandbox.files.read("file") == "partpartpart"
        assert b"".join(sandbox.files.read_stream("file")) == b"part" * 3
        for _ in sandbox.files.read_stream("file"):
            break
        checkpoint = sandbox.create_checkpoint("ready", wait=True)
        with Sandbox.create_from_checkpoint(checkpoint["id"]) as fork:
            assert fork.is_running()
    assert not sandbox.is_running()


def test_sessions_with_callbacks_and_as_iterators(sync_sandbox: Sandbox) -> None:
    said: list[str] = []
    script = "printf 'a\\303'; sleep 0.1; printf '\\274'; read -r line; echo $line >&2; exit 7"
    session = sync_sandbox.exec.start(script, on_stdout=said.append, on_stderr=said.append)
    session.send_stdin("input\n")
    assert session.wait() == 7
    assert said == ["a", "\u00fc", "input\n"]
    with sync_sandbox.exec.attach(session.session_id) as again:
        assert b"".join(chunk["data"] for chunk in again) == b"a\xc3\xbcinput\n"
        assert again.wait() == 7


def test_wait_raises_the_exception_of_a_callback(sync_sandbox: Sandbox) -> None:
    def on_stdout(_text: str) -> None:
        raise ValueError("no room")

    session = sync_sandbox.exec.start("echo x; sleep 60", on_stdout=on_stdout)
    with pytest.raises(ValueError, match="no room"):
        session.wait()
    session.kill()


def test_an_iteration_can_be_abandoned_and_closed(
    sync_sandbox: Sandbox, server: ContractServer
) -> None:
    session = sync_sandbox.exec.start("echo ready; sleep 60")
    for chunk in session:
        assert chunk["text"] == "ready\n"
        break
    session.close()
    with pytest.raises(OpenComputerError, match="detached"):
        session.wait()
    again = sync_sandbox.exec.attach(session.session_id, on_stdout=lambda _text: None)
    again.close()
    lost = sync_sandbox.exec.attach(session.session_id)
    timer = threading.Timer(0.1, server.drop_sockets)
    timer.start()
    with pytest.raises(OpenComputerError, match="attach to it again"):
        lost.wait()
    timer.join()
    sync_sandbox.exec.kill(session.session_id)


def test_builds_errors_and_retries(server: ContractServer) -> None:
    messages: list[str] = []
    Snapshots().create(
        name="sync",
        image=Image.base().env({"A": "1"}),
        on_build_log=lambda event: messages.append(event["message"]),
    )
    assert messages == ["Step 1/1: env", "Step 1/1 completed"]
    server.respond_next(503, "{}")
    assert [row["name"] for row in Snapshots().list()] == ["sync"]
    Snapshots().delete("sync")
    with pytest.raises(NotFoundError):
        Sandbox.connect("sb-absent")


def test_threads_share_it(server: ContractServer) -> None:
    outputs: list[str] = []

    def work(number: int) -> None:
        with Sandbox.create() as sandbox:
            outputs.append(sandbox.exec.run(f"echo {number}").stdout)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == sorted(f"{number}\n" for number in range(8))


def test_a_shell_keeps_its_state(sync_sandbox: Sandbox) -> None:
    said: list[str] = []
    with sync_sandbox.exec.shell(cwd="/usr") as shell:
        shell.run("cd /tmp; here=still")
        result = shell.run("echo $PWD $here; echo err >&2; false", on_stderr=said.append)
        assert (result.exit_code, result.stdout, said) == (1, "/tmp still\n", ["err\n"])
        assert shell.run("sleep 60", timeout=0.2).stderr == "\nProcess timed out"
        again = sync_sandbox.exec.reattach_shell(shell.session_id)
        assert again.run("echo $here").stdout == "still\n"
    assert shell.exit_code == 0

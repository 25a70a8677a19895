from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from contract import ContractServer

from opencomputer import OpenComputerError, Sandbox, Shell, ShellBusyError, ShellClosedError
from opencomputer._shell_script import CommandMarkers, KeptOutput, MarkedStream


@pytest.fixture
async def shell(sandbox: Sandbox) -> AsyncIterator[Shell]:
    async with await sandbox.exec.shell(cwd="/usr", env={"ONE": "1"}, envs={"TWO": "2"}) as opened:
        yield opened


async def test_state_stays_between_commands(shell: Shell) -> None:
    first = await shell.run('echo "$PWD $ONE $TWO"')
    assert (first.exit_code, first.stdout, first.stderr) == (0, "/usr 1 2\n", "")
    await shell.run("cd /tmp; export SHOWN=yes; hidden=no; greet() { echo hello $1; return 7; }")
    result = await shell.run("pwd; printenv SHOWN; echo $hidden; greet you")
    assert (result.exit_code, result.stdout) == (7, "/tmp\nyes\nno\nhello you\n")


async def test_streams_stay_apart_and_output_is_exact(shell: Shell) -> None:
    result = await shell.run("printf out; printf err >&2; printf '\\001\\342\\202\\254'; false")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "out\x01\u20ac", "err")
    script = "cat <<'END'\nit's \"quoted\" \\ $HOME\nEND\nread -r line; echo $?"
    assert (await shell.run(script)).stdout == 'it\'s "quoted" \\ $HOME\n1\n'


@pytest.mark.parametrize("wrong", ["if (", "echo 'open", "done", "("])
async def test_a_syntax_error_is_a_result(shell: Shell, wrong: str) -> None:
    result = await shell.run(wrong)
    assert result.exit_code != 0
    assert result.stderr != ""
    assert (await shell.run("echo fine")).stdout == "fine\n"


async def test_callbacks_receive_output_as_it_arrives(shell: Shell) -> None:
    said: list[str] = []

    async def on_stderr(text: str) -> None:
        await asyncio.sleep(0)
        said.append(f"err:{text}")

    await shell.run(
        "echo one; sleep 0.1; echo two >&2",
        on_stdout=lambda text: said.append(f"out:{text}"),
        on_stderr=on_stderr,
    )
    assert said == ["out:one\n", "err:two\n"]


async def test_run_raises_the_exception_of_a_callback(shell: Shell) -> None:
    def fail(_text: str) -> None:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        await shell.run("echo one; echo two", on_stdout=fail)
    assert (await shell.run("echo on")).stdout == "on\n"


async def test_one_command_at_a_time(shell: Shell) -> None:
    first = asyncio.ensure_future(shell.run("sleep 0.2; echo first"))
    await asyncio.sleep(0.05)
    with pytest.raises(ShellBusyError) as caught:
        await shell.run("echo second")
    assert caught.value.code == "shell_busy"
    assert (await first).stdout == "first\n"
    with pytest.raises(OpenComputerError, match="NUL"):
        await shell.run("nul \0")


@pytest.mark.parametrize("endless", ["sleep 60; echo after", "while :; do :; done"])
async def test_a_time_out_interrupts_and_the_shell_stays(shell: Shell, endless: str) -> None:
    await shell.run("kept=kept")
    result = await shell.run(endless, timeout=0.3)
    assert (result.exit_code, result.stdout) == (-1, "")
    assert result.stderr == "\nProcess timed out"
    assert (await shell.run("echo $kept")).stdout == "kept\n"


async def test_an_interrupt_at_any_moment_ends_what_the_command_starts(shell: Shell) -> None:
    for delay in range(10):
        cmd = f"sleep 0.0{delay}; sleep 60"
        result = await shell.run(cmd, timeout=0.001 + delay * 0.011)
        assert (result.exit_code, result.stderr) == (-1, "\nProcess timed out")
        assert (await shell.run(f"echo {delay}")).stdout == f"{delay}\n"
    left = await shell.run("ps --no-headers -o args --ppid $$")
    assert "sleep 60" not in left.stdout


async def test_a_cancelled_run_is_interrupted(shell: Shell) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(shell.run("sleep 60; echo after"), 0.2)

    async def run_when_free() -> str:
        while True:
            try:
                return (await shell.run("echo on")).stdout
            except ShellBusyError:
                await asyncio.sleep(0.01)

    assert await asyncio.wait_for(run_when_free(), 20) == "on\n"


@pytest.mark.parametrize(
    ("cmd", "code"), [("echo last; exit 3", 3), ("set -e; echo last; false", 1)]
)
async def test_a_command_that_ends_the_shell(sandbox: Sandbox, cmd: str, code: int) -> None:
    shell = await sandbox.exec.shell()
    result = await shell.run(cmd)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "last\n", "")
    assert shell.exit_code == code
    with pytest.raises(ShellClosedError, match=f"exit code {code}: open another") as caught:
        await shell.run("true")
    assert caught.value.code == "shell_closed"
    await shell.close()


async def test_a_command_that_ignores_the_interrupt(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencomputer._async.shell.GRACE_SECONDS", 0.2)
    shell = await sandbox.exec.shell()
    result = await shell.run("trap '' INT; sleep 60", timeout=0.1)
    assert result.exit_code == -1
    assert result.stderr.endswith("and the shell was killed")
    with pytest.raises(ShellClosedError):
        await shell.run("true")


async def test_close_kills_the_running_command(sandbox: Sandbox) -> None:
    shell = await sandbox.exec.shell()
    running = asyncio.ensure_future(shell.run("sleep 60"))
    await asyncio.sleep(0.1)
    await shell.close()
    await shell.close()
    assert (await running).exit_code == 137
    with pytest.raises(ShellClosedError, match="was closed"):
        await shell.run("true")


async def test_a_shell_can_be_reattached_after_a_lost_connection(
    sandbox: Sandbox, server: ContractServer
) -> None:
    lost = await sandbox.exec.shell()
    await lost.run("here=still")
    running = asyncio.ensure_future(lost.run("sleep 0.3; before=done"))
    await asyncio.sleep(0.1)
    server.drop_sockets()
    with pytest.raises(OpenComputerError, match="was lost") as caught:
        await running
    assert caught.value.code == "connection_failed"
    with pytest.raises(ShellClosedError, match="reattach_shell"):
        await lost.run("true")
    again = await sandbox.exec.reattach_shell(lost.session_id)
    assert (await again.run("echo $here $before")).stdout == "still done\n"
    await again.close()


async def test_only_bash_is_a_shell(sandbox: Sandbox) -> None:
    with pytest.raises(OpenComputerError, match="expected /bin/cat to be bash") as caught:
        await sandbox.exec.shell(shell="/bin/cat")
    assert caught.value.code == "invalid_request"


def test_the_output_is_found_at_any_split_of_the_stream() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        markers = CommandMarkers.create()
        alphabet = ["a", "\x01", markers.start[:9], markers.end[:20], "\n", "\u20ac"]
        before, output, after = (
            "".join(chance.choices(alphabet, k=chance.randrange(20))) for _ in range(3)
        )
        text = f"{before}{markers.start}{output}{markers.end} {seed % 256}\n{after}"
        stream = MarkedStream(markers, has_exit_code=True)
        found, at = "", 0
        while at < len(text):
            size = chance.randrange(1, 40)
            found += stream.push(text[at : at + size])
            at += size
        assert (found, stream.exit_code) == (output, seed % 256)


def test_output_is_kept_up_to_a_limit() -> None:
    kept = KeptOutput(5)
    for text in ("abc", "def", "ghi"):
        kept.add(text)
    assert (kept.text(), kept.is_truncated) == ("abcde", True)

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract import ContractServer

from opencomputer import (
    BuildLogEvent,
    Image,
    NotFoundError,
    OpenComputerError,
    Sandbox,
    Snapshots,
)
from opencomputer._async.build_events import read_events


def test_an_image_is_its_steps() -> None:
    base = Image.base()
    image = (
        base.apt_install(["ffmpeg"])
        .pip_install(["pandas"])
        .run_commands("one", ["two", "three"])
        .env({"B": "2", "A": "1"})
        .workdir("/srv")
        .add_file("a", "gr\u00fcn")
        .builder_memory(2048)
    )
    assert base.to_dict()["steps"] == []
    assert image.to_dict() == {
        "base": "base",
        "steps": [
            {"type": "apt_install", "args": {"packages": ["ffmpeg"]}},
            {"type": "pip_install", "args": {"packages": ["pandas"]}},
            {"type": "run", "args": {"commands": ["one", "two", "three"]}},
            {"type": "env", "args": {"vars": {"A": "1", "B": "2"}}},
            {"type": "workdir", "args": {"path": "/srv"}},
            {
                "type": "add_file",
                "args": {"path": "a", "content": "Z3LDvG4=", "encoding": "base64"},
            },
        ],
        "builderMemoryMB": 2048,
    }
    assert Image.from_dict(json.loads(json.dumps(image.to_dict()))).to_dict() == image.to_dict()


@pytest.mark.parametrize(
    "wrong", [{}, {"base": "other", "steps": []}, {"base": "base", "steps": [1]}]
)
def test_a_malformed_manifest_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OpenComputerError, match="manifest") as caught:
        Image.from_dict(wrong)
    assert caught.value.code == "invalid_request"


def test_local_files_are_added_in_one_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b", "a", "sub/c", "\ufb01", "\U0001f600"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (step,) = Image.base().add_local_dir(tmp_path, "to").to_dict()["steps"]
    names = [file["relativePath"] for file in step["args"]["files"]]
    assert names == ["a", "b", "link", "sub/c", "\U0001f600", "\ufb01"]
    (step,) = Image.base().add_local_file(tmp_path / "a", "/a").to_dict()["steps"]
    assert step["args"]["content"] == "YQ=="
    (tmp_path / "dirs").symlink_to(tmp_path / "sub")
    for wrong in (tmp_path, tmp_path / "absent", tmp_path / "a"):
        with pytest.raises(OpenComputerError, match=r"Cannot (add|read)"):
            Image.base().add_local_dir(wrong, "to")
    with pytest.raises(OpenComputerError, match="Cannot read"):
        Image.base().add_local_file(tmp_path / "absent", "to")


async def test_snapshots_are_built_with_their_log(server: ContractServer) -> None:
    events: list[BuildLogEvent] = []
    image = Image.base().apt_install(["python3-pip"]).env({"NAME": "gr\u00fcn\u2028\u0007\x7f"})
    snapshots = Snapshots()
    row = await snapshots.create(name="data", image=image, on_build_log=events.append)
    assert [event["message"] for event in events] == [
        "Step 1/2: apt_install",
        "Step 1/2 completed",
        "Step 2/2: env",
        "Step 2/2 completed",
    ]
    # The server computes its own from the manifest that it got.
    assert row["contentHash"] == image.cache_key()
    assert (await snapshots.get("data"))["status"] == "ready"
    assert [entry["name"] for entry in await snapshots.list()] == ["data"]
    async with await Sandbox.create(snapshot="data", on_build_log=events.append) as sandbox:
        assert await sandbox.is_running()
    with pytest.raises(OpenComputerError) as caught:
        await snapshots.create(name="data", image=image)
    assert (caught.value.code, caught.value.status) == ("name_in_use", 409)
    await snapshots.delete("data")
    with pytest.raises(NotFoundError):
        await snapshots.get("data")


async def test_a_failed_build_is_an_error_with_its_status(server: ContractServer) -> None:
    with pytest.raises(OpenComputerError, match="Step 1 ") as caught:
        await Sandbox.create(image=Image.base().run_commands("false"))
    assert (caught.value.code, caught.value.status) == ("image_build_failed", 422)


async def test_an_exception_of_a_log_callback_is_raised(server: ContractServer) -> None:
    def stop(_event: BuildLogEvent) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await Sandbox.create(image=Image.base().env({"A": "1"}), on_build_log=stop)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "connection_failed"),
        ('event: result\ndata: {"no":"row"}\n\n', "unexpected_response"),
        ("event: error\ndata: nonsense\n\n", "unexpected_response"),
        (
            'event: error\ndata: {"error":"no disk","code":"host_storage_full"}\n\n',
            "host_storage_full",
        ),
        ('event: error\ndata: {"error":"failed"}\n\n', "image_build_failed"),
    ],
)
async def test_other_ends_of_a_build(body: str, code: str, server: ContractServer) -> None:
    server.respond_next(200, body, headers={"content-type": "text/event-stream"})
    with pytest.raises(OpenComputerError) as caught:
        await Snapshots().create(name="x", image=Image.base())
    assert caught.value.code == code


async def test_events_are_read_at_any_split() -> None:
    text = (
        b"\xef\xbb\xbf"[3:]
        + ": c\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata: \u2028\x0b\nid: 7\n\n".encode()
    )
    for size in range(1, len(text)):

        async def parts(size: int = size) -> AsyncIterator[bytes]:
            for at in range(0, len(text), size):
                yield text[at : at + size]

        events = [event async for event in read_events(parts())]
        assert events == [("a", b"1\n2"), ("message", "\u2028\x0b".encode())]


async def test_checkpoints_and_forks(sandbox: Sandbox) -> None:
    created = await sandbox.create_checkpoint("ready", kind="disk_only", wait=True)
    assert (created["status"], created["kind"]) == ("ready", "disk_only")
    fork = await Sandbox.create_from_checkpoint(created["id"], envs={"A": "1"}, memory_mb=2048)
    assert (fork.info.get("fromCheckpointId"), fork.info["memoryMB"]) == (created["id"], 2048)
    assert (await fork.exec.run("echo $A")).stdout == "1\n"
    with pytest.raises(NotFoundError) as unknown:
        await Sandbox.create_from_checkpoint(created["id"], restart_sessions=["exec-none"])
    assert unknown.value.code == "session_not_found"
    assert (await sandbox.restore_checkpoint(created["id"]))["status"] == "restoring"
    await sandbox.kill()
    assert len(await Sandbox.list_checkpoints_by_id(sandbox.id)) == 1
    await Sandbox.delete_checkpoint_by_id(sandbox.id, created["id"])
    assert await Sandbox.list_checkpoints_by_id(sandbox.id) == []


@pytest.mark.parametrize(
    ("status", "code"), [("failed", "checkpoint_failed"), ("gone", "checkpoint_not_found")]
)
async def test_a_checkpoint_that_is_never_ready(
    status: str, code: str, sandbox: Sandbox, server: ContractServer
) -> None:
    row = await sandbox.create_checkpoint("first", wait=True)
    path = f"GET /api/sandboxes/{sandbox.id}/checkpoints"
    for listed in ([{**row, "id": "x", "status": "processing"}], []):
        body = (
            [{**row, "id": "x", "status": status, "failure": "no disk"}]
            if status == "failed"
            else []
        )
        server.respond_next(200, json.dumps(listed or body), part=path)
    server.respond_next(201, json.dumps({**row, "id": "x", "status": "processing"}), part="POST")
    with pytest.raises(OpenComputerError) as caught:
        await sandbox.create_checkpoint("second", wait=True)
    assert caught.value.code == code

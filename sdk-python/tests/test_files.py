from __future__ import annotations

import asyncio
import io
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from contract import ContractServer

from opencomputer import NotFoundError, OpenComputerError, Sandbox
from opencomputer._async.upload_source import StreamSource

PART = os.urandom(100_000)


async def test_text_and_bytes(sandbox: Sandbox) -> None:
    files = sandbox.files
    await files.make_dir("work")
    await files.write("work/text", "gr\u00fcn\n")
    assert await files.read("work/text") == "gr\u00fcn\n"
    for content in (b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")):
        await files.write("work/bytes", content)
        assert await files.read_bytes("work/bytes") == b"\x00\xff"
    assert await files.read("work/bytes") == "\x00\ufffd"
    await files.write("work/text", "\ufeffwith a byte order mark")
    assert await files.read("work/text") == "\ufeffwith a byte order mark"
    await files.write("work/text", "gr\u00fcn\n")
    await files.write("work/empty", "")
    assert [(entry["name"], entry["size"]) for entry in await files.list("work")] == [
        ("bytes", 2),
        ("empty", 0),
        ("text", 6),
    ]
    await files.make_dir("work")
    with pytest.raises(OpenComputerError) as refused:
        await files.make_dir("work/text")
    assert (refused.value.code, refused.value.status) == ("file_exists", 409)
    await files.remove("work/text")
    names = ("text", "bytes", "bytes/below-a-file", "")
    assert [await files.exists(f"work/{name}") for name in names] == [False, True, False, True]


async def test_a_path_may_contain_any_character(sandbox: Sandbox) -> None:
    path = "dir/a b&c=d?e#f%2F+\u00fc\u2028"
    await sandbox.files.write(path, "x")
    assert await sandbox.files.read(path) == "x"


async def _asynchronous(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield PART


def _generated(count: int) -> Iterator[bytes]:
    yield from [PART] * count


@pytest.mark.parametrize(
    "source",
    [
        lambda: _asynchronous(30),
        lambda: _generated(30),
        lambda: [PART] * 30,
        lambda: io.BytesIO(PART * 30),
        lambda: [memoryview(PART)] * 30,
    ],
)
async def test_streams_of_every_kind(
    source: type[StreamSource], sandbox: Sandbox, tmp_path: Path
) -> None:
    await sandbox.files.write("big", source())
    received = b"".join([part async for part in sandbox.files.read_stream("big")])
    assert received == PART * 30
    (tmp_path / "copy").write_bytes(received)
    with (tmp_path / "copy").open("rb") as file:
        await sandbox.files.write_stream("again", file)
        assert not file.closed
    assert await sandbox.files.read_bytes("again") == received


async def test_streams_use_little_memory(sandbox: Sandbox) -> None:
    size = 100_000_000
    tracemalloc.start()
    try:
        await sandbox.files.write_stream("big", (bytes(1_000_000) for _ in range(100)))
        received = 0
        async for part in sandbox.files.read_stream("big"):
            received += len(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received == size
    assert peak < size / 5


async def test_an_exception_of_a_source_is_raised_and_closes_it(
    sandbox: Sandbox, server: ContractServer
) -> None:
    closed = []

    async def source(failure: Exception) -> AsyncIterator[bytes]:
        try:
            yield b"part"
            raise failure
        finally:
            closed.append(True)

    for failure in (ValueError("no more"), httpx.ReadError("of another request")):
        server.forget_requests()
        with pytest.raises(type(failure)) as caught:
            await sandbox.files.write_stream("x", source(failure))
        assert caught.value is failure
        assert len(server.requests) <= 1
    assert closed == [True, True]


async def test_an_upload_stream_is_never_repeated(sandbox: Sandbox, server: ContractServer) -> None:
    closed = []

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield PART
        finally:
            closed.append(True)

    server.forget_requests()
    server.respond_next(503, '{"error":"no worker","code":"worker_unavailable"}', part="PUT")
    with pytest.raises(OpenComputerError):
        await sandbox.files.write_stream("x", _asynchronous(3))
    assert len(server.requests) == 1
    server.break_next("PUT")
    with pytest.raises(OpenComputerError) as caught:
        await sandbox.files.write_stream("x", source())
    assert caught.value.code == "connection_failed"
    assert closed == [True]


@pytest.mark.parametrize("wrong", [5, [1, 2], ["text"], io.StringIO("text"), None])
async def test_a_value_that_is_not_a_source_is_refused(wrong: object, sandbox: Sandbox) -> None:
    with pytest.raises(TypeError):
        await sandbox.files.write_stream("x", wrong)  # type: ignore[arg-type]


async def test_a_broken_download_is_an_error(sandbox: Sandbox, server: ContractServer) -> None:
    length = {"content-length": "100"}
    server.respond_next(200, "part", part="files", headers=length, broken=True)
    with pytest.raises(OpenComputerError, match="try again") as caught:
        async for _ in sandbox.files.read_stream("x"):
            pass
    assert caught.value.code == "connection_failed"


async def test_an_abandoned_download_releases_its_connection(sandbox: Sandbox) -> None:
    await sandbox.files.write("big", bytes(50_000_000))
    for _ in range(3):
        stream = sandbox.files.read_stream("big")
        async for part in stream:
            assert part
            break
        await stream.aclose()  # type: ignore[attr-defined]
    assert await sandbox.files.exists("big")


async def test_absent_files(sandbox: Sandbox) -> None:
    files = sandbox.files
    for call in (files.read, files.read_bytes, files.list, files.remove):
        with pytest.raises(NotFoundError) as caught:
            await call("absent")
        assert caught.value.code == "file_not_found"
    with pytest.raises(NotFoundError):
        async for _ in files.read_stream("absent"):
            pass
    await sandbox.kill()
    with pytest.raises(OpenComputerError):
        await files.exists("absent")


async def test_signed_urls_need_no_key(sandbox: Sandbox) -> None:
    upload = await sandbox.files.upload_url("signed", expires_in=60)
    download = await sandbox.files.download_url("signed")
    async with httpx.AsyncClient() as client:
        assert (await client.put(upload["url"], content=b"content")).status_code == 204
        assert (await client.get(download["url"])).content == b"content"
    assert download["expiresAt"] > upload["expiresAt"]

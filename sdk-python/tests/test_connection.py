from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import socket

import httpx
import pytest
from contract import ContractServer

from opencomputer import (
    ConnectionOptions,
    Events,
    NotFoundError,
    OpenComputerError,
    Project,
    Sandbox,
)
from opencomputer._async.connection import resolve_connection
from opencomputer._platform import asynchronous

KEY = "osb_" + "0" * 64


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080/api"),
        ("https://oc.example.com/", "https://oc.example.com/api"),
        ("https://oc.example.com/api", "https://oc.example.com/api"),
        (" https://oc.example.com/below/api// ", "https://oc.example.com/below/api"),
        ("http://[::1]:8080", "http://[::1]:8080/api"),
    ],
)
def test_the_api_url_ends_in_api(given: str, expected: str) -> None:
    assert resolve_connection(api_key=KEY, api_url=given).base_url == expected


@pytest.mark.parametrize(
    "given",
    [
        "localhost:8080",
        "ftp://host",
        "http://",
        "http://user:password@host",
        "http://host?x=1",
        "http://host#x",
        "http://host:port",
        "http://[::1",
        "http://host:70000",
    ],
)
def test_a_malformed_api_url_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(OpenComputerError) as caught:
        resolve_connection(api_key=KEY, api_url=given)
    assert caught.value.code == "invalid_api_url"
    assert "password" not in str(caught.value)


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCOMPUTER_API_KEY", f" {KEY}\n")
    monkeypatch.delenv("OPENCOMPUTER_API_URL", raising=False)
    assert resolve_connection().api_key == KEY
    assert resolve_connection().base_url == "http://127.0.0.1:8080/api"
    monkeypatch.setenv("OPENCOMPUTER_API_URL", "https://oc.example.com")
    assert resolve_connection().base_url == "https://oc.example.com/api"
    assert resolve_connection(api_url="http://other").base_url == "http://other/api"


@pytest.mark.parametrize("key", ["osb_ü", "two words", "a\nb"])
def test_a_malformed_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(OpenComputerError) as caught:
        resolve_connection(api_key=key)
    assert caught.value.code == "invalid_api_key"
    assert key not in str(caught.value)


def test_nothing_shows_the_key() -> None:
    assert KEY not in repr(resolve_connection(api_key=KEY))


async def test_an_unknown_keyword_is_refused() -> None:
    options: ConnectionOptions = {"api_keys": KEY}  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match="api_keys"):
        await Project.list(**options)


async def test_connections_are_kept_and_shared(server: ContractServer) -> None:
    await Project.list()
    client = await asynchronous.shared_client()
    before = _connections(client)
    for _ in range(5):
        await Project.list()
        await Sandbox.list()
    assert _connections(client) == before
    assert len(before) == 1


def _connections(client: httpx.AsyncClient) -> list[object]:
    return list(client._transport._pool.connections)  # type: ignore[attr-defined]


def test_each_event_loop_has_a_client_that_ends_with_it(server: ContractServer) -> None:
    async def use() -> httpx.AsyncClient:
        await asyncio.gather(*[Project.list() for _ in range(3)])
        return await asynchronous.shared_client()

    first, second = asyncio.run(use()), asyncio.run(use())
    assert first is not second
    assert first.is_closed
    assert second.is_closed
    gc.collect()


async def test_a_client_of_the_callers_own_sends_the_requests(server: ContractServer) -> None:
    lines: list[str] = []

    async def note(request: httpx.Request) -> None:
        lines.append(f"{request.method} {request.url.path}")

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        sandbox = await Sandbox.create(http_client=client)
        await sandbox.exec.run("true")
        await sandbox.kill()
    path = f"/api/sandboxes/{sandbox.id}"
    assert lines == ["POST /api/sandboxes", f"POST {path}/exec/run", f"DELETE {path}"]


async def test_an_unreachable_service_is_reported(server: ContractServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(OpenComputerError, match="npm run serve") as caught:
            await Sandbox.list(api_url=url)
    assert caught.value.code == "connection_failed"
    assert caught.value.status is None
    assert server.api_key not in str(caught.value)


async def test_a_repeatable_request_is_sent_once_more(server: ContractServer) -> None:
    for failure in (502, 503, 504):
        server.respond_next(failure, "{}")
        assert await Project.list() == []
    server.break_next()
    assert await Project.list() == []
    assert server.requests == ["GET /api/projects"] * 8


async def test_a_request_is_not_sent_a_third_time(server: ContractServer) -> None:
    for _ in range(2):
        server.respond_next(503, '{"error":"starting","code":"worker_unavailable"}')
    with pytest.raises(OpenComputerError) as caught:
        await Project.list()
    assert (caught.value.code, caught.value.status) == ("worker_unavailable", 503)
    assert len(server.requests) == 2


async def test_any_request_waits_while_the_service_is_starting(
    server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "The worker is not ready yet: booting"

    def start(details: str = "") -> None:
        body = f'{{"error":"{text}","code":"worker_unavailable"{details}}}'
        server.respond_next(503, body)

    progress: list[str] = []
    for _ in range(2):
        start(',"details":{"retryAfterSeconds":0}')
    sandbox = await Sandbox.create(on_starting=progress.append)
    assert progress == [text, text]
    assert len(server.requests) == 3
    start(',"details":{"retryAfterSeconds":0}')
    await sandbox.files.write("text", "text")
    start(',"details":{"retryAfterSeconds":0}')
    assert b"".join([part async for part in sandbox.files.read_stream("text")]) == b"text"
    start(',"details":{"retryAfterSeconds":0}')
    events = Events.follow(cursor="0-0", on_starting=progress.append)
    async for event in events:
        assert event["sandboxId"] is not None
        break
    await events.aclose()  # type: ignore[attr-defined]
    start(',"details":{"retryAfterSeconds":0}')
    await sandbox.kill()
    assert progress == [text] * 6
    del progress[3:]

    start()
    with pytest.raises(OpenComputerError, match="booting"):
        await Sandbox.create(on_starting=progress.append)
    start(',"details":{"retryAfterSeconds":30}')
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(Sandbox.create(), 0.3)
    monkeypatch.setattr("opencomputer._async.send.START_SECONDS_MAX", 20)
    start(',"details":{"retryAfterSeconds":30}')
    with pytest.raises(OpenComputerError, match="booting"):
        await Sandbox.create(on_starting=progress.append)
    assert len(progress) == 3


async def test_a_post_without_a_key_is_never_repeated(
    sandbox: Sandbox, server: ContractServer
) -> None:
    server.forget_requests()
    server.break_next()
    with pytest.raises(OpenComputerError, match="may have been carried out") as caught:
        await sandbox.create_checkpoint("once")
    assert caught.value.code == "connection_failed"
    assert len(server.requests) == 1


async def test_a_deletion_with_a_lost_response_succeeds(
    sandbox: Sandbox, server: ContractServer
) -> None:
    missing = '{"error":"none","code":"sandbox_not_found"}'
    server.break_next("DELETE")
    server.respond_next(404, missing, part="DELETE")
    await sandbox.kill()
    server.respond_next(404, missing, part="DELETE")
    with pytest.raises(NotFoundError):
        await sandbox.kill()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>"),
        (200, '{"no":"list"}'),
        (200, '[{"id":1}]'),
        (404, "<html>"),
        (400, '{"error":"no code"}'),
        (307, ""),
    ],
)
async def test_a_response_of_another_service_is_refused(
    status: int, body: str, server: ContractServer
) -> None:
    server.respond_next(status, body, headers={"location": "http://127.0.0.1:1/"})
    with pytest.raises(OpenComputerError, match="API URL") as caught:
        await Project.list()
    assert (caught.value.code, caught.value.status) == ("unexpected_response", status)
    assert server.requests == ["GET /api/projects"]


async def test_a_missing_response_times_out(
    sandbox: Sandbox, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opencomputer._async.commands.RESPONSE_GRACE_SECONDS", 0.1)
    server.be_silent_next()
    with pytest.raises(OpenComputerError, match=r"within 0\.2 s") as caught:
        await sandbox.exec.run("true", timeout=0.1)
    assert caught.value.code == "request_timed_out"


def test_an_error_can_be_copied_and_pickled() -> None:
    error = OpenComputerError("some_code", "text", status=400, details={"n": 1}, remediation="oc")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (twin.code, str(twin), twin.status) == ("some_code", "text", 400)
        assert (twin.details, twin.remediation) == ({"n": 1}, "oc")


async def test_parameters_are_escaped_in_paths(server: ContractServer) -> None:
    for wrong in ("", ".", ".."):
        with pytest.raises(OpenComputerError) as caught:
            await Sandbox.get(wrong)
        assert caught.value.code == "invalid_request"
    with pytest.raises(NotFoundError):
        await Sandbox.get("../keys?x#y")
    assert server.requests == ["GET /api/sandboxes/..%2Fkeys%3Fx%23y"]


def test_statuses_of_error_codes_are_those_of_the_service(server: ContractServer) -> None:
    from opencomputer._error_statuses import error_statuses

    assert error_statuses == server.greeting["errorStatuses"]

from __future__ import annotations

from collections.abc import Iterator

import pytest
from contract import ContractServer

import opencomputer
import opencomputer.sync


@pytest.fixture(scope="session")
def _server() -> Iterator[ContractServer]:
    with ContractServer() as server:
        yield server


@pytest.fixture
def server(_server: ContractServer, monkeypatch: pytest.MonkeyPatch) -> ContractServer:
    """The contract server, to which the environment leads."""
    monkeypatch.setenv("OPENCOMPUTER_API_URL", _server.url)
    monkeypatch.setenv("OPENCOMPUTER_API_KEY", _server.api_key)
    _server.forget_requests()
    return _server


@pytest.fixture
async def sandbox(server: ContractServer) -> opencomputer.Sandbox:
    return await opencomputer.Sandbox.create()


@pytest.fixture
def sync_sandbox(server: ContractServer) -> opencomputer.sync.Sandbox:
    return opencomputer.sync.Sandbox.create()

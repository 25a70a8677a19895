from __future__ import annotations

import warnings

import pytest
from contract import ContractServer

from opencomputer import (
    AwsCredentials,
    OpenComputerError,
    Project,
    Sandbox,
    SecretStore,
    SecretWarning,
)

STRONG = "jQ7vX2mT9wLr4KzB8nYd3HpC"


async def test_a_project_as_its_page_prints_it(server: ContractServer) -> None:
    project = await Project.create(
        name="my-agent", template="default", cpu_count=2, memory_mb=1024, timeout_sec=600
    )
    project_id = project["id"]
    updated = await Project.update(project_id, memory_mb=2048, timeout_sec=900)
    assert (updated["name"], updated["cpuCount"], updated["template"]) == ("my-agent", 2, "default")
    assert (updated["memoryMB"], updated["timeoutSec"]) == (2048, 900)
    assert [entry["id"] for entry in await Project.list()] == [project_id]
    result: object = await Project.set_secret(project_id, "ANTHROPIC_API_KEY", STRONG)  # type: ignore[func-returns-value]
    assert result is None
    await Project.set_secret(project_id, "DATABASE_URL", STRONG)
    assert await Project.list_secrets(project_id) == ["ANTHROPIC_API_KEY", "DATABASE_URL"]
    entries = await Project.list_secret_entries(project_id)
    assert [(entry["name"], entry["substituteIn"]) for entry in entries] == [
        (name, ["header", "body"]) for name in ("ANTHROPIC_API_KEY", "DATABASE_URL")
    ]
    sandbox = await Sandbox.create(project="my-agent", timeout=600)
    printed = await sandbox.commands.run("echo $ANTHROPIC_API_KEY")
    assert printed.stdout.startswith("osb_sealed_")
    await Project.delete_secret(project_id, "DATABASE_URL")
    assert await Project.list_secrets(project_id) == ["ANTHROPIC_API_KEY"]
    await Project.delete(project_id)
    assert await Project.list() == []


async def test_a_revoked_secret_is_listed_with_its_time(server: ContractServer) -> None:
    store_id = (await SecretStore.create(name="leaked"))["id"]
    await SecretStore.set_secret(store_id, "KEY", STRONG)
    for _ in range(2):
        revoked = await SecretStore.revoke_secret(store_id, "KEY")
        assert revoked == {"name": "KEY", "status": "revoked"}
    (entry,) = await SecretStore.list_secrets(store_id)
    assert "revokedAt" in entry
    await SecretStore.set_secret(store_id, "KEY", STRONG)
    (entry,) = await SecretStore.list_secrets(store_id)
    assert "revokedAt" not in entry
    with pytest.raises(OpenComputerError) as unknown:
        await SecretStore.revoke_secret(store_id, "ABSENT")
    assert unknown.value.status == 404
    project_id = (await Project.create(name="leaked"))["id"]
    await Project.set_secret(project_id, "KEY", STRONG)
    assert (await Project.revoke_secret(project_id, "KEY"))["status"] == "revoked"


async def test_aws_credentials_are_set_and_listed_with_their_kind(server: ContractServer) -> None:
    store_id = (await SecretStore.create(name="aws"))["id"]
    credentials = AwsCredentials("AKIAEXAMPLE", STRONG, session_token=STRONG)
    assert repr(credentials) == "AwsCredentials()"
    await SecretStore.set_secret(store_id, "AWS", credentials)
    (entry,) = await SecretStore.list_secrets(store_id)
    assert (entry["name"], entry.get("kind")) == ("AWS", "aws")
    assert entry["allowedHosts"] == ["*.amazonaws.com"]
    project_id = (await Project.create(name="aws"))["id"]
    await Project.set_secret(project_id, "AWS", AwsCredentials("AKIAEXAMPLE", STRONG))
    with pytest.raises(OpenComputerError) as refused:
        await SecretStore.set_secret(store_id, "AWS", AwsCredentials("", STRONG))
    assert refused.value.status == 400


async def test_a_store_keeps_what_is_not_given(server: ContractServer) -> None:
    store = await SecretStore.create(name="one", egress_allowlist=["api.anthropic.com"])
    store_id = store["id"]
    assert "substituteIn" not in store
    updated = await SecretStore.update(store_id, name="new-name", substitute_in=["header"])
    assert updated["egressAllowlist"] == ["api.anthropic.com"]
    assert updated.get("substituteIn") == ["header"]
    cleared = await SecretStore.update(store_id, name="", egress_allowlist=[])
    assert (cleared["name"], cleared["egressAllowlist"]) == ("new-name", [])
    await SecretStore.set_secret(
        store_id, "KEY", STRONG, allowed_hosts=["a.example.com"], substitute_in=["query"]
    )
    await SecretStore.set_secret(store_id, "KEY", STRONG)
    (entry,) = await SecretStore.list_secrets(store_id)
    assert (entry["allowedHosts"], entry["substituteIn"]) == (["a.example.com"], ["query"])
    await SecretStore.set_secret(store_id, "KEY", STRONG, allowed_hosts=[])
    assert (await SecretStore.list_secrets(store_id))[0]["allowedHosts"] == []
    await SecretStore.delete_secret(store_id, "KEY")
    await SecretStore.delete(store_id)


async def test_a_value_that_can_be_guessed_warns(server: ContractServer) -> None:
    body = '{"name":"PIN","status":"set","warning":"it can be guessed"}'
    server.respond_next(200, body)
    with pytest.warns(SecretWarning, match="PIN: it can be guessed"):
        await SecretStore.set_secret("id", "PIN", "20260131")
    server.respond_next(200, body)
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await Project.set_secret("id", "PIN", "20260131", on_warning=heard.append)
    assert heard == ["it can be guessed"]


async def test_no_error_contains_the_value(server: ContractServer) -> None:
    store = await SecretStore.create(name="two")
    with pytest.raises(OpenComputerError) as caught:
        await SecretStore.set_secret(store["id"], "KEY", STRONG, substitute_in=["nowhere"])
    assert caught.value.code == "invalid_request"
    assert STRONG not in repr(caught.value)
    server.break_next("PUT")
    server.break_next("PUT")
    with pytest.raises(OpenComputerError) as broken:
        await SecretStore.set_secret(store["id"], "KEY", STRONG)
    assert STRONG not in repr(broken.value)
    await SecretStore.delete(store["id"])


async def test_a_string_instead_of_a_list_is_refused(server: ContractServer) -> None:
    with pytest.raises(TypeError, match="list of hosts"):
        await SecretStore.create(name="x", egress_allowlist="api.example.com")
    with pytest.raises(TypeError, match="list of placements"):
        await Project.set_secret("id", "KEY", STRONG, substitute_in="header")
    assert server.requests == []


async def test_invalid_unicode_is_sent_escaped(server: ContractServer) -> None:
    with pytest.raises(OpenComputerError, match="well-formed") as caught:
        await SecretStore.create(name="\ud800")
    assert caught.value.status == 400

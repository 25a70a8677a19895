from __future__ import annotations

from typing import cast

import pytest

from opencomputer import (
    CreatedSandbox,
    NotFoundError,
    OpenComputerError,
    Sandbox,
    Webhook,
)

URL = "https://receiver.example.com/"


async def test_only_create_returns_the_secret(sandbox: Sandbox) -> None:
    created = await Webhook.create(url=URL)
    record = {key: value for key, value in created.items() if key != "secret"}
    assert created["secret"].startswith("whsec_")
    assert await Webhook.get(created["id"]) == record
    assert record in await Webhook.list()
    given = "whsec_" + "A" * 32
    assert (await Webhook.create(url=URL, secret=given))["secret"] == given
    with pytest.raises(OpenComputerError) as caught:
        await Webhook.create(url="ftp://receiver.example.com/")
    assert caught.value.code == "invalid_request"


async def test_update_changes_what_is_passed_alone(sandbox: Sandbox) -> None:
    webhook_id = (await Webhook.create(url=URL, event_types=["sandbox.killed"]))["id"]
    disabled = await Webhook.update(webhook_id, enabled=False)
    assert (disabled["url"], disabled["eventTypes"]) == (URL, ["sandbox.killed"])
    assert (disabled["enabled"], disabled["disabledReason"]) == (False, "requested")
    enabled = await Webhook.update(webhook_id, event_types="all", enabled=True)
    assert (enabled["eventTypes"], enabled["disabledReason"]) == (None, None)
    await Webhook.delete(webhook_id)
    with pytest.raises(NotFoundError):
        await Webhook.get(webhook_id)


async def test_deliveries_are_listed_and_sent_again(sandbox: Sandbox) -> None:
    webhook_id = (await Webhook.create(url=URL, event_types=["sandbox.killed"]))["id"]
    await sandbox.kill()
    (delivery,) = await Webhook.list_deliveries(webhook_id)
    assert delivery["eventType"] == "sandbox.killed"
    again = await Webhook.resend(webhook_id, delivery["id"])
    assert again["eventId"] == delivery["eventId"]
    assert await Webhook.list_deliveries(webhook_id, state="delivered", limit=1) == [again]


async def test_those_of_a_sandbox_come_with_it(sandbox: Sandbox) -> None:
    created = await Sandbox.create(webhooks=[{"url": URL, "eventTypes": ["sandbox.ready"]}])
    (webhook,) = cast("CreatedSandbox", created.info)["webhooks"]
    assert webhook["secret"].startswith("whsec_")
    listed = await Webhook.list(sandbox_id=created.id)
    assert [each["id"] for each in listed] == [webhook["id"]]

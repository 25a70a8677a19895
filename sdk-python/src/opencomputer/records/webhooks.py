"""Webhooks, and what was sent to them."""

from __future__ import annotations

from typing import Literal, TypedDict


class _WebhookOptions(TypedDict):
    url: str


class WebhookOptions(_WebhookOptions, total=False):
    """A webhook that a sandbox is created with. Without ``eventTypes`` it gets all events."""

    secret: str
    eventTypes: list[str]


class WebhookRecord(TypedDict):
    """A webhook without its secret.

    ``sandboxId`` is None for one of the organization, ``eventTypes`` for all. ``disabledReason``
    is ``requested``, ``gone`` or ``failing``. ``failingSince`` is since when every delivery has
    failed.
    """

    id: str
    sandboxId: str | None
    url: str
    eventTypes: list[str] | None
    enabled: bool
    disabledReason: str | None
    failingSince: str | None
    createdAt: str
    updatedAt: str


class CreatedWebhook(WebhookRecord):
    """A new webhook, with its signing secret."""

    secret: str


class WebhookDelivery(TypedDict):
    """The delivery of an event to a webhook.

    One that is ``pending`` is sent at ``nextAttemptAt``; one that has ``failed`` is not sent again.
    ``responseStatus`` and ``error`` are those of the last attempt.
    """

    id: str
    webhookId: str
    eventId: str
    eventType: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    createdAt: str
    lastAttemptAt: str | None
    nextAttemptAt: str | None
    responseStatus: int | None
    error: str | None

"""URLs that events are sent to."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path
from opencomputer.records import CreatedWebhook, WebhookDelivery, WebhookRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Webhook:
    """URLs that events are sent to.

    Every call takes the keywords of ``ConnectionOptions`` and raises ``OpenComputerError``, and
    ``NotFoundError`` for a webhook that does not exist.
    """

    @staticmethod
    async def create(
        *,
        url: str,
        secret: str | None = None,
        event_types: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> CreatedWebhook:
        """Creates a webhook of the organization. No other response contains its secret.

        Args:
            url: An ``https`` or ``http`` URL without user, password and fragment.
            secret: Signing secret: ``whsec_`` and the base64 of 24 to 64 bytes. None: the service
                generates one.
            event_types: Types of events to send. None: all.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``limit_exceeded``.
        """
        types = None if event_types is None else [*event_types]
        body = {"url": url, "secret": secret, "eventTypes": types}
        request = ApiRequest("POST", "/webhooks", json=body)
        return await request_record(resolve_connection(**connection), request, CreatedWebhook)

    @staticmethod
    async def list(
        *, sandbox_id: str | None = None, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[WebhookRecord]:
        """Lists webhooks, oldest first, without their secrets.

        Args:
            sandbox_id: Webhooks of this sandbox. None: those of the organization.
            **connection: Key and address of the service.
        """
        request = ApiRequest("GET", "/webhooks", query={"sandboxId": sandbox_id})
        shape = builtins.list[WebhookRecord]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def get(webhook_id: str, **connection: Unpack[ConnectionOptions]) -> WebhookRecord:
        """Returns one webhook, by its UUID."""
        request = ApiRequest("GET", api_path("webhooks", webhook_id))
        return await request_record(resolve_connection(**connection), request, WebhookRecord)

    @staticmethod
    async def update(
        webhook_id: str,
        *,
        url: str | None = None,
        event_types: Sequence[str] | Literal["all"] | None = None,
        enabled: bool | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> WebhookRecord:
        """Changes the fields that are given; None keeps a field.

        Args:
            webhook_id: UUID of the webhook.
            url: An ``https`` or ``http`` URL without user, password and fragment.
            event_types: Types of events to send; ``"all"`` for all.
            enabled: True resumes a disabled webhook with the events from then on; False disables
                it.
            **connection: Key and address of the service.
        """
        body: dict[str, Any] = {}
        if url is not None:
            body["url"] = url
        if event_types is not None:
            body["eventTypes"] = None if event_types == "all" else [*event_types]
        if enabled is not None:
            body["enabled"] = enabled
        request = ApiRequest("PATCH", api_path("webhooks", webhook_id), json=body)
        return await request_record(resolve_connection(**connection), request, WebhookRecord)

    @staticmethod
    async def delete(webhook_id: str, **connection: Unpack[ConnectionOptions]) -> None:
        """Deletes a webhook and its pending deliveries."""
        request = ApiRequest("DELETE", api_path("webhooks", webhook_id))
        await request_deletion(resolve_connection(**connection), request)

    @staticmethod
    async def list_deliveries(
        webhook_id: str,
        *,
        state: Literal["pending", "delivered", "failed"] | None = None,
        limit: int | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> builtins.list[WebhookDelivery]:
        """Lists deliveries, past and pending, newest first.

        Args:
            webhook_id: UUID of the webhook.
            state: Only deliveries in this state. None: all.
            limit: Deliveries to list, 1-1000. Default 100.
            **connection: Key and address of the service.
        """
        query = {"state": state, "limit": None if limit is None else str(limit)}
        path = api_path("webhooks", webhook_id, "deliveries")
        request = ApiRequest("GET", path, query=query)
        shape = builtins.list[WebhookDelivery]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def resend(
        webhook_id: str, delivery_id: str, **connection: Unpack[ConnectionOptions]
    ) -> WebhookDelivery:
        """Sends the event of a delivery again, as a new delivery.

        Raises:
            OpenComputerError: ``invalid_request`` while the webhook is disabled.
        """
        path = api_path("webhooks", webhook_id, "deliveries", delivery_id, "resend")
        request = ApiRequest("POST", path)
        return await request_record(resolve_connection(**connection), request, WebhookDelivery)

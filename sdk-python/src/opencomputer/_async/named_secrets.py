"""Requests for the secrets of a store or a project, below the path of either."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from opencomputer._async.connection import Connection
from opencomputer._async.send import request_deletion, request_record
from opencomputer._platform.asynchronous import call
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.aws_credentials import AwsCredentials
from opencomputer.errors import SecretWarning
from opencomputer.records import RevokeSecretResponse, SetSecretResponse


async def put_secret(
    connection: Connection,
    owner_path: str,
    name: str,
    value: str | AwsCredentials,
    *,
    allowed_hosts: Sequence[str] | None,
    substitute_in: Sequence[str] | None,
    on_warning: Callable[[str], Any] | None,
) -> None:
    """Sets a secret, or replaces its value."""
    body = without_none(
        **_value_fields(value),
        allowedHosts=listed(allowed_hosts, "hosts"),
        substituteIn=listed(substitute_in, "placements"),
    )
    request = ApiRequest("PUT", owner_path + api_path("secrets", name), json=body)
    response = await request_record(connection, request, SetSecretResponse)
    warning = response.get("warning")
    if warning is None:
        return
    if on_warning is not None:
        await call(on_warning, warning)
    else:
        # The caller of the method that calls this.
        warnings.warn(f"Secret {name}: {warning}", SecretWarning, stacklevel=3)


def _value_fields(value: str | AwsCredentials) -> dict[str, str | None]:
    if isinstance(value, str):
        return {"value": value}
    return {
        "kind": "aws",
        "accessKeyId": value.access_key_id,
        "secretAccessKey": value.secret_access_key,
        "sessionToken": value.session_token,
    }


async def withdraw_secret(
    connection: Connection, owner_path: str, name: str
) -> RevokeSecretResponse:
    """Revokes a secret: removes its value from everything that has it."""
    path = owner_path + api_path("secrets", name, "revoke")
    request = ApiRequest("POST", path, idempotent=True)
    return await request_record(connection, request, RevokeSecretResponse)


async def remove_secret(connection: Connection, owner_path: str, name: str) -> None:
    """Deletes a secret."""
    path = owner_path + api_path("secrets", name)
    await request_deletion(connection, ApiRequest("DELETE", path))


def listed(texts: Sequence[str] | None, what: str) -> list[str] | None:
    """A list for JSON.

    Raises:
        TypeError: For a string, which is a sequence of characters.
    """
    if isinstance(texts, str):
        raise TypeError(f"expected a list of {what}, got the text {texts!r}")
    return None if texts is None else list(texts)

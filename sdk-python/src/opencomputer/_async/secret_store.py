"""Secret stores."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.named_secrets import listed, put_secret, remove_secret, withdraw_secret
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.aws_credentials import AwsCredentials
from opencomputer.records import RevokeSecretResponse, SecretEntry, SecretStoreRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SecretStore:
    """Named sets of encrypted secrets, with the hosts that a sandbox may reach.

    Values are never returned. In a sandbox each secret is a sealed token, which is replaced by
    the value only in requests to an allowed host, and there only in the secret's placements.
    Every call takes the keywords of ``ConnectionOptions`` and raises ``OpenComputerError``.
    """

    @staticmethod
    async def create(
        *,
        name: str,
        egress_allowlist: Sequence[str] | None = None,
        substitute_in: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> SecretStoreRecord:
        """Creates a store.

        Args:
            name: Unique in the organization, at most 128 characters.
            egress_allowlist: Hosts that a sandbox may reach: ``api.example.com``,
                ``*.example.com``. Empty or None: all hosts.
            substitute_in: Placements of the store's secrets that have none of their own:
                ``header``, ``query``, … None: the operator's default.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``name_in_use``, ``limit_exceeded``; ``invalid_host_pattern`` for a
                malformed host, ``invalid_request`` for a malformed placement.
        """
        body = _fields(name, egress_allowlist, substitute_in)
        request = ApiRequest("POST", "/secret-stores", json=body)
        return await request_record(resolve_connection(**connection), request, SecretStoreRecord)

    @staticmethod
    async def list(**connection: Unpack[ConnectionOptions]) -> builtins.list[SecretStoreRecord]:
        """Lists all stores of the organization."""
        request = ApiRequest("GET", "/secret-stores")
        shape = builtins.list[SecretStoreRecord]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def get(store_id: str, **connection: Unpack[ConnectionOptions]) -> SecretStoreRecord:
        """Returns one store, by its UUID.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("GET", api_path("secret-stores", store_id))
        return await request_record(resolve_connection(**connection), request, SecretStoreRecord)

    @staticmethod
    async def update(
        store_id: str,
        *,
        name: str | None = None,
        egress_allowlist: Sequence[str] | None = None,
        substitute_in: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> SecretStoreRecord:
        """Changes the fields that are given.

        Args:
            store_id: UUID of the store.
            name: Unique in the organization, at most 128 characters. None and empty keep the name.
            egress_allowlist: New allowed hosts. None keeps them; ``[]`` allows all hosts.
            substitute_in: New placements of secrets that have none of their own. None keeps them;
                ``[]`` applies the operator's default.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``not_found``, ``name_in_use``, and as ``create``.
        """
        body = _fields(name or None, egress_allowlist, substitute_in)
        request = ApiRequest("PUT", api_path("secret-stores", store_id), json=body)
        return await request_record(resolve_connection(**connection), request, SecretStoreRecord)

    @staticmethod
    async def delete(store_id: str, **connection: Unpack[ConnectionOptions]) -> None:
        """Deletes a store and all its secrets. Running sandboxes are not affected.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("DELETE", api_path("secret-stores", store_id))
        await request_deletion(resolve_connection(**connection), request)

    @staticmethod
    async def set_secret(
        store_id: str,
        name: str,
        value: str | AwsCredentials,
        *,
        allowed_hosts: Sequence[str] | None = None,
        substitute_in: Sequence[str] | None = None,
        on_warning: Callable[[str], Any] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> None:
        """Sets a secret, or replaces its value.

        Running sandboxes then use the new value under the same token.

        Args:
            store_id: UUID of the store.
            name: Environment variable that holds the token in a sandbox. Of AWS credentials the
                beginning of three: ``AWS`` gives ``AWS_ACCESS_KEY_ID``,
                ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``.
            value: 1 byte to 64 KiB, or AWS credentials, which requests are signed with. It is
                encrypted and never returned.
            allowed_hosts: Hosts that the value may be sent to: ``api.example.com``,
                ``*.example.com``. None keeps the limits set earlier (none for a new secret,
                ``*.amazonaws.com`` for new AWS credentials); ``[]`` removes them, so that the
                value may be sent to every host that the sandbox may reach.
            substitute_in: Where in a request the token is replaced by the value: ``header``,
                ``header:NAME``, ``body``, ``body:FIELD`` (a form field or a JSON pointer),
                ``query``, ``path``. None keeps the placements set earlier; a secret that never
                had any has its store's, or the operator's, or ``["header", "body"]``.
            on_warning: Receives the service's warning that the value can be guessed, so that
                responses are not searched for it. None: a Python warning, ``SecretWarning``.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``not_found``, ``invalid_secret_name``, ``invalid_host_pattern``,
                ``limit_exceeded``; ``invalid_request`` for a malformed placement; ``name_in_use``
                when the name is that of a text and the value is AWS credentials, or the other way
                round.
        """
        await put_secret(
            resolve_connection(**connection),
            api_path("secret-stores", store_id),
            name,
            value,
            allowed_hosts=allowed_hosts,
            substitute_in=substitute_in,
            on_warning=on_warning,
        )

    @staticmethod
    async def list_secrets(
        store_id: str, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[SecretEntry]:
        """Lists the secrets of a store without their values.

        ``substituteIn`` has the placements that apply.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("GET", api_path("secret-stores", store_id, "secrets"))
        shape = builtins.list[SecretEntry]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def revoke_secret(
        store_id: str, name: str, **connection: Unpack[ConnectionOptions]
    ) -> RevokeSecretResponse:
        """Revokes a secret: removes its value from every sandbox and checkpoint, at once.

        They keep its token, which is not replaced in any request until the secret is set again.
        Revoking it again changes nothing.

        Raises:
            OpenComputerError: ``not_found``; ``enforcement_pending`` when a running sandbox may
                still use the value: call again.
        """
        path = api_path("secret-stores", store_id)
        return await withdraw_secret(resolve_connection(**connection), path, name)

    @staticmethod
    async def delete_secret(
        store_id: str, name: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a secret. Running sandboxes are not affected.

        Raises:
            NotFoundError: ``not_found``.
        """
        path = api_path("secret-stores", store_id)
        await remove_secret(resolve_connection(**connection), path, name)


def _fields(
    name: str | None,
    egress_allowlist: Sequence[str] | None,
    substitute_in: Sequence[str] | None,
) -> dict[str, object]:
    return without_none(
        name=name,
        egressAllowlist=listed(egress_allowlist, "hosts"),
        substituteIn=listed(substitute_in, "placements"),
    )

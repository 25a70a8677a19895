"""Projects."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.named_secrets import listed, put_secret, remove_secret, withdraw_secret
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.aws_credentials import AwsCredentials
from opencomputer.records import ProjectRecord, RevokeSecretResponse, SecretEntry

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Project:
    """Projects group sandboxes: they hold defaults for them and encrypted secrets.

    Every call takes the keywords of ``ConnectionOptions`` and raises ``OpenComputerError``.
    """

    @staticmethod
    async def create(
        *,
        name: str,
        template: str = "",
        cpu_count: int = 0,
        memory_mb: int = 0,
        timeout_sec: int = 0,
        egress_allowlist: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> ProjectRecord:
        """Creates a project. Empty and 0 select the default of the platform.

        Args:
            name: Unique in the organization, at most 128 characters. A sandbox names its project
                by it.
            template: Template of its sandboxes; ``base`` is the platform's.
            cpu_count: Virtual CPUs, 1-8.
            memory_mb: Memory in MB, 256-16384.
            timeout_sec: Idle time-out in seconds.
            egress_allowlist: Hosts that a sandbox may reach; empty or None: all hosts.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``name_in_use``, ``invalid_request``, ``invalid_host_pattern``,
                ``limit_exceeded``.
        """
        body = _fields(name, template, cpu_count, memory_mb, timeout_sec, egress_allowlist)
        request = ApiRequest("POST", "/projects", json=body)
        return await request_record(resolve_connection(**connection), request, ProjectRecord)

    @staticmethod
    async def list(**connection: Unpack[ConnectionOptions]) -> builtins.list[ProjectRecord]:
        """Lists all projects of the organization, by name."""
        request = ApiRequest("GET", "/projects")
        shape = builtins.list[ProjectRecord]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def get(project_id: str, **connection: Unpack[ConnectionOptions]) -> ProjectRecord:
        """Returns one project, by its UUID.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("GET", api_path("projects", project_id))
        return await request_record(resolve_connection(**connection), request, ProjectRecord)

    @staticmethod
    async def update(
        project_id: str,
        *,
        name: str = "",
        template: str = "",
        cpu_count: int = 0,
        memory_mb: int = 0,
        timeout_sec: int = 0,
        egress_allowlist: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> ProjectRecord:
        """Changes the fields that are given: empty, 0 and None keep a field.

        The fields are those of ``create``; ``egress_allowlist=[]`` clears the list.

        Raises:
            OpenComputerError: ``not_found``, ``name_in_use``, ``invalid_request``,
                ``invalid_host_pattern``.
        """
        body = _fields(name, template, cpu_count, memory_mb, timeout_sec, egress_allowlist)
        request = ApiRequest("PUT", api_path("projects", project_id), json=body)
        return await request_record(resolve_connection(**connection), request, ProjectRecord)

    @staticmethod
    async def delete(project_id: str, **connection: Unpack[ConnectionOptions]) -> None:
        """Deletes a project and its secrets. Running sandboxes are not affected.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("DELETE", api_path("projects", project_id))
        await request_deletion(resolve_connection(**connection), request)

    @staticmethod
    async def set_secret(
        project_id: str,
        name: str,
        value: str | AwsCredentials,
        *,
        allowed_hosts: Sequence[str] | None = None,
        substitute_in: Sequence[str] | None = None,
        on_warning: Callable[[str], Any] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> None:
        """Sets a secret of the project, or replaces its value.

        The options are those of ``SecretStore.set_secret``.

        Args:
            project_id: UUID of the project.
            name: Environment variable that holds the token in a sandbox. Of AWS credentials the
                beginning of three: ``AWS`` gives ``AWS_ACCESS_KEY_ID``,
                ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``.
            value: 1 byte to 64 KiB, or AWS credentials, which requests are signed with. It is
                encrypted and never returned.
            allowed_hosts: As of ``SecretStore.set_secret``.
            substitute_in: As of ``SecretStore.set_secret``.
            on_warning: As of ``SecretStore.set_secret``.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``not_found``, ``invalid_secret_name``, ``invalid_host_pattern``,
                ``limit_exceeded``; ``invalid_request`` for a malformed placement; ``name_in_use``
                when the name is that of a text and the value is AWS credentials, or the other way
                round.
        """
        await put_secret(
            resolve_connection(**connection),
            api_path("projects", project_id),
            name,
            value,
            allowed_hosts=allowed_hosts,
            substitute_in=substitute_in,
            on_warning=on_warning,
        )

    @staticmethod
    async def list_secrets(
        project_id: str, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[str]:
        """Lists the names of the project's secrets; ``list_secret_entries`` has more of each.

        Raises:
            NotFoundError: ``not_found``.
        """
        request = ApiRequest("GET", api_path("projects", project_id, "secrets"))
        shape = builtins.list[str]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def list_secret_entries(
        project_id: str, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[SecretEntry]:
        """Lists the project's secrets without their values, as ``SecretStore.list_secrets`` does.

        ``substituteIn`` has the placements that apply, and ``storeId`` is of the store that the
        project has for its secrets.

        Raises:
            NotFoundError: ``not_found``.
        """
        path = api_path("projects", project_id, "secrets")
        request = ApiRequest("GET", path, {"details": "true"})
        shape = builtins.list[SecretEntry]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def revoke_secret(
        project_id: str, name: str, **connection: Unpack[ConnectionOptions]
    ) -> RevokeSecretResponse:
        """Revokes a secret: removes its value from every sandbox and checkpoint, at once.

        They keep its token, which is not replaced in any request until the secret is set again.
        Revoking it again changes nothing.

        Raises:
            OpenComputerError: ``not_found``; ``enforcement_pending`` when a running sandbox may
                still use the value: call again.
        """
        path = api_path("projects", project_id)
        return await withdraw_secret(resolve_connection(**connection), path, name)

    @staticmethod
    async def delete_secret(
        project_id: str, name: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a secret of the project. Running sandboxes are not affected.

        Raises:
            NotFoundError: ``not_found``.
        """
        path = api_path("projects", project_id)
        await remove_secret(resolve_connection(**connection), path, name)


def _fields(
    name: str,
    template: str,
    cpu_count: int,
    memory_mb: int,
    timeout_sec: int,
    egress_allowlist: Sequence[str] | None,
) -> dict[str, object]:
    """The fields of the request. The service treats empty and 0 as absent."""
    return without_none(
        name=name,
        template=template,
        cpuCount=cpu_count,
        memoryMB=memory_mb,
        timeoutSec=timeout_sec,
        egressAllowlist=listed(egress_allowlist, "hosts"),
    )

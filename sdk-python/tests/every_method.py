"""A call of every method of the SDK.

As a program it makes all of them against the service of the environment and prints, as JSON,
what each sent and got.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from opencomputer import (
    ApiKey,
    Events,
    Image,
    Project,
    Sandbox,
    SecretStore,
    Snapshots,
    Usage,
    Webhook,
)
from opencomputer._async.commands import Commands
from opencomputer._async.egress_log import EgressLog
from opencomputer._async.files import Files
from opencomputer._async.terminals import Terminals

ABSENT = "00000000-0000-4000-8000-000000000000"


@dataclass
class World:
    """What the calls work on. Those that create an object put it here for those after them."""

    sandbox: Sandbox
    connection: dict[str, Any] = field(default_factory=dict)
    store_id: str = ABSENT
    project_id: str = ABSENT
    key_id: str = ABSENT
    session_id: str = "exec-0"
    shell_id: str = "exec-0"
    terminal_id: str = "pty-0"
    checkpoint_id: str = ABSENT
    patch_id: str = ABSENT
    webhook_id: str = ABSENT
    delivery_id: str = ABSENT


Call = Callable[[World], Awaitable[Any]]
CALLS: dict[str, Call] = {}


def call(name: str) -> Callable[[Call], Call]:
    def add(function: Call) -> Call:
        CALLS[name] = function
        return function

    return add


@call("Webhook.create")
async def _(w: World) -> None:
    # First, so that it gets events.
    w.webhook_id = (await Webhook.create(url="http://127.0.0.1:1/hook", **w.connection))["id"]


CALLS |= {
    "Webhook.list": lambda w: Webhook.list(**w.connection),
    "Webhook.get": lambda w: Webhook.get(w.webhook_id, **w.connection),
    "Webhook.update": lambda w: Webhook.update(
        w.webhook_id,
        url="http://127.0.0.1:1/renamed",
        event_types="all",
        enabled=True,
        **w.connection,
    ),
}


@call("SecretStore.create")
async def _(w: World) -> None:
    hosts = ["api.example.com"]
    store = await SecretStore.create(name="every", egress_allowlist=hosts, **w.connection)
    w.store_id = store["id"]


CALLS |= {
    "SecretStore.list": lambda w: SecretStore.list(**w.connection),
    "SecretStore.get": lambda w: SecretStore.get(w.store_id, **w.connection),
    "SecretStore.update": lambda w: SecretStore.update(
        w.store_id, name="every-store", substitute_in=["header"], **w.connection
    ),
    "SecretStore.set_secret": lambda w: SecretStore.set_secret(
        w.store_id,
        "STORE_KEY",
        "jQ7vX2mT9wLr4KzB8nYd3HpC",
        allowed_hosts=["api.example.com"],
        substitute_in=["header:x-api-key"],
        **w.connection,
    ),
    "SecretStore.list_secrets": lambda w: SecretStore.list_secrets(w.store_id, **w.connection),
}


@call("Project.create")
async def _(w: World) -> None:
    project = await Project.create(name="every", timeout_sec=600, **w.connection)
    w.project_id = project["id"]


CALLS |= {
    "Project.list": lambda w: Project.list(**w.connection),
    "Project.get": lambda w: Project.get(w.project_id, **w.connection),
    "Project.update": lambda w: Project.update(w.project_id, name="every-project", **w.connection),
    "Project.set_secret": lambda w: Project.set_secret(
        w.project_id, "PROJECT_KEY", "mR5tW8qZ2xLn7JcV4bFh9GkS", **w.connection
    ),
    "Project.list_secrets": lambda w: Project.list_secrets(w.project_id, **w.connection),
    "Project.list_secret_entries": lambda w: Project.list_secret_entries(
        w.project_id, **w.connection
    ),
}


@call("Sandbox.create")
async def _(w: World) -> None:
    w.sandbox = await Sandbox.create(
        secret_store="every-store",
        project="every-project",
        metadata={"purpose": "every method"},
        **w.connection,
    )


CALLS |= {
    "Sandbox.connect": lambda w: Sandbox.connect(w.sandbox.id, **w.connection),
    "Sandbox.get": lambda w: Sandbox.get(w.sandbox.id, **w.connection),
    "Sandbox.list": lambda w: Sandbox.list(status="running", **w.connection),
    "sandbox.get_info": lambda w: w.sandbox.get_info(),
    "sandbox.is_running": lambda w: w.sandbox.is_running(),
    "sandbox.set_timeout": lambda w: w.sandbox.set_timeout(300),
    "sandbox.egress.list": lambda w: w.sandbox.egress.list(
        order="desc", limit=5, refused=True, host="*.example.com"
    ),
    "sandbox.egress.explain": lambda w: w.sandbox.egress.explain(
        "https://api.example.com/v1", method="POST"
    ),
    "sandbox.egress.suggest": lambda w: w.sandbox.egress.suggest(),
    "sandbox.allowed_hosts": lambda w: w.sandbox.allowed_hosts(),
    "sandbox.set_tags": lambda w: w.sandbox.set_tags({"team": "sdk"}),
    "sandbox.update_tags": lambda w: w.sandbox.update_tags({"team": "sdk", "old": None}),
    "sandbox.get_tags": lambda w: w.sandbox.get_tags(),
    "sandbox.usage": lambda w: w.sandbox.usage(interval="hour"),
    "Usage.of_sandbox": lambda w: Usage.of_sandbox(w.sandbox.id, **w.connection),
    "Usage.of_org": lambda w: Usage.of_org(tags={"team": "sdk"}, limit=5, **w.connection),
    "Usage.by_tag": lambda w: Usage.by_tag("team", **w.connection),
    "Sandbox.list_tag_keys": lambda w: Sandbox.list_tag_keys(**w.connection),
    "sandbox.create_preview_url": lambda w: w.sandbox.create_preview_url(port=3000, auth_config={}),
    "sandbox.list_preview_urls": lambda w: w.sandbox.list_preview_urls(),
    "sandbox.create_preview_link": lambda w: w.sandbox.create_preview_link(3000),
    "sandbox.rotate_preview_auth": lambda w: w.sandbox.rotate_preview_auth(),
    "sandbox.delete_preview_url": lambda w: w.sandbox.delete_preview_url(3000),
    "sandbox.exec.run": lambda w: w.sandbox.exec.run(
        "echo", args=["done"], envs={"CI": "1"}, cwd="/tmp"
    ),
}


@call("sandbox.exec.start_detached")
async def _(w: World) -> None:
    info = await w.sandbox.exec.start_detached("sleep 600", max_run_after_disconnect=60)
    w.session_id = info["sessionID"]


CALLS |= {
    "sandbox.exec.list": lambda w: w.sandbox.exec.list(),
    "sandbox.exec.get": lambda w: w.sandbox.exec.get(w.session_id),
}


@call("sandbox.exec.shell")
async def _(w: World) -> None:
    w.shell_id = (await w.sandbox.exec.shell(cwd="/tmp", envs={"CI": "1"})).session_id


@call("sandbox.exec.reattach_shell")
async def _(w: World) -> None:
    await (await w.sandbox.exec.reattach_shell(w.shell_id)).close()


@call("sandbox.exec.attach")
async def _(w: World) -> None:
    async with await w.sandbox.exec.attach(w.session_id):
        pass


CALLS |= {
    "sandbox.exec.result": lambda w: w.sandbox.exec.result(w.session_id),
    "sandbox.exec.kill": lambda w: w.sandbox.exec.kill(w.session_id, 15),
}


@call("sandbox.exec.start")
async def _(w: World) -> None:
    session = await w.sandbox.exec.start("cat", args=["/dev/null"])
    await session.wait()


@call("sandbox.pty.create")
async def _(w: World) -> None:
    async with await w.sandbox.pty.create(cols=80, rows=24, shell="sh") as terminal:
        w.terminal_id = terminal.session_id


@call("sandbox.pty.attach")
async def _(w: World) -> None:
    async with await w.sandbox.pty.attach(w.terminal_id):
        pass


CALLS |= {
    "sandbox.pty.list": lambda w: w.sandbox.pty.list(),
    "sandbox.pty.get": lambda w: w.sandbox.pty.get(w.terminal_id),
    "sandbox.pty.resize": lambda w: w.sandbox.pty.resize(w.terminal_id, cols=100, rows=30),
    "sandbox.pty.kill": lambda w: w.sandbox.pty.kill(w.terminal_id),
}


@call("sandbox.files.read_stream")
async def _(w: World) -> None:
    assert b"".join([part async for part in w.sandbox.files.read_stream("every/file")])


# An order in which each finds what it needs: what writes the file comes first.
_read_stream = CALLS.pop("sandbox.files.read_stream")
CALLS |= {
    "sandbox.exec.run_async": lambda w: w.sandbox.exec.run_async("echo", args=["done"]),
    "sandbox.files.make_dir": lambda w: w.sandbox.files.make_dir("every"),
    "sandbox.files.write": lambda w: w.sandbox.files.write("every/file", "content"),
    "sandbox.files.write_stream": lambda w: w.sandbox.files.write_stream(
        "every/file", [b"con", b"tent"]
    ),
    "sandbox.files.read": lambda w: w.sandbox.files.read("every/file"),
    "sandbox.files.read_bytes": lambda w: w.sandbox.files.read_bytes("every/file"),
    "sandbox.files.read_stream": _read_stream,
    "sandbox.files.list": lambda w: w.sandbox.files.list("every"),
    "sandbox.files.exists": lambda w: w.sandbox.files.exists("every/file"),
    "sandbox.files.download_url": lambda w: w.sandbox.files.download_url(
        "every/file", expires_in=60
    ),
    "sandbox.files.upload_url": lambda w: w.sandbox.files.upload_url("every/file"),
    "sandbox.files.remove": lambda w: w.sandbox.files.remove("every"),
}


@call("sandbox.create_checkpoint")
async def _(w: World) -> None:
    checkpoint = await w.sandbox.create_checkpoint(
        "every", kind="full", retention_policy={"mode": "none"}
    )
    w.checkpoint_id = checkpoint["id"]


@call("Sandbox.create_from_checkpoint")
async def _(w: World) -> None:
    fork = await Sandbox.create_from_checkpoint(
        w.checkpoint_id, timeout=600, envs={"FORK": "1"}, metadata={}, **w.connection
    )
    await fork.kill()


@call("Sandbox.create_checkpoint_patch")
async def _(w: World) -> None:
    patch = await Sandbox.create_checkpoint_patch(
        w.checkpoint_id, script="true", description="nothing", **w.connection
    )
    w.patch_id = patch["id"]


CALLS |= {
    "Sandbox.list_checkpoint_patches": lambda w: Sandbox.list_checkpoint_patches(
        w.checkpoint_id, **w.connection
    ),
    "Sandbox.delete_checkpoint_patch": lambda w: Sandbox.delete_checkpoint_patch(
        w.checkpoint_id, w.patch_id, **w.connection
    ),
    "Sandbox.list_checkpoints_by_id": lambda w: Sandbox.list_checkpoints_by_id(
        w.sandbox.id, **w.connection
    ),
    "sandbox.list_checkpoints": lambda w: w.sandbox.list_checkpoints(),
    "sandbox.restore_checkpoint": lambda w: w.sandbox.restore_checkpoint(w.checkpoint_id),
}


@call("Sandbox.delete_checkpoint_by_id")
async def _(w: World) -> None:
    checkpoint = await w.sandbox.create_checkpoint("deleted", kind="disk_only", wait=True)
    await Sandbox.delete_checkpoint_by_id(w.sandbox.id, checkpoint["id"], **w.connection)


CALLS |= {
    "sandbox.delete_checkpoint": lambda w: w.sandbox.delete_checkpoint(w.checkpoint_id),
    "sandbox.scale": lambda w: w.sandbox.scale(1280),
    "sandbox.set_limits": lambda w: w.sandbox.set_limits(cpu_percent=100),
    "sandbox.set_autoscale": lambda w: w.sandbox.set_autoscale(
        True, min_memory_mb=1024, max_memory_mb=1536
    ),
    "sandbox.get_autoscale": lambda w: w.sandbox.get_autoscale(),
    "sandbox.set_scaling_lock": lambda w: w.sandbox.set_scaling_lock(True),
    "sandbox.get_scaling_lock": lambda w: w.sandbox.get_scaling_lock(),
    "sandbox.reboot": lambda w: w.sandbox.reboot(),
    "sandbox.power_cycle": lambda w: w.sandbox.power_cycle(),
    "sandbox.hibernate": lambda w: w.sandbox.hibernate(),
    "sandbox.wake": lambda w: w.sandbox.wake(timeout=600),
    "snapshots.create": lambda w: Snapshots(**w.connection).create(
        name="every", image=Image.base().env({"EVERY": "method"})
    ),
    "snapshots.list": lambda w: Snapshots(**w.connection).list(),
    "snapshots.get": lambda w: Snapshots(**w.connection).get("every"),
    "snapshots.delete": lambda w: Snapshots(**w.connection).delete("every"),
    "SecretStore.revoke_secret": lambda w: SecretStore.revoke_secret(
        w.store_id, "STORE_KEY", **w.connection
    ),
    "Project.revoke_secret": lambda w: Project.revoke_secret(
        w.project_id, "PROJECT_KEY", **w.connection
    ),
    "SecretStore.delete_secret": lambda w: SecretStore.delete_secret(
        w.store_id, "STORE_KEY", **w.connection
    ),
    "Project.delete_secret": lambda w: Project.delete_secret(
        w.project_id, "PROJECT_KEY", **w.connection
    ),
    "sandbox.kill": lambda w: w.sandbox.kill(),
}


@call("Sandbox.kill_by_id")
async def _(w: World) -> None:
    other = await Sandbox.create(**w.connection)
    await Sandbox.kill_by_id(other.id, **w.connection)


CALLS |= {
    "SecretStore.delete": lambda w: SecretStore.delete(w.store_id, **w.connection),
    "Project.delete": lambda w: Project.delete(w.project_id, **w.connection),
}


@call("sandbox.egress.follow")
async def _(w: World) -> None:
    entries = w.sandbox.egress.follow(cursor="0")
    # A sandbox that has used no network has no entry, which it would wait for.
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(anext(entries), 0.5)
    await entries.aclose()  # type: ignore[attr-defined]


@call("Webhook.list_deliveries")
async def _(w: World) -> None:
    deliveries = await Webhook.list_deliveries(w.webhook_id, limit=5, **w.connection)
    w.delivery_id = deliveries[0]["id"]


CALLS |= {
    "Webhook.resend": lambda w: Webhook.resend(w.webhook_id, w.delivery_id, **w.connection),
    "Webhook.delete": lambda w: Webhook.delete(w.webhook_id, **w.connection),
}
CALLS["Events.list"] = lambda w: Events.list(order="desc", limit=5, **w.connection)


@call("Events.follow")
async def _(w: World) -> None:
    events = Events.follow(cursor="0-0", **w.connection)
    await anext(events)
    await events.aclose()  # type: ignore[attr-defined]


@call("ApiKey.create")
async def _(w: World) -> None:
    w.key_id = (await ApiKey.create(name="every", **w.connection))["id"]


CALLS |= {
    "ApiKey.list": lambda w: ApiKey.list(**w.connection),
    "ApiKey.revoke": lambda w: ApiKey.revoke(w.key_id, **w.connection),
}


def method_names() -> list[str]:
    """The methods that the SDK really has, under the names of ``CALLS``."""
    owners: dict[str, type] = {"SecretStore": SecretStore, "Project": Project, "ApiKey": ApiKey}
    owners |= {"Events": Events, "Webhook": Webhook, "snapshots": Snapshots}
    owners |= {"sandbox.exec": Commands, "sandbox.files": Files, "sandbox.pty": Terminals}
    owners |= {"sandbox.egress": EgressLog, "Usage": Usage}
    names = [f"{owner}.{name}" for owner, kind in owners.items() for name in _methods(kind)]
    for name in _methods(Sandbox):
        is_static = isinstance(inspect.getattr_static(Sandbox, name), staticmethod)
        names.append(f"{'Sandbox' if is_static else 'sandbox'}.{name}")
    return names


def _methods(kind: type) -> list[str]:
    return [
        name
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and inspect.isroutine(member)
    ]


async def main() -> None:
    exchanges: list[dict[str, Any]] = []

    async def record(response: httpx.Response) -> None:
        request = response.request
        kind = response.headers.get("content-type")
        is_json = (kind or "").startswith("application/json")
        sent = request.headers.get("content-type")
        exchanges.append(
            {
                "method": request.method,
                "url": str(request.url),
                "contentType": sent,
                "body": request.content.decode() if sent == "application/json" else None,
                "status": response.status_code,
                "type": kind,
                "response": json.loads(await response.aread()) if is_json else None,
            }
        )

    found: dict[str, Any] = {}
    async with httpx.AsyncClient(timeout=None, event_hooks={"response": [record]}) as client:
        connection = {"http_client": client}
        world = World(await Sandbox.create(**connection), connection)  # type: ignore[arg-type]
        first = world.sandbox
        for name, function in CALLS.items():
            exchanges.clear()
            await function(world)
            found[name] = list(exchanges)
        await first.kill()
    json.dump({"methods": method_names(), "exchanges": found}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())

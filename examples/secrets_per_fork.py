"""Forks of one prepared sandbox, each with a key of its own under the same name."""

import asyncio

from opencomputer import Sandbox, SecretStore

HOST = "api.anthropic.com"
REQUEST = f'curl -sS https://{HOST}/v1/models -H "x-api-key: $API_KEY"'


async def create_store(name: str, key: str) -> str:
    """Creates a store that has one key, and returns its id."""
    store = await SecretStore.create(name=name, egress_allowlist=[HOST])
    await SecretStore.set_secret(
        store["id"], "API_KEY", key, allowed_hosts=[HOST], substitute_in=["header:x-api-key"]
    )
    return store["id"]


async def main() -> None:
    """Prepares a sandbox, and has two forks send a request each."""
    store_ids = []
    try:
        async with await Sandbox.create(timeout=300) as base:
            await base.files.write("/workspace/prepared", "yes\n")
            checkpoint = await base.create_checkpoint("prepared", wait=True)
            for name in ("first", "second"):
                store = f"example-{name}"
                store_ids.append(await create_store(store, f"sk-{name}-6hWq2ZtX9mKc4RvN"))
                fork = await Sandbox.create_from_checkpoint(checkpoint["id"], secret_store=store)
                async with fork:
                    prepared = await fork.files.read("/workspace/prepared")
                    response = await fork.exec.run(REQUEST)
                    print(name, prepared.strip(), response.stdout.strip())
            await base.delete_checkpoint(checkpoint["id"])
    finally:
        for store_id in store_ids:
            await SecretStore.delete(store_id)


asyncio.run(main())

"""The SDK for asyncio, from which ``opencomputer.sync`` is generated."""

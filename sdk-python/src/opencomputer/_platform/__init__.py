"""The differences between the asynchronous and the blocking SDK, in two modules.

Everything else of ``opencomputer.sync`` is generated from ``opencomputer._async``.
"""

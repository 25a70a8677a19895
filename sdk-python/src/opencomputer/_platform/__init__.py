"""What the asynchronous and the blocking SDK do differently, in two modules of the same names.

Everything else of ``opencomputer.sync`` is generated from ``opencomputer._async``.
"""

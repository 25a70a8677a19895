

def _opencomputer_renew_random():
    """Makes the module random reseed itself when the machine was restored."""
    import _signal
    import sys

    renewing = 63  # The guest agent only sends it to processes that catch it.

    def renew(number, frame):
        random = sys.modules.get("random")
        seed = getattr(random, "seed", None)
        if seed is not None:
            seed()

    try:
        if _signal.getsignal(renewing) == _signal.SIG_DFL:
            _signal.signal(renewing, renew)
            _signal.siginterrupt(renewing, False)
    except (OSError, ValueError):
        pass  # Only the first interpreter of a process has signals.


_opencomputer_renew_random()
del _opencomputer_renew_random

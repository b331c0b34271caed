"""Ctrl-C and SIGTERM: at once while nothing is open, later by an exception that cleans up.

An exception in the middle of an import is worse than none: extension modules turn it into other
errors, or crash; locks and the garbage collector's callbacks swallow it.
"""

import os
import signal
import sys

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_seen: list[int] = []


def leave_at_once() -> None:
    """From now on a signal ends the process; for the imports, which have nothing to clean up."""
    for number in SIGNALS:
        signal.signal(number, _leave)
    sys.unraisablehook = _raise_again


def clean_up_first() -> None:
    """From now on a signal raises KeyboardInterrupt, where `leave_at_once` was called before."""
    if signal.getsignal(signal.SIGINT) is _leave:
        for number in SIGNALS:
            signal.signal(number, _raise)


def interrupted() -> bool:
    """Whether a signal came: it may have been turned into another error."""
    return bool(_seen)


def _leave(*_) -> None:
    os.write(2, b"jaxip: interrupted\n")
    os._exit(INTERRUPTED)


def _raise(number: int, _) -> None:
    _seen.append(number)
    raise KeyboardInterrupt


def _raise_again(unraisable) -> None:
    """A callback has swallowed the exception: another one, when the callback is over."""
    import _thread
    import threading

    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
    elif signal.getsignal(signal.SIGINT) is _raise:
        threading.Timer(0.05, _thread.interrupt_main).start()

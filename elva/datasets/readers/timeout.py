"""A time limit for calls into C code, which no signal and no exception can interrupt."""

import threading
from collections.abc import Callable
from typing import Any

from .base import VideoReadError


def call_with_timeout(timeout: float, path: str, function: Callable[..., Any], *args: Any) -> Any:
    """Return ``function(path, *args)``, unless it takes too long.

    The call runs in a thread of its own (this costs some 50 µs). Decoders are C code, and one that hangs (a pipe that
    nobody writes to, a network drive that is gone) cannot be stopped from outside: its thread is left behind. It is a
    daemon, so it keeps neither a data loader's worker nor the program from ending.

    Args:
        timeout: The most seconds that the call may take.
        path: The file, for the message.
        function: Called with ``path`` and ``args``; what it raises is raised here.
        args: The rest of the arguments.

    Raises:
        VideoReadError: If ``timeout`` seconds have passed.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        try:
            outcome.append((function(path, *args), None))
        except BaseException as error:  # whatever it is belongs to the caller
            outcome.append((None, error))

    thread = threading.Thread(target=work, daemon=True, name=f"read {path}")
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise VideoReadError(
            f"{path}: not read within {timeout:g} s. Check that the file is a regular one and its drive answers, "
            f"or raise the reader's timeout."
        )
    value, error = outcome[0]
    if error is not None:
        raise error
    return value

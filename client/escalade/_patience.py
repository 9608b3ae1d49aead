"""Waits for a server that is away or busy, so that its restart costs a trainer a pause and nothing else.

Guarantee: what waiting cures (no connection, no answer, a full queue, 502 to 504) is waited for and said once, what it
does not cure (a wrong key, a deleted run, another version) is raised at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from escalade._retry import CURABLE
from escalade.errors import EscaladeError

logger = logging.getLogger("escalade")

Result = TypeVar("Result")

PATIENCE_S = 86_400.0
"""How long a server may be away: a night's outage should not end a training."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0


def patiently(
    call: Callable[[], Result],
    *,
    patience_s: float = PATIENCE_S,
    say: Callable[[str], object] = logger.warning,
    words: Callable[[EscaladeError], str] = str,
    over: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Make a call; while the server is away or busy, wait and make it again.

    Args:
        call: What to do.
        patience_s: How long to go on.
        say: Is told that there is something to wait for, and that it is over.
        words: What is said of an error.
        over: Whether nobody waits any more.
        sleep: Pauses for so many seconds.
        clock: Tells the time in seconds.

    Raises:
        EscaladeError: It was so for longer than `patience_s`, or the call failed for another reason.
    """
    start_s, pause_s = clock(), FIRST_PAUSE_S
    while True:
        try:
            result = call()
        except CURABLE as error:
            if over() or clock() - start_s + pause_s > patience_s:
                raise
            if pause_s == FIRST_PAUSE_S:
                say(f"waiting for the server: {words(error)}")
            sleep(max(pause_s, error.retry_after_s or 0.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            if pause_s != FIRST_PAUSE_S:
                say(f"the server is back after {clock() - start_s:.0f} s")
            return result

"""Work for an HTTP caller, given up as soon as the caller is.

Guarantee: when `while_connected` returns or raises, the work has ended: done, failed or cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")
STATUS = 499
"""What such a request is logged and counted as."""


class HungUp(Exception):
    """The caller went away before the work ended."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work while the caller waits; the request's body must have been read.

    Raises:
        HungUp: It went away.
    """

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    running = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(hang_up())
    try:
        await asyncio.wait((running, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise HungUp
        return running.result()
    finally:
        for task in (running, leaving):
            if not task.done():
                task.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)

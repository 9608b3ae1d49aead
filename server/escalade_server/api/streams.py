"""Server-sent events of jobs.

Guarantee: every finished item is sent once per stream, in the order of finishing, with its number as the event's id; a
stream that begins behind a number goes on from there. It ends with the job, or when the server closes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from pydantic import BaseModel

from escalade_server.problems.imports import present_job
from escalade_server.storage import jobs
from escalade_server.storage.sessions import Database
from escalade_server.synthesis.jobs import present_item

LOOK_S: Final = 0.5
"""How often the job is looked at: it may be another server's."""
SILENCE_S: Final = 15.0
"""After so long without an event a comment is sent, so that nothing between takes the connection for dead."""
ITEMS_AT_ONCE: Final = 500


async def job_events(database: Database, closing: asyncio.Event, job_id: str, *, after: int) -> AsyncIterator[str]:
    """The events of a job behind an item's number."""
    clock = asyncio.get_running_loop().time
    shown, spoken = "", clock()
    yield "retry: 1000\n\n"
    while not closing.is_set():
        # The job first: items that are finished after that look come with the next one.
        async with database.read() as session:
            row = await jobs.get(session, job_id)
            found = await jobs.finished(session, job_id, after=after, limit=ITEMS_AT_ONCE)
        if row is None:
            return
        for item in found:
            after = item.sequence or after
            yield _event("item", present_item(item), number=after)
        if len(found) == ITEMS_AT_ONCE:
            continue
        job = present_job(row)
        ended = job.status not in jobs.UNFINISHED
        # The result is long, and comes at the end.
        text = job.model_dump_json() if ended else job.model_copy(update={"result": None}).model_dump_json()
        if ended:
            yield _event("end", job)
            return
        if text != shown or found:
            shown, spoken = text, clock()
            yield _event("progress", job)
        elif clock() - spoken > SILENCE_S:
            spoken = clock()
            yield ": still here\n\n"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), LOOK_S)


def _event(name: str, data: BaseModel, *, number: int | None = None) -> str:
    identity = "" if number is None else f"id: {number}\n"
    return f"{identity}event: {name}\ndata: {data.model_dump_json()}\n\n"

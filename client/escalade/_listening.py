"""How a job is listened to: a stream of server-sent events, and questions in its place where it breaks.

Guarantee: no I/O. Every finished item is told once, in the order of finishing, and `end` comes last, however often the
stream breaks; what does not stream at all (a proxy that collects, say) is polled.
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from escalade import _requests, _retry, _synthesis, errors
from escalade._requests import Call
from escalade.types import Job, JobEvent, Page, SynthesisItem

SILENCE_S: Final = 45.0
"""The server says something every 15 s; a stream that is silent for so long is dead."""
MOST_SILENT: Final = 2
"""Streams that told nothing, one after the other, after which none is opened any more."""


class Listener:
    """What was heard of one job, and what to do next."""

    def __init__(self, job: str, after: int) -> None:
        if after < 0:
            raise errors.InvalidRequest(f"`after` is the number of an item, 0 or more, not {after}")
        self.ended = False
        self._job = job
        self._after = after
        self._shown: Job | None = None
        self._buffer = b""
        self._event, self._data = "", b""
        self._heard = False
        self._silent = 0
        self._pause_s = _retry.FIRST_POLL_S

    @property
    def streams(self) -> bool:
        """Whether it is worth while to open a stream."""
        return self._silent < MOST_SILENT

    def begin(self) -> Call[None]:
        """The call that opens a stream behind the last item that was told."""
        self._buffer, self._event, self._data, self._heard = b"", "", b"", False
        return _synthesis.listen(self._job, self._after)

    def hear(self, chunk: bytes) -> list[JobEvent]:
        """Take in a piece of the stream; returns the events that it completes.

        Raises:
            UnexpectedResponse: An event is not of the Escalade API.
        """
        # Not `splitlines`: a text may hold line separators that end no line here.
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        told = [event for line in lines for event in self._line(line.removesuffix(b"\r"))]
        if told:
            self._pause_s = _retry.FIRST_POLL_S
        return told

    def recover(self) -> _retry.Flow[list[JobEvent]]:
        """After a stream: pause, and ask for what it did not tell.

        Raises:
            EscaladeError: The server refuses that, or cannot be reached.
        """
        self._silent = 0 if self._heard else self._silent + 1
        yield _retry.Wait(self._pause_s)
        self._pause_s = min(self._pause_s * 1.5, _retry.SLOWEST_POLL_S)
        # The job first: what finishes after this look is told with the next one.
        job: Job = yield _requests.job(self._job)
        found: list[SynthesisItem] = []
        following: Call[Page[SynthesisItem]] | None = None
        if job.kind == "synthesis" and job.done > self._after:
            following = _synthesis.items(self._job, None)
        while following is not None:
            page: Page[SynthesisItem] = yield following
            found += page.items
            following = _requests.next_page(following, page)
        found = sorted((one for one in found if one.sequence is not None), key=lambda one: one.sequence or 0)
        told = [self._told(JobEvent(event="item", sequence=one.sequence, item=one)) for one in found]
        shown = JobEvent(event="end" if job.status in _retry.FINISHED else "progress", job=job)
        return [event for event in (*told, self._told(shown)) if event is not None]

    def _line(self, line: bytes) -> list[JobEvent]:
        # How soon to come back is said at once; a stream that brings no more is none.
        self._heard = self._heard or (line != b"" and not line.startswith(b"retry"))
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line:
            if name == b"event":
                self._event = value.decode("utf-8", "replace")
            elif name == b"data":
                self._data += value
            return []
        event, data, self._event, self._data = self._event, self._data, "", b""
        if not data or event not in ("item", "progress", "end"):
            return []
        told = self._told(_read(event, data))
        return [] if told is None else [told]

    def _told(self, event: JobEvent) -> JobEvent | None:
        """The event, unless it was told before."""
        if self.ended:
            return None
        if event.event == "item":
            if event.sequence is None or event.sequence <= self._after:
                return None
            self._after = event.sequence
            return event
        if event.event == "progress" and event.job == self._shown:
            return None
        self._shown = event.job
        self.ended = event.event == "end"
        return event


def _read(event: str, data: bytes) -> JobEvent:
    try:
        if event == "item":
            item = SynthesisItem.model_validate_json(data)
            return JobEvent(event="item", sequence=item.sequence, item=item)
        job = Job.model_validate_json(data)
        return JobEvent(event="end" if event == "end" else "progress", job=job)
    except ValidationError as error:
        raise errors.UnexpectedResponse(
            f"an event of the stream is not of the Escalade API ({error.error_count()} fields do not fit); "
            "are SDK and server of the same version?"
        ) from error

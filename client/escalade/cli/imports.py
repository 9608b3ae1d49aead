"""`escalade import`: an archive of problems, sent in parts.

Guarantee: every entry of the archive is sent exactly as it is written, in the archive's order; the table and the exit
status say what became of it. Running the same import again is safe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from escalade import Client, EscaladeError
from escalade.cli import output
from escalade.cli.app import CommandError, open_client
from escalade.cli.packing import is_packed, packed
from escalade.types import ImportFormat, Job, RefusedEntry

MAX_PART_ENTRIES = 16
MAX_PART_CHARS = 2_000_000
JOB_DEADLINE_S = 1_800.0
"""Verification may run every entry's programs."""

_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Part:
    """A piece of an archive that is an archive itself."""

    text: str
    entries: int


@dataclass
class Tally:
    """What became of the entries so far."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[RefusedEntry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Those that wait for synthesis."""
    jobs: list[str] = field(default_factory=list)

    def add(self, job: Job) -> None:
        """Add the result of one part's job."""
        result = _result(job)
        self.jobs.append(job.job)
        for names in result.get("problems", {}).values():
            self.problems += names
        self.created += result.get("created", [])
        self.updated += result.get("updated", [])
        self.unchanged += result.get("unchanged", [])
        self.refused += [RefusedEntry.model_validate(refused) for refused in result.get("refused", [])]


def import_archive(
    ctx: typer.Context,
    format: Annotated[ImportFormat, typer.Argument(metavar="FORMAT", help="Format, or `auto` for any mixture.")],
    file: Annotated[Path, typer.Argument(metavar="PATH", help="An archive, a file or a folder.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every entry and store nothing.")] = False,
) -> None:
    """Import problems: what is complete becomes an environment, the rest waits for `escalade synthesize`."""
    tally = send(open_client(ctx), format, file, dry_run=dry_run)
    _report(tally, dry_run)
    if tally.refused:
        raise typer.Exit(1)


def send(client: Client, format: ImportFormat, file: Path, *, dry_run: bool = False) -> Tally:
    """Import an archive, a file or a folder.

    Raises:
        CommandError: It cannot be read, or the import failed.
        EscaladeError: The server refuses it or cannot be reached.
    """
    if format != "scaler" or is_packed(file):
        name, content = packed(file)
        job = client.import_archive(format, content, name[:255], dry_run, deadline_s=JOB_DEADLINE_S)
        tally = Tally()
        tally.add(job)
        return tally
    return _send_in_parts(client, file, dry_run=dry_run)


def _send_in_parts(client: Client, file: Path, *, dry_run: bool) -> Tally:
    text = read_text(file)
    try:
        parts = list(split_entries(text))
    except ValueError as error:
        raise CommandError(f"{file} cannot be read as a scaler archive: {error}; is it the right file?") from None
    tally = Tally()
    with _progress() as progress:
        task = progress.add_task("checking" if dry_run else "importing", total=sum(part.entries for part in parts))
        for number, part in enumerate(parts):
            try:
                job = client.import_archive("scaler", part.text, file.name[:255], dry_run, deadline_s=JOB_DEADLINE_S)
                tally.add(job)
            except (EscaladeError, CommandError):
                progress.stop()
                if number:
                    _report(tally, dry_run)
                    output.note(f"stopped after {number} of {len(parts)} parts; run the command again to go on")
                raise
            progress.advance(task, part.entries)
    return tally


def read_text(file: Path) -> str:
    """Read an archive.

    Raises:
        CommandError: It cannot be read, or is not text.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text (byte {error.start}); unpack it if it is compressed") from None
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}; check the path") from None


def split_entries(text: str) -> Iterator[Part]:
    """Cut an object of entries into smaller objects, each entry's text untouched.

    Entries of one name stay together, so that the server sees that there are several.

    Raises:
        ValueError: The text is not a JSON object of entries.
    """
    spans: dict[str, list[str]] = {}
    for name, span in _entries(text):
        spans.setdefault(name, []).append(span)
    if not spans:
        raise ValueError("it has no entries")
    if "generate_testcase" in spans:
        # A single entry without its name: the server says so best.
        yield Part(text, 1)
        return
    piece: list[str] = []
    for same_name in spans.values():
        size_chars = sum(map(len, piece)) + sum(map(len, same_name))
        if piece and (len(piece) >= MAX_PART_ENTRIES or size_chars > MAX_PART_CHARS):
            yield Part("{" + ",".join(piece) + "}", len(piece))
            piece = []
        piece += same_name
    yield Part("{" + ",".join(piece) + "}", len(piece))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Find each entry's name and its text, `"name": value`, at the top of a JSON object."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if not text.startswith("{", at):
        raise ValueError("a JSON object of entries is needed")
    at = _skip(text, at + 1)
    if text.startswith("}", at):
        return
    while True:
        start = at
        if not text.startswith('"', at):
            raise json.JSONDecodeError("expected an entry's name", text, at)
        name, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if not text.startswith(":", at):
            raise json.JSONDecodeError("expected a colon", text, at)
        try:
            _, at = decoder.raw_decode(text, _skip(text, at + 1))
        except RecursionError:
            raise ValueError(f"the entry {name!r} is nested too deeply") from None
        yield name, text[start:at]
        at = _skip(text, at)
        if text.startswith("}", at):
            break
        if not text.startswith(",", at):
            raise json.JSONDecodeError("expected a comma or the end of the object", text, at)
        at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("unexpected text after the object", text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _result(job: Job) -> dict[str, Any]:
    if job.status != "succeeded" or job.result is None:
        raise CommandError(
            f"the import {job.status} on the server: {job.error or 'its log has the reason'} ({job.job})"
        )
    return job.result


def _report(tally: Tally, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    # Problems that wait are no environments yet, and have a line of their own.
    counts = (("created", tally.created), ("updated", tally.updated), ("unchanged", tally.unchanged))
    output.table(
        ("ENTRIES", "COUNT"),
        [*((would + label, len(names)) for label, names in counts), (would + "refused", len(tally.refused))],
    )
    if tally.problems:
        output.note(f"{len(tally.problems)} problems wait to become environments: run `escalade synthesize --all`")
    if tally.refused:
        output.say("")
        output.table(("REFUSED", "FIELD", "REASON"), [(one.entry, one.field, one.reason) for one in tally.refused])


def _progress() -> Progress:
    console = output.stderr()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )

"""Environment versions as the rest of the server uses them: parsed once, then kept, since they never change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from escalade_server.problems.definition import Definition
from escalade_server.storage import environments
from escalade_server.storage.sessions import AsyncSession
from escalade_server.storage.tables import EnvironmentVersion


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of an environment."""

    id: str
    hash: str
    definition: Definition


class Versions:
    """A bounded cache of parsed versions."""

    def __init__(self, capacity: int = 4_096) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, Version] = OrderedDict()

    def parse(self, row: EnvironmentVersion) -> Version:
        """The version of a row."""
        version = self._kept.get(row.id)
        if version is None:
            version = Version(row.id, row.hash, Definition.model_validate(row.definition))
            self._kept[row.id] = version
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return version

    async def get(self, session: AsyncSession, ids: Iterable[str]) -> dict[str, Version]:
        """Versions by identity; an identity that is not stored is absent."""
        wanted = set(ids)
        missing = sorted(wanted - self._kept.keys())
        rows = await environments.get_versions(session, missing) if missing else {}
        found = {identity: self._kept[identity] for identity in wanted & self._kept.keys()}
        return found | {identity: self.parse(row) for identity, row in rows.items()}

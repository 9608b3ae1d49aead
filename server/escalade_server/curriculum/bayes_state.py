"""The state of the grid-Bayes policy: what it holds, its constants, and its JSON form.

Guarantee: `load(dump(state))` equals the state bit for bit; arrays in a state are read-only, so that states share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from escalade_server.curriculum import belief
from escalade_server.curriculum.arrays import Floats, Integers, freeze, pack, unpack
from escalade_server.curriculum.batch import Batches, load_batches
from escalade_server.curriculum.constants import Constant, defaults
from escalade_server.curriculum.visits import Ledger, dump_ledger, load_ledger

NAME = "bayes"
CONSTANTS = {
    "instance_noise": Constant(0.5, 0.0, 10.0),
    "stray": Constant(0.01, 0.0, 0.5),
    "prior_mean": Constant(8.0, -8.0, 37.75),
    "prior_deviation": Constant(8.0, 0.1, 1000.0),
    "prior_broken": Constant(0.05, 0.0, 0.45),
    "prior_trivial": Constant(0.03, 0.0, 0.45),
    "prior_guessable": Constant(0.12, 0.0, 1.0),
    "exploration": Constant(0.3, 0.0, 100.0),
    "rehearsal": Constant(0.0, 0.0, 1.0),
    "wear": Constant(20.0, 0.01, 1e9),
    "wear_per_group": Constant(0.15, 0.0, 100.0),
    "copy_cost": Constant(1.5, 0.0, 100.0),
    "copy_space": Constant(4.0, 1.0, 1000.0),
    "visit_shift": Constant(0.05, -1.0, 1.0),
    "visit_variance": Constant(0.15, 0.0, 50.0),
    "tick_variance": Constant(0.06, 0.0, 50.0),
    "leak": Constant(0.005, 0.0, 1.0),
    "pool_weight": Constant(20.0, 0.001, 1e9),
    "drift_gain": Constant(0.2, 0.0, 10.0),
    "drift_weight": Constant(5.0, 0.001, 1e9),
    "drift_cap": Constant(0.08, 0.0, 1.0),
    "drift_information": Constant(0.05, 0.0, 1.0),
    "progress_gain": Constant(2.0, 0.0, 100.0),
    "progress_low": Constant(0.3, 0.001, 1.0),
    "progress_high": Constant(3.0, 1.0, 1000.0),
    "progress_weight": Constant(4.0, 0.0, 1e9),
    "suspect_value": Constant(0.08, 0.0, 1.0),
    "suspect_visits": Constant(3, 1, 1e9, whole=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The whole curriculum of a run. Arrays are read-only and run over environments."""

    constants: Mapping[str, float]
    tops: tuple[int, ...]
    rows: tuple[Floats, ...]
    """Beliefs. Those never visited all hold the array `unvisited` itself."""
    unvisited: Floats
    visits: Integers
    """Groups that counted."""
    wear: Floats
    """v: what was learned from it so far, in groups of full variance."""
    origin: Floats
    """m0, in grid levels; NaN before the third visit."""
    centre: Floats
    """E[m], in grid levels."""
    level: Integers
    """Level of greatest expected utility."""
    value: Floats
    """That utility, 0 to 1."""
    accuracy: Floats
    """Of the last group; NaN before the first."""
    surprise: float = 0.0
    """R: accuracy above expectation since the last tick, in groups."""
    information: float = 0.0
    """Isum: expected variance of those groups."""
    retired: frozenset[int] = frozenset()
    batches: Batches = field(default_factory=Batches)
    ledger: Ledger = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and dump(self) == dump(other)


def own_prior(settings: Mapping[str, float]) -> Floats:
    """The belief before any evidence from the run."""
    return belief.prior(
        settings["prior_mean"],
        settings["prior_deviation"],
        settings["prior_broken"],
        settings["prior_trivial"],
        settings["prior_guessable"],
    )


ARRAYS = ("visits", "wear", "origin", "centre", "level", "value", "accuracy")


def dump(state: State) -> dict[str, Any]:
    """The state as JSON values: about 5 kB per visited environment."""
    seen = np.flatnonzero(state.visits)
    beliefs = np.stack([state.rows[e] for e in seen]) if len(seen) else np.empty((0, belief.STATES))
    return {
        "policy": NAME,
        "constants": dict(state.constants),
        "tops": list(state.tops),
        "beliefs": pack(beliefs),
        "unvisited": pack(state.unvisited),
        **{array: pack(getattr(state, array)) for array in ARRAYS},
        "surprise": state.surprise,
        "information": state.information,
        "retired": sorted(state.retired),
        "batch": state.batches.dump(),
        "ledger": dump_ledger(state.ledger),
    }


def load(document: Mapping[str, Any]) -> State:
    """The state that `dump` wrote."""
    arrays = {array: unpack(document[array]) for array in ARRAYS}
    unvisited = unpack(document["unvisited"])
    rows = [unvisited] * len(document["tops"])
    for e, row in zip(np.flatnonzero(arrays["visits"]).tolist(), unpack(document["beliefs"]), strict=True):
        rows[e] = freeze(row)
    return State(
        # Without the constants that a later version added, a state is as it was.
        constants={**defaults(CONSTANTS), **document["constants"]},
        tops=tuple(document["tops"]),
        rows=tuple(rows),
        unvisited=unvisited,
        **arrays,
        surprise=document["surprise"],
        information=document["information"],
        retired=frozenset(document["retired"]),
        batches=load_batches(document["batch"]),
        ledger=load_ledger(document["ledger"]),
    )

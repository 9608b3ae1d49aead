"""The paper's active set, as pure functions over a tuple of slots.

Guarantee: a slot never keeps an environment outside `live` after `replace_slots`, and `spread` hands out every group.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence


def first_slots(pool: int, size: int) -> tuple[int, ...]:
    """The first `size` environments; a smaller pool fills the slots over and over."""
    return tuple(slot % pool for slot in range(size))


def replace_slots(
    slots: Sequence[int], live: Sequence[int], leaves: Callable[[int], bool], rng: random.Random
) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Slot by slot, replace whoever leaves by a uniformly random other live environment.

    That other may be in the set already (the paper allows duplicates), and an environment is asked about once per slot
    that holds it, so that the second slot sees what the first has done to its history.

    Args:
        slots: Environments, one per slot.
        live: Environments that may be drawn; not empty.
        leaves: Whether the environment of a slot leaves; called in slot order.
        rng: Where the draws come from.

    Returns:
        The new slots, and (who left, who came) for each replacement. A pool with no other keeps its only environment.
    """
    after = list(slots)
    moves: list[tuple[int, int]] = []
    for slot, environment in enumerate(slots):
        if not leaves(environment):
            continue
        others = [candidate for candidate in live if candidate != environment]
        successor = others[rng.randrange(len(others))] if others else environment
        after[slot] = successor
        moves.append((environment, successor))
    return tuple(after), moves


def spread(groups: int, members: Sequence[int], rng: random.Random) -> list[tuple[int, int]]:
    """(environment, groups) for the distinct members, in random order, as even as the number of groups allows."""
    distinct = list(dict.fromkeys(members))
    rng.shuffle(distinct)
    each, left = divmod(groups, len(distinct))
    shares = [(environment, each + (place < left)) for place, environment in enumerate(distinct)]
    return [(environment, share) for environment, share in shares if share]

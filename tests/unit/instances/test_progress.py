"""Drawing from a stream: which seeds count."""

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.instances.buffer import EXHAUSTED, Progress
from escalade_server.instances.generation import Made, Unmade
from escalade_server.instances.seeds import instance_id, seed_at, stream_id


def made(text: str) -> Made:
    return Made(text, {}, "1\n")


def take_all(results: list[Made | Unmade]) -> tuple[Progress, list[bool]]:
    progress, known, drawn = Progress(), set[str](), []
    for result in results:
        progress, counts = progress.take(result, known)
        drawn.append(counts)
    return progress, drawn


def test_what_cannot_be_made_and_what_repeats_is_passed_over() -> None:
    progress, drawn = take_all([made("a"), Unmade("hung"), made("a"), made("b"), made("a")])
    assert drawn == [True, False, False, True, False]
    assert progress == Progress(next_index=5, draws=2, repeats=1)


def test_an_exhausted_level_repeats_itself() -> None:
    progress, drawn = take_all([made("a")] + [made("a")] * EXHAUSTED + [Unmade("hung"), made("a"), made("b")])
    assert progress.exhausted
    assert drawn == [True] + [False] * EXHAUSTED + [False, True, True]
    assert progress.draws == 3


@given(results=st.lists(st.sampled_from(["a", "b", "c", None]), max_size=200), cut=st.integers(0, 200))
def test_where_the_work_is_cut_makes_no_difference(results: list[str | None], cut: int) -> None:
    outcomes = [Unmade("x") if text is None else made(text) for text in results]
    whole = take_all(outcomes)
    progress, known, drawn = Progress(), set[str](), []
    for part in (outcomes[:cut], outcomes[cut:]):
        known = set(known)
        for outcome in part:
            progress, counts = progress.take(outcome, known)
            drawn.append(counts)
    assert (progress, drawn) == whole


def test_identities_are_pinned() -> None:
    """They are stored in databases and written into papers."""
    stream = stream_id("v", {"m": 2, "n": 1}, "train", 17)
    assert stream == stream_id("v", {"n": 1, "m": 2}, "train", 17)
    assert stream == "e767a98a775f42ae63c75c576e1e8f9da0f603af377b812e13f325220b3745b9"
    assert [seed_at(stream, "train", index) for index in range(2)] == [8840143466934068864, 7530318066498678698]
    assert instance_id("v", {"n": 1}, 5) == "ins_kk2kucbtg457izkzhbfd57ywoe"


@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 10**9))
def test_the_splits_seeds_are_disjoint_by_construction(seed: int, index: int) -> None:
    train = seed_at(stream_id("v", {}, "train", seed), "train", index)
    evaluation = seed_at(stream_id("v", {}, "evaluation", seed), "evaluation", index)
    assert (train % 2, evaluation % 2) == (0, 1)
    assert 0 <= train < 2**63
    assert 0 <= evaluation < 2**63

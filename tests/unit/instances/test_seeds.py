"""Seeds: the splits share none, and each is where its bits say."""

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.instances.buffer import Source
from escalade_server.instances.programs import SETS, hidden_source
from escalade_server.instances.seeds import Split, is_hidden, limits_id, seed_at, stream_id
from escalade_server.instances.versions import Version
from escalade_server.problems.builtin import load_catalogue

STREAMS = st.text("0123456789abcdef", min_size=64, max_size=64)
SPLITS: list[Split] = ["train", "evaluation", "hidden"]


@given(STREAMS, st.integers(0, 10_000))
def test_the_splits_are_disjoint_by_construction(stream: str, index: int) -> None:
    train, evaluation, hidden = (seed_at(stream, split, index) for split in SPLITS)
    assert (train & 1, evaluation & 3, hidden & 3) == (0, 1, 3)
    assert [is_hidden(seed) for seed in (train, evaluation, hidden)] == [False, False, True]
    assert all(0 <= seed < 2**63 for seed in (train, evaluation, hidden))


@given(STREAMS, st.integers(0, 10_000))
def test_they_stay_disjoint_in_generators_that_take_31_bits(stream: str, index: int) -> None:
    assert len({seed_at(stream, split, index) % 2**31 & 3 for split in SPLITS} & {0, 1, 2, 3}) == 3


@given(st.integers(0, 2**63 - 1))
def test_an_instance_is_judged_on_one_of_a_few_sets(seed: int) -> None:
    entry = load_catalogue()[0]
    source = Source(Version("id", "hash", entry.definition), 0, entry.definition.ladder[0], "train", 3)
    hidden = hidden_source(source, seed)
    assert hidden.split == "hidden"
    assert 0 <= hidden.seed < SETS
    assert hidden.stream != source.stream


def test_names_do_not_depend_on_the_order_of_parameters() -> None:
    assert limits_id("v", {"a": 1, "b": 2}) == limits_id("v", {"b": 2, "a": 1})
    assert stream_id("v", {"a": 1, "b": 2}, "hidden", 0) == stream_id("v", {"b": 2, "a": 1}, "hidden", 0)
    assert limits_id("v", {"a": 1}) != limits_id("w", {"a": 1})

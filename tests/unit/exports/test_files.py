"""Rows, levels and files of exports, without a server."""

import json
from types import SimpleNamespace

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalade.exports import SHAPES, ExportFailed
from escalade.exports.export import levels_of
from escalade.exports.files import ROWS_AT_ONCE, JsonLines, Parquet, written_whole
from escalade.exports.shapes import Place
from escalade.types import Instance, Message

ONE = Instance(
    instance="ins_a", environment="toll-road", version="9f" * 32, level=3, parameters={"n": 8}, answer_type="number",
    messages=[Message(role="system", content="Be brief."), Message(role="user", content="What is ½ of 8?")],
    answer="4\n",
)  # fmt: skip
PLACE = Place("train", 7, 11)
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is ½ of 8?"}]
ABOUT = {
    "instance": "ins_a", "environment": "toll-road", "version": "9f" * 32, "level": 3, "answer_type": "number",
    "split": "train", "seed": 7, "draw": 11,
}  # fmt: skip


def test_rows_of_every_shape_with_their_answers():
    assert SHAPES["trl"](ONE, PLACE, True) == {"prompt": "Be brief.\n\nWhat is ½ of 8?", **ABOUT, "answer": "4"}
    assert SHAPES["trl-chat"](ONE, PLACE, True) == {"prompt": MESSAGES, **ABOUT, "answer": "4"}
    assert SHAPES["openai"](ONE, PLACE, True) == {"messages": MESSAGES, **ABOUT, "answer": "4"}
    assert SHAPES["verl"](ONE, PLACE, True) == {
        "data_source": "escalade", "prompt": MESSAGES, "ability": "reasoning",
        "reward_model": {"style": "rule", "ground_truth": "4"}, "extra_info": {"index": 11, **ABOUT},
    }  # fmt: skip


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_no_row_holds_the_answer_where_none_is_wanted(shape):
    one = ONE.model_copy(update={"answer": "the truth"})
    assert "the truth" not in json.dumps(SHAPES[shape](one, PLACE, False))
    assert "the truth" in json.dumps(SHAPES[shape](one, PLACE, True))


@pytest.mark.parametrize(
    ("text", "levels"),
    [("all", [0, 1, 2, 3, 4]), ("0-", [0, 1, 2, 3, 4]), ("2", [2]), ("4-", [4]), ("3,0-1, 1", [0, 1, 3])],
)
def test_levels_are_read(text, levels):
    assert levels_of(text, SimpleNamespace(name="toll-road", levels=5)) == levels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", "toll-road has levels 0 to 4, and 5"),
        ("0-9", "toll-road has levels 0 to 4, and 0-9"),
        ("7-", "not on its ladder"),
        ("3-1", "downwards"),
        ("", "write them as"),
        ("-2", "write them as"),
        ("1-2-3", "write them as"),
        ("low", "write them as"),
        ("1,", "write them as"),
    ],
)
def test_levels_that_make_no_sense_are_named(text, words):
    with pytest.raises(ExportFailed, match=words):
        levels_of(text, SimpleNamespace(name="toll-road", levels=5))


@given(st.text(alphabet="0123456789-, all", max_size=12), st.integers(1, 30))
def test_levels_are_on_the_ladder_and_ascend_or_are_refused(text, count):
    try:
        levels = levels_of(text, SimpleNamespace(name="one", levels=count))
    except ExportFailed:
        return
    assert levels == sorted(set(levels))
    assert set(levels) <= set(range(count))


def row(number):
    return {"prompt": [{"role": "user", "content": f"{number} ½"}], "level": number % 5, "answer": str(number)}


@pytest.mark.parametrize("kind", [JsonLines, Parquet])
def test_rows_are_read_back_as_they_were_written(kind, tmp_path):
    rows = [row(number) for number in range(2 * ROWS_AT_ONCE + 700)]
    path = tmp_path / "rows"
    with written_whole(path) as file:
        written = kind(file)
        for first in range(0, len(rows), 700):
            written.add(rows[first : first + 700])
        written.finish()
    if kind is JsonLines:
        assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == rows
    else:
        found = pyarrow.parquet.ParquetFile(path)
        assert found.read().to_pylist() == rows
        assert [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)] == [ROWS_AT_ONCE] * 2 + [700]
        found.close()


@pytest.mark.parametrize("kind", [JsonLines, Parquet])
def test_a_file_that_is_not_finished_leaves_what_was_there(kind, tmp_path):
    path = tmp_path / "rows"
    path.write_text("before")

    def broken_off():
        with written_whole(path) as file:
            kind(file).add([row(number) for number in range(3 * ROWS_AT_ONCE)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [found.name for found in tmp_path.iterdir()] == ["rows"]
    assert path.read_text() == "before"


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(ExportFailed, match="rows cannot be written: "), written_whole(tmp_path / "rows") as file:
        JsonLines(file).add([row(1)])

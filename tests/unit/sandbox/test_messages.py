"""The service's JSON: nothing is lost on the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalade_sandbox.messages import JobBody, JobResultBody, job_json
from escalade_sandbox.types import Compilation, Input, Job, JobResult, Limits, Program, Result, Status, Trust

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
FILES = st.dictionaries(TEXT, st.binary(max_size=20), max_size=2)
LIMITS = st.builds(
    Limits,
    cpu_s=st.floats(0.001, 1000),
    wall_s=st.floats(0.001, 1000),
    **{name: st.integers(1, 1 << 40) for name in ("memory_bytes", "output_bytes", "error_bytes", "processes")},
)
JOBS = st.builds(
    Job,
    program=st.builds(
        Program, TEXT, TEXT, function=st.none() | TEXT, files=FILES, hash_seed=st.integers(0, (1 << 32) - 1)
    ),
    inputs=st.lists(st.builds(Input, st.binary(max_size=50), st.lists(TEXT, max_size=3).map(tuple), FILES), max_size=3),
    limits=LIMITS,
    compile_limits=LIMITS,
    trust=st.sampled_from(Trust),
    domain=TEXT,
    owner=TEXT,
    collect=st.lists(TEXT, max_size=2).map(tuple),
    stop_on_failure=st.booleans(),
)
RESULTS = st.builds(
    Result,
    st.sampled_from(Status),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 255),
    st.none() | st.integers(1, 64),
    cpu_ms=st.floats(0, 1e6),
    wall_ms=st.floats(0, 1e6),
    memory_bytes=st.integers(0, 1 << 50),
    files=FILES,
)
COMPILATIONS = st.builds(
    Compilation, st.sampled_from(Status), TEXT, st.booleans(), st.floats(0, 1e6), st.floats(0, 1e6), st.none() | TEXT
)


@given(JOBS)
def test_a_job_survives_the_way_there(job):
    assert JobBody.model_validate_json(json.dumps(job_json(job))).to_job() == job


@given(st.lists(RESULTS, max_size=3), st.none() | COMPILATIONS)
def test_a_result_survives_the_way_back(results, compilation):
    result = JobResult(tuple(results), compilation)
    assert JobResultBody.model_validate_json(JobResultBody.of(result).model_dump_json()).to_result() == result


def test_bytes_are_text_where_they_can_be():
    job = job_json(Job(Program("cpp", ""), [Input("é\n".encode()), Input(b"\xff")]))
    assert [one["stdin"] for one in job["inputs"]] == ["é\n", {"base64": "/w=="}]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"colour": "red"}, "colour"),
        ({"inputs": [{"stdin": {"base64": "!"}}]}, "inputs"),
        ({"inputs": [{"stdin": 5}]}, "inputs"),
        ({"limits": {"cpu_s": 0}}, "limits"),
        ({"trust": "blind"}, "trust"),
    ],
    ids=["unknown field", "base64", "number", "limit", "trust"],
)
def test_a_malformed_request_names_the_field(change, where):
    body = {"program": {"language": "cpp", "source": ""}, "inputs": []} | change
    with pytest.raises(ValidationError) as caught:
        JobBody.model_validate_json(json.dumps(body))
    assert caught.value.errors()[0]["loc"][0] == where


def test_what_is_left_out_has_the_types_defaults():
    body = {"program": {"language": "cpp", "source": "x"}, "inputs": [{}]}
    assert JobBody.model_validate(body).to_job() == Job(Program("cpp", "x"), [Input()])

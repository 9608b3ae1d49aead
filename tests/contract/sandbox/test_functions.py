"""What every backend does with a function: a generator, in practice."""

import ast
import json

import pytest

from escalade_sandbox.agent.sharing import may_share
from escalade_sandbox.types import Job, Limits, Program, Status, Trust

SHORT = Limits(cpu_s=1, wall_s=2, memory_bytes=128 << 20, output_bytes=1 << 20, error_bytes=1000)


async def test_a_function_is_called_per_input_with_its_seed(sandbox, call):
    source = "import random\ndef draw(p):\n    print('noise')\n    return str(random.randrange(10**9)), {'n': p['n']}"
    inputs = [call({"n": 1}, seed=5), call({"n": 2}, seed=6), call({"n": 3}, seed=5)]
    job = Job(Program("python", source, function="draw"), inputs, trust=Trust.TRUSTED)
    values = [json.loads(one.stdout) for one in (await sandbox.run(job)).results]
    assert [value[1] for value in values] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert values[0][0] == values[2][0] != values[1][0]
    assert [json.loads(one.stdout) for one in (await sandbox.run(job)).results] == values


async def test_calls_of_a_function_do_not_see_each_other(sandbox, call):
    source = """
import os
seen = []
def f(x):
    seen.append(x)
    open(f'left{x}', 'w')
    return seen, sorted(os.listdir('.'))
"""
    result = await sandbox.run(Job(Program("python", source, function="f"), [call(1), call(2)]))
    assert [json.loads(one.stdout) for one in result.results] == [[[n], [f"left{n}", "main.py"]] for n in (1, 2)]


async def test_what_a_function_cannot_return_is_a_nonzero_exit(sandbox, call):
    source = """
import sys
VALUES = {'set': {1}, 'nan': float('nan')}
def f(x):
    if x == 'raise': raise KeyError('gone')
    if x == 'exit': sys.exit(0)
    return VALUES[x]
"""
    inputs = [call("set"), call("nan"), call("raise"), call("exit")]
    result = await sandbox.run(Job(Program("python", source, function="f"), inputs))
    assert [one.status for one in result.results] == [Status.NONZERO_EXIT] * 4
    assert b"set" in result.results[0].stderr
    assert b"KeyError: 'gone'" in result.results[2].stderr


async def test_a_function_that_hangs_costs_only_its_own_input(sandbox, call):
    source = """
import os
def f(x):
    while x == 1: pass
    if x == 2: os.kill(os.getppid(), 9)
    if x == 3: return 'y' * (2 << 20)
    return x
"""
    job = Job(Program("python", source, function="f"), [call(n) for n in range(6)], limits=SHORT)
    statuses = [one.status for one in (await sandbox.run(job)).results]
    assert statuses[:2] == [Status.OK, Status.TIME_LIMIT]
    assert statuses[2] in (Status.SIGNALLED, Status.NONZERO_EXIT)
    assert statuses[3:] == [Status.OUTPUT_LIMIT, Status.OK, Status.OK]


async def test_a_module_that_cannot_be_imported_says_why(sandbox, call):
    cases = (("import absent", b"absent"), ("x = 1", b"'f'"), ("import sys; sys.exit(0)", b"ended before"))
    for source, words in cases:
        result = await sandbox.run(Job(Program("python", source, function="f"), [call(1), call(2)]))
        assert [one.status for one in result.results] == [Status.NONZERO_EXIT] * 2
        assert words in result.results[0].stderr


async def test_a_module_that_hangs_at_import_runs_out_of_time_once(sandbox, call):
    job = Job(Program("python", "while True: pass", function="f"), [call(n) for n in range(50)], limits=SHORT)
    assert {one.status for one in (await sandbox.run(job)).results} == {Status.TIME_LIMIT}


COUNTERS = """
from sys import *
from random import *
import functools
import random
drawn_at_import = random.random()
cache, limit = {}, [getrecursionlimit()]
class Tree:
    made = 0
    def __init__(self):
        Tree.made += 1
@functools.lru_cache(None)
def table(n):
    cache[n] = len(cache)
    return random.randrange(10**9)
def f(p, default=[]):
    global drawn_at_import
    Tree()
    default.append(p)
    setrecursionlimit(getrecursionlimit() + 100)
    f.calls = calls_of.pop() + 1
    value = [drawn_at_import, Tree.made, len(cache), default, limit, f.calls, gauss(0, 1), table(1)]
    drawn_at_import = 0
    print('noise')
    return value
calls_of = [0]
"""


@pytest.mark.parametrize("trust", Trust)
async def test_a_value_is_a_function_of_the_seed_whatever_was_called_before(sandbox, call, trust):
    assert may_share(ast.parse(COUNTERS))
    seeds = [3, 1, 4, 1, 5, 9, 2, 6]
    program = Program("python", COUNTERS, function="f")

    async def values(inputs):
        results = (await sandbox.run(Job(program, inputs, trust=trust))).results
        assert {one.status for one in results} == {Status.OK}, results[0]
        return [one.stdout for one in results]

    together = await values([call(0, seed=seed) for seed in seeds])
    assert together[1] == together[3]
    assert len(set(together)) == len(set(seeds))
    assert together[::-1] == await values([call(0, seed=seed) for seed in reversed(seeds)])
    # Alone, each is made in a fork of its own.
    assert together[:3] == [(await values([call(0, seed=seed)]))[0] for seed in seeds[:3]]


@pytest.mark.parametrize("trust", Trust)
async def test_one_call_that_fails_among_many_costs_no_other_its_value(sandbox, call, trust):
    source = """
import sys
calls = []
def f(x):
    calls.append(x)
    if x == 5: raise ValueError('five')
    if x == 9:
        print('a word', file=sys.stderr)
    while x == 13: pass
    if x == 17: return 'y' * (2 << 20)
    if x == 21: return bytearray(512 << 20).count(1)
    return [x, len(calls)]
"""
    job = Job(Program("python", source, function="f"), [call(n) for n in range(26)], SHORT, trust=trust)
    results = (await sandbox.run(job)).results
    unlike = {n: one.status for n, one in enumerate(results) if one.status is not Status.OK}
    assert unlike == {
        5: Status.NONZERO_EXIT, 13: Status.TIME_LIMIT, 17: Status.OUTPUT_LIMIT, 21: Status.MEMORY_LIMIT,
    }  # fmt: skip
    assert all(json.loads(one.stdout) == [n, 1] for n, one in enumerate(results) if n not in unlike)
    assert b"ValueError: five" in results[5].stderr
    assert results[5].stderr.count(b"File ") == 1
    assert results[9].stderr == b"a word\n"
    assert results[10].stderr == b""


async def test_the_figures_of_calls_in_one_process_are_their_own(sandbox, call):
    source = "def f(n):\n    return sum(range(n))"
    calls = [call(10_000_000 if n == 3 else 1) for n in range(8)]
    job = Job(Program("python", source, function="f"), calls, trust=Trust.TRUSTED)
    results = (await sandbox.run(job)).results
    assert [json.loads(one.stdout) for one in results] == [0, 0, 0, 49999995000000, 0, 0, 0, 0]
    assert all(one.cpu_ms >= 0 and one.wall_ms > 0 and one.memory_bytes > 1 << 20 for one in results)
    # The first also pays for what is looked up once.
    assert results[3].cpu_ms == max(one.cpu_ms for one in results[1:]) > 0


async def test_many_calls_outlast_the_process_that_makes_them(sandbox, call):
    source = "calls = []\ndef f(n):\n    calls.append(n)\n    sum(range(50_000))\n    return [n, len(calls)]"
    calls = [call(n) for n in range(1000)]
    job = Job(Program("python", source, function="f"), calls, SHORT, trust=Trust.TRUSTED)
    results = (await sandbox.run(job)).results
    assert [json.loads(one.stdout) for one in results] == [[n, 1] for n in range(1000)]

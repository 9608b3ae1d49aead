"""What every backend does with a function: a generator, in practice."""

import json

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

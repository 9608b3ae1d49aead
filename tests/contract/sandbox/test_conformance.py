"""What every backend does with a program."""

import asyncio

import pytest

from escalade_sandbox.types import (
    Input,
    InvalidJob,
    Job,
    JobResult,
    Limits,
    Program,
    Result,
    Sandbox,
    Status,
    UnknownLanguage,
)

MIB = 1 << 20
SHORT = Limits(cpu_s=1, wall_s=2, memory_bytes=128 * MIB, output_bytes=MIB, error_bytes=1000)
SUM = "#include <bits/stdc++.h>\nint main() { long long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }"


async def run_python(sandbox: Sandbox, source: str, stdin: bytes = b"", **options: object) -> Result:
    one = Input(stdin, options.pop("arguments", ()), options.pop("files", {}))
    program = Program("python", source, files=options.pop("program_files", {}), hash_seed=options.pop("hash_seed", 0))
    result = await sandbox.run(Job(program, [one], **options))
    return result.results[0]


async def run_cpp(sandbox: Sandbox, source: str, stdin: bytes = b"", **options: object) -> Result:
    return (await sandbox.run(Job(Program("cpp", source), [Input(stdin)], **options))).results[0]


async def test_a_python_program_reads_its_input_and_arguments(sandbox):
    source = "import sys\nprint(sys.argv[1:], input(), sys.stdin.read())"
    result = await run_python(sandbox, source, b"first\nrest\n", arguments=("a", "b c"))
    assert (result.status, result.stdout) == (Status.OK, b"['a', 'b c'] first rest\n\n")
    assert result.exit_code == 0
    assert result.signal is None
    assert result.wall_ms > 0
    assert result.memory_bytes > 0


async def test_the_standard_streams_tell_their_mode_and_descriptor(sandbox):
    source = "import sys\nprint(*((one.mode, one.fileno()) for one in (sys.stdin, sys.stdout, sys.stderr)))"
    result = await run_python(sandbox, source)
    assert (result.status, result.stdout) == (Status.OK, b"('r', 0) ('w', 1) ('w', 2)\n")


FAST_OUTPUT = """
import io, os, sys
class Fast(io.IOBase):
    def __init__(self):
        self.parts = []
        self.write = lambda text: self.parts.append(text.encode())
    def flush(self):
        for part in self.parts:
            os.write(1, part)
        self.parts.clear()
sys.stdout = Fast()
print("fast")
"""


async def test_a_stream_of_the_programs_own_is_flushed_while_its_names_are_there(sandbox):
    result = await run_python(sandbox, FAST_OUTPUT)
    assert (result.status, result.stdout, result.stderr) == (Status.OK, b"fast\n", b"")


async def test_a_cpp_program_runs_once_per_input_in_order(sandbox):
    inputs = [Input(f"{n} {n}".encode()) for n in range(20)]
    result = await sandbox.run(Job(Program("cpp", SUM), inputs))
    assert [one.stdout for one in result.results] == [f"{2 * n}\n".encode() for n in range(20)]
    assert result.compilation is not None
    assert (result.compilation.status, result.compilation.standard) == (Status.OK, "gnu++17")


async def test_the_second_run_of_a_program_is_not_compiled_again(sandbox):
    source = SUM + "\n// compiled only here"
    first = await sandbox.run(Job(Program("cpp", source), [Input(b"1 2")]))
    second = await sandbox.run(Job(Program("cpp", source), [Input(b"1 3")]))
    assert first.compilation is not None
    assert second.compilation is not None
    assert (first.compilation.cached, second.compilation.cached) == (False, True)
    assert second.results[0].stdout == b"4\n"


async def test_the_same_program_at_the_same_time_is_compiled_once(sandbox):
    source = SUM + "\n// compiled by one of four"
    jobs = [Job(Program("cpp", source), [Input(b"1 2")]) for _ in range(4)]
    results: list[JobResult] = await asyncio.gather(*map(sandbox.run, jobs))
    assert sorted(result.compilation.cached for result in results if result.compilation) == [False, True, True, True]


async def test_older_standards_are_tried_in_turn(sandbox):
    for most, standard in (("201402L", "gnu++14"), ("201103L", "gnu++11")):
        source = f"#if __cplusplus > {most}\n#error too new\n#endif\nint main() {{}}"
        result = await sandbox.run(Job(Program("cpp", source), [Input()]))
        assert result.compilation is not None
        assert (result.compilation.status, result.compilation.standard) == (Status.OK, standard)


async def test_a_program_that_does_not_compile_is_data(sandbox):
    result = await sandbox.run(Job(Program("cpp", "int main() { return nothing; }"), [Input(), Input()]))
    assert [one.status for one in result.results] == [Status.COMPILE_ERROR] * 2
    assert result.compilation is not None
    assert result.compilation.status is Status.COMPILE_ERROR
    assert "nothing" in result.compilation.diagnostics


async def test_a_compiler_that_takes_too_long_is_a_limit(sandbox):
    source = """
template<long n, long m> struct G { enum { v = G<n-1, m>::v + G<n-1, m+1>::v }; };
template<long m> struct G<0, m> { enum { v = 1 }; };
int main() { return G<800, 0>::v; }
"""
    limits = Limits(cpu_s=0.3, wall_s=1, memory_bytes=512 * MIB, output_bytes=8 * MIB)
    result = await sandbox.run(Job(Program("cpp", source), [Input()], compile_limits=limits))
    assert result.results[0].status is Status.COMPILE_LIMIT


async def test_a_verdict_on_a_compilation_does_not_depend_on_earlier_ones(sandbox):
    small = Limits(cpu_s=0.05, wall_s=60, memory_bytes=1024 * MIB, output_bytes=256 * MIB)
    source = SUM + "\n// compiled under two limits"
    verdicts = []
    for limits in (small, Limits(cpu_s=60, wall_s=60, memory_bytes=1024 * MIB, output_bytes=256 * MIB), small):
        result = await sandbox.run(Job(Program("cpp", source), [Input(b"1 2")], compile_limits=limits))
        verdicts.append(result.results[0].status)
    assert verdicts == [Status.COMPILE_LIMIT, Status.OK, Status.COMPILE_LIMIT]


async def test_headers_lie_beside_the_source(sandbox):
    program = Program(
        "cpp",
        '#include "own.h"\n#include <iostream>\nint main() { std::cout << OWN; }',
        files={"own.h": b"#define OWN 42\n"},
    )
    result = await sandbox.run(Job(program, [Input()]))
    assert result.results[0].stdout == b"42"


async def test_exit_codes_and_signals_are_told_apart(sandbox):
    assert (await run_python(sandbox, "import sys; sys.exit(7)")).exit_code == 7
    assert (await run_python(sandbox, "import sys; sys.exit('why')")).stderr == b"why\n"
    killed = await run_python(sandbox, "import os; os.kill(os.getpid(), 9)")
    assert (killed.status, killed.signal, killed.exit_code) == (Status.SIGNALLED, 9, None)
    crashed = await run_cpp(sandbox, "int main() { volatile int *p = 0; return *p; }")
    assert (crashed.status, crashed.signal) == (Status.SIGNALLED, 11)
    assert (await run_cpp(sandbox, "int main() { return 3; }")).exit_code == 3


@pytest.mark.parametrize(
    ("interpreter", "code", "words"),
    [
        ("/nonexistent", 127, b"No such file"),
        ("/etc/passwd", 126, b"ermission denied"),
        ("/etc/passwd/under", 126, b""),
        ("x" * 5000, 126, b"ormat error"),
        ("", 126, b"ormat error"),
    ],
    ids=["absent", "not executable", "under a file", "too long", "empty"],
)
async def test_a_binary_that_the_kernel_will_not_execute_is_a_verdict(sandbox, interpreter, code, words):
    source = f'''__attribute__((section(".interp"), used)) extern const char interp[] = "{interpreter}";
int main() {{}}'''
    result = await sandbox.run(Job(Program("cpp", source), [Input(), Input()]))
    assert [(one.status, one.exit_code, one.signal) for one in result.results] == [
        (Status.NONZERO_EXIT, code, None)
    ] * 2
    assert all(one.stderr.startswith(b"the program cannot be executed") for one in result.results)
    assert all(words in one.stderr for one in result.results)


async def test_a_traceback_shows_only_the_programs_frames(sandbox):
    result = await run_python(sandbox, "def f():\n    raise ValueError('wrong')\nf()\n")
    text = result.stderr.decode()
    assert result.status is Status.NONZERO_EXIT
    assert text.splitlines()[-1] == "ValueError: wrong"
    assert text.count('File "') == 2
    assert "escalade_sandbox" not in text
    assert "raise ValueError('wrong')" in text


async def test_a_syntax_error_is_a_nonzero_exit(sandbox):
    result = await run_python(sandbox, "def f(:\n")
    assert (result.status, result.exit_code) == (Status.NONZERO_EXIT, 1)
    assert b"SyntaxError" in result.stderr


@pytest.mark.parametrize(
    "source",
    ["while True: pass", "import time; time.sleep(60)", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"],
    ids=["spin", "sleep", "stop"],
)
async def test_time_runs_out(sandbox, source):
    assert (await run_python(sandbox, source, limits=SHORT)).status is Status.TIME_LIMIT


async def test_time_runs_out_for_one_input_and_the_next_still_runs(sandbox):
    source = '#include <cstdio>\nint main() { int n; scanf("%d", &n); while (n == 1) n = 1; printf("%d", n); }'
    result = await sandbox.run(Job(Program("cpp", source), [Input(b"0"), Input(b"1"), Input(b"2")], limits=SHORT))
    assert [one.status for one in result.results] == [Status.OK, Status.TIME_LIMIT, Status.OK]
    assert result.results[2].stdout == b"2"


@pytest.mark.parametrize("language", ["python", "cpp"])
async def test_a_job_may_stop_at_its_first_failure(sandbox, language):
    python = "n = int(input())\nif n == 2: raise SystemExit(9)\nprint(n)"
    cpp = "#include <iostream>\nint main() { int n; std::cin >> n; if (n == 2) return 9; std::cout << n << '\\n'; }"
    program = Program(language, python if language == "python" else cpp)
    inputs = [Input(str(n).encode()) for n in (0, 1, 2, 3, 4)]
    stopped = (await sandbox.run(Job(program, inputs, stop_on_failure=True))).results
    expected = [Status.OK, Status.OK, Status.NONZERO_EXIT, Status.SKIPPED, Status.SKIPPED]
    assert [one.status for one in stopped] == expected
    assert [one.stdout for one in stopped] == [b"0\n", b"1\n", b"", b"", b""]
    to_the_end = (await sandbox.run(Job(program, inputs))).results
    assert [one.status for one in to_the_end][2:] == [Status.NONZERO_EXIT, Status.OK, Status.OK]


async def test_memory_runs_out(sandbox):
    source = "data = []\nwhile True: data.append('x' * (1 << 20))"
    assert (await run_python(sandbox, source, limits=SHORT)).status is Status.MEMORY_LIMIT
    source = """
#include <cstdlib>
#include <cstring>
int main() { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }
"""
    assert (await run_cpp(sandbox, source, limits=SHORT)).status is Status.MEMORY_LIMIT


async def test_memory_below_the_limit_is_measured(sandbox):
    result = await run_python(sandbox, "data = b'x' * (64 << 20)\nprint(len(data))", limits=SHORT)
    assert result.status is Status.OK
    assert 60 * MIB < result.memory_bytes < 128 * MIB


async def test_output_is_complete_up_to_the_limit_and_bounded_beyond(sandbox):
    exact = await run_python(sandbox, f"print('x' * {MIB}, end='')", limits=SHORT)
    assert (exact.status, len(exact.stdout), exact.stdout_complete) == (Status.OK, MIB, True)
    over = await run_python(sandbox, f"print('x' * {MIB + 1}, end='')", limits=SHORT)
    assert (over.status, len(over.stdout), over.stdout_complete) == (Status.OUTPUT_LIMIT, MIB, False)
    flood = await run_cpp(sandbox, '#include <cstdio>\nint main() { for (;;) puts("flood"); }', limits=SHORT)
    assert (flood.status, len(flood.stdout), flood.stdout_complete) == (Status.OUTPUT_LIMIT, MIB, False)


async def test_two_mebibytes_of_output_arrive_whole(sandbox):
    result = await run_python(sandbox, f"import sys; sys.stdout.write('0123456789abcdef' * {MIB // 8})")
    assert result.stdout == b"0123456789abcdef" * (MIB // 8)


async def test_too_much_standard_error_is_dropped_and_flagged(sandbox):
    result = await run_python(sandbox, "import sys; sys.stderr.write('e' * 100_000); print('done')", limits=SHORT)
    assert (result.status, result.stdout) == (Status.OK, b"done\n")
    assert (result.stderr, result.stderr_complete) == (b"e" * 1000, False)


async def test_output_that_is_not_utf8_is_flagged_and_kept(sandbox):
    result = await run_python(sandbox, "import sys; sys.stdout.buffer.write(b'\\xff\\xfe')")
    assert (result.status, result.stdout) == (Status.INVALID_OUTPUT, b"\xff\xfe")


async def test_standard_input_is_a_regular_file(sandbox):
    source = """
import os, stat, sys
print(stat.S_ISREG(os.fstat(0).st_mode), len(open('/dev/stdin').read()), len(sys.stdin.read()))
"""
    result = await run_python(sandbox, source, b"abc")
    assert result.stdout == b"True 3 3\n", result


async def test_eight_mebibytes_of_input_that_nobody_reads_and_no_input_do_not_hang(sandbox):
    assert (await run_python(sandbox, "print('done')", b"x" * 8 * MIB)).stdout == b"done\n"
    assert (await run_python(sandbox, "import sys; print(repr(sys.stdin.read()))")).stdout == b"''\n"


async def test_files_go_in_and_come_out(sandbox):
    source = "data = open('in.txt').read()\nopen('out.txt', 'w').write(data[::-1])\nopen('in.txt', 'a').write('!')"
    options = {"files": {"in.txt": b"abc"}, "collect": ("out.txt", "in.txt", "absent.txt")}
    result = await run_python(sandbox, source, **options)
    assert result.files == {"out.txt": b"cba", "in.txt": b"abc!"}


async def test_a_file_left_open_is_flushed_at_the_end(sandbox):
    result = await run_python(sandbox, "file = open('out', 'w')\nfile.write('kept')", collect=("out",))
    assert result.files == {"out": b"kept"}


async def test_nothing_is_left_for_the_next_input_or_job(sandbox):
    source = "import os\nprint(sorted(os.listdir('.')))\nopen('left', 'w').write('x')\nos.makedirs('deep/er')"
    result = await sandbox.run(Job(Program("python", source), [Input(), Input()]))
    again = await sandbox.run(Job(Program("python", source), [Input()]))
    assert {one.stdout for one in (*result.results, *again.results)} == {b"['main.py']\n"}


async def test_python_behaves_as_if_started_on_its_own(sandbox):
    source = """
import atexit, sys, threading, time
atexit.register(lambda: print('at exit'))
def late():
    time.sleep(0.05)
    print('thread')
threading.Thread(target=late).start()
assert __name__ == '__main__' and sys.modules['__main__'].__file__ == __file__
class Local: pass
import pickle
pickle.loads(pickle.dumps(Local()))
print('main', exit is not None)
"""
    result = await run_python(sandbox, source)
    assert result.stdout == b"main True\nthread\nat exit\n", result


async def test_deep_recursion_is_ordinary(sandbox):
    source = """
import sys
sys.setrecursionlimit(10**6)
def f(n): return 0 if n == 0 else 1 + f(n - 1)
print(f(50_000))
"""
    assert (await run_python(sandbox, source)).stdout == b"50000\n"
    source = """
#include <cstdio>
int f(int n) { volatile char pad[64]; pad[0] = 1; return n ? 1 + f(n - 1) : pad[0]; }
int main() { printf("%d", f(1000000)); }
"""
    assert (await run_cpp(sandbox, source)).stdout == b"1000001"


async def test_random_differs_from_run_to_run(sandbox):
    source = "import random\nprint(random.random())"
    result = await sandbox.run(Job(Program("python", source), [Input()] * 3))
    assert len({one.stdout for one in result.results}) == 3


async def test_the_hash_seed_is_fixed_and_can_be_chosen(sandbox):
    outputs = [(await run_python(sandbox, "print(hash('text'))", hash_seed=seed)).stdout for seed in (0, 0, 1, 1)]
    assert outputs[0] == outputs[1] != outputs[2] == outputs[3]


async def test_a_daemon_that_holds_the_output_open_does_not_delay_the_result(sandbox):
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
print('parent', flush=True)
os._exit(0)
"""
    result = await run_python(sandbox, source, limits=Limits(wall_s=30))
    assert (result.status, result.stdout) == (Status.OK, b"parent\n")
    assert result.wall_ms < 20_000


async def test_a_job_without_inputs_has_no_results(sandbox):
    assert (await sandbox.run(Job(Program("python", "print(1)"), []))).results == ()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job(Program("python", "", files={"../up": b""}), [Input()]), "program.files"),
        (Job(Program("python", "", files={"main.py": b""}), [Input()]), "main.py"),
        (Job(Program("python", ""), [Input(files={"a/b": b""})]), "inputs[0].files"),
        (Job(Program("python", ""), [Input()], collect=("..",)), "collect"),
        (Job(Program("python", ""), [Input()], limits=Limits(cpu_s=0)), "limits.cpu_s"),
        (Job(Program("cpp", "", function="f"), [Input()]), "program.function"),
        (Job(Program("python", ""), [Input(arguments=("a\0b",))]), "arguments"),
        (Job(Program("python", "", function="f"), [Input()], stop_on_failure=True), "stop_on_failure"),
    ],
    ids=["path", "source", "input", "collect", "limit", "function", "nul", "stop"],
)
async def test_a_malformed_job_is_refused_by_name(sandbox, job, words):
    with pytest.raises(InvalidJob) as caught:
        await sandbox.run(job)
    assert words in str(caught.value)


async def test_an_unknown_language_is_refused_with_those_there_are(sandbox):
    with pytest.raises(UnknownLanguage) as caught:
        await sandbox.run(Job(Program("cobol", ""), [Input()]))
    assert "cpp" in str(caught.value)


async def test_many_jobs_at_once_all_come_back(sandbox):
    jobs = [Job(Program("python", f"print(input(), {n})"), [Input(b"in")], owner=f"run-{n % 3}") for n in range(30)]
    results = await asyncio.gather(*map(sandbox.run, jobs))
    assert [result.results[0].stdout for result in results] == [f"in {n}\n".encode() for n in range(30)]


async def test_a_caller_that_gives_up_leaves_a_working_sandbox(sandbox):
    job = Job(Program("python", "import time; time.sleep(60)"), [Input()], limits=Limits(wall_s=60))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sandbox.run(job), 0.5)
    assert (await run_python(sandbox, "print('next')")).stdout == b"next\n"


async def test_health_tells_that_jobs_can_run(sandbox):
    health = await sandbox.health()
    assert health.ready
    assert health.slots == 2
    assert 0 <= health.free_slots <= 2
    assert health.detail

"""Programs that want more than their share. One pool serves all, and serves the next as if nothing had been."""

import pytest

from escalade_sandbox.types import Input, Job, Limits, Program, Result, Status

pytestmark = pytest.mark.docker
MIB = 1 << 20
SMALL = Limits(cpu_s=2, wall_s=4, memory_bytes=128 * MIB, output_bytes=4 * MIB, error_bytes=64 * 1024, processes=32)
LOOK = """
import os
processes = [pid for pid in os.listdir('/proc') if pid.isdigit() and os.stat(f'/proc/{pid}').st_uid == os.getuid()]
print(len(processes), os.listdir('.'), os.statvfs('.').f_bfree == os.statvfs('.').f_blocks - 2 or 'used')
"""


@pytest.fixture
async def python(containers):
    async def run(source: str, stdin: bytes = b"", limits: Limits = SMALL) -> Result:
        return (await containers.run(Job(Program("python", source), [Input(stdin)], limits))).results[0]

    return run


@pytest.fixture
async def cpp(containers):
    async def run(source: str, limits: Limits = SMALL) -> Result:
        return (await containers.run(Job(Program("cpp", source), [Input()], limits))).results[0]

    return run


@pytest.fixture(autouse=True)
async def the_pool_stays_fit(containers):
    """After every attack: nobody else's processes or files, and right answers, in both languages."""
    yield
    look = (await containers.run(Job(Program("python", LOOK), [Input()] * 2))).results
    assert [one.stdout.split(b" ", 1)[0] for one in look] == [b"1", b"1"], look
    assert all(b"['main.py']" in one.stdout for one in look), look
    source = '#include <cstdio>\nint main() { int a, b; scanf("%d %d", &a, &b); printf("%d", a + b); }'
    right = await containers.run(Job(Program("cpp", source), [Input(b"1 2"), Input(b"20 22")]))
    assert [one.stdout for one in right.results] == [b"3", b"42"]


async def test_a_fork_bomb(python, cpp):
    ended = (Status.NONZERO_EXIT, Status.TIME_LIMIT, Status.SIGNALLED, Status.MEMORY_LIMIT)
    assert (await python("import os\nwhile True: os.fork()")).status in ended
    source = "#include <unistd.h>\nint main() { for (;;) if (fork() < 0) usleep(10); }"
    assert (await cpp(source)).status in ended
    quiet = "import os\nfor _ in range(20):\n    if os.fork() == 0:\n        while True: pass\nos._exit(0)"
    assert (await python(quiet)).status is Status.OK


async def test_a_thread_bomb(python):
    source = "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()"
    assert (await python(source)).status in (Status.NONZERO_EXIT, Status.TIME_LIMIT, Status.MEMORY_LIMIT)


@pytest.mark.parametrize("processes", [1, 16])
async def test_a_memory_bomb(python, processes):
    source = f"""
import os
for _ in range({processes - 1}):
    if os.fork() == 0: break
data = []
while True: data.append(b'x' * (4 << 20))
"""
    assert (await python(source)).status is Status.MEMORY_LIMIT


async def test_memory_in_files_counts(python):
    source = "import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, b'x' * (1 << 20))"
    assert (await python(source)).status in (Status.MEMORY_LIMIT, Status.NONZERO_EXIT, Status.SIGNALLED)


async def test_a_flood_of_output_is_cut_and_two_mebibytes_are_not(python, cpp):
    flood = await cpp('#include <cstdio>\nint main() { for (;;) puts("flood flood flood"); }')
    assert (flood.status, len(flood.stdout), flood.stdout_complete) == (Status.OUTPUT_LIMIT, 4 * MIB, False)
    loud = await python("import os\nwhile True: os.write(2, b'x' * 65536)")
    assert loud.status is Status.TIME_LIMIT
    assert (len(loud.stderr), loud.stderr_complete) == (64 * 1024, False)
    whole = await python("print('x' * (2 << 20), end='')")
    assert (whole.status, len(whole.stdout), whole.stdout_complete) == (Status.OK, 2 * MIB, True)


async def test_a_daemon_cannot_add_to_the_output_for_ever(python):
    source = "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: os.write(1, b'x' * 4096)\nos._exit(0)"
    result = await python(source)
    assert result.status in (Status.OK, Status.OUTPUT_LIMIT)
    assert result.wall_ms < 4000


@pytest.mark.parametrize(
    "source",
    [
        "file = open('big', 'wb')\nwhile True: file.write(b'x' * (1 << 20))",
        "n = 0\nwhile True:\n    open(str(n), 'w').close()\n    n += 1",
        "import os\nn = 0\nwhile True:\n    os.mkdir(str(n))\n    os.chdir(str(n))\n    n += 1",
    ],
    ids=["huge file", "many files", "deep folders"],
)
async def test_the_disk_is_bounded(python, source):
    limits = Limits(cpu_s=5, wall_s=10, memory_bytes=512 * MIB)
    result = await python(source, limits=limits)
    assert result.status in (Status.NONZERO_EXIT, Status.SIGNALLED, Status.TIME_LIMIT, Status.MEMORY_LIMIT), result


@pytest.mark.parametrize(
    "source",
    [
        "import time; time.sleep(60)",
        "import os, signal; os.kill(0, signal.SIGSTOP)",
        "while True: pass",
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "import signal\nfor n in set(range(1, 32)) - {9, 19}: signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
        "import os\nfor _ in range(8):\n    if os.fork() == 0: break\nwhile True: pass",
    ],
    ids=["sleep", "stop", "spin", "ignore SIGXCPU", "ignore everything", "spin in eight"],
)
async def test_time_runs_out(python, source):
    result = await python(source)
    assert result.status is Status.TIME_LIMIT
    assert result.wall_ms < 8000


async def test_input_that_nobody_reads_and_input_that_is_not_there(python):
    assert (await python("print('done')", b"x" * (8 * MIB))).stdout == b"done\n"
    assert (await python("import sys; print(len(sys.stdin.read()))")).stdout == b"0\n"


async def test_output_that_is_not_text_is_flagged_and_kept(python):
    result = await python("import sys; sys.stdout.buffer.write(b'ok \\xc3\\x28')")
    assert (result.status, result.stdout) == (Status.INVALID_OUTPUT, b"ok \xc3\x28")


async def test_nothing_and_imitation_are_only_output(python):
    assert (await python("")).stdout == b""
    frame = 'b"\\x00\\x00\\x00\\x10\\x00\\x00\\x00\\x00{\\"op\\":\\"done\\"}"'
    source = f"import os\nfor fd in range(1, 64):\n    try: os.write(fd, {frame})\n    except OSError: pass"
    result = await python(source)
    assert result.stdout == b'\x00\x00\x00\x10\x00\x00\x00\x00{"op":"done"}'
    assert result.status is Status.OK


HOSTILE_TO_THE_COMPILER = {
    "device": '#include "/dev/urandom"\nint main() {}',
    "zero device": '#include "/dev/zero"\nint main() {}',
    "itself": '#include "main.cpp"\nint main() {}',
    "templates": "template<int n> struct T { T<n + 1> *p; enum { v = sizeof(T<n + 1>::v) }; };\nint x = T<0>::v;",
    "wide templates": (
        "template<long n, long m> struct G { enum { v = G<n-1, m>::v + G<n-1, m+1>::v }; };\n"
        "template<long m> struct G<0, m> { enum { v = 1 }; };\nint x = G<800, 0>::v;"
    ),
    "macros": "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(x)))\nint x = B(B(B(B(1+)))) 1;",
    "messages": "#define E(x) undeclared_##x;\nint main() {\n" + "".join(f"E({n})\n" for n in range(50_000)) + "}",
    "huge array": "char data[1L << 40] = {1};\nint main() {}",
}


@pytest.mark.parametrize("name", HOSTILE_TO_THE_COMPILER)
async def test_a_program_against_the_compiler(containers, name):
    limits = Limits(cpu_s=3, wall_s=6, memory_bytes=512 * MIB, output_bytes=32 * MIB)
    program = Program("cpp", HOSTILE_TO_THE_COMPILER[name])
    result = await containers.run(Job(program, [Input()], compile_limits=limits))
    assert result.results[0].status in (Status.COMPILE_ERROR, Status.COMPILE_LIMIT)
    assert len(result.results[0].stderr) <= limits.error_bytes


async def test_a_binary_that_only_execve_finds_broken_is_wrong_and_no_fault_of_the_sandbox(cpp):
    source = '__attribute__((section(".interp"), used)) extern const char interp[] = "/nonexistent";\nint main() {}'
    ended = await cpp(source)
    assert (ended.status, ended.exit_code) == (Status.NONZERO_EXIT, 127)

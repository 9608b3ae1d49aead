"""Programs that look for what is not theirs: the agent, other jobs, the network, the next job."""

import asyncio
import json

import pytest

from escalade_sandbox.types import Input, Job, Limits, Program, Result, Status, Trust

pytestmark = pytest.mark.docker
LIMITS = Limits(cpu_s=5, wall_s=10)
LOOK = """
import os
print(sum(os.stat(f'/proc/{pid}').st_uid == os.getuid() for pid in os.listdir('/proc') if pid.isdigit()))
"""
TRY = """
import errno, os, socket, sys
def attempt(name, call):
    try:
        value = call()
    except OSError as error:
        print(name, errno.errorcode[error.errno])
    except BaseException as error:
        print(name, type(error).__name__)
    else:
        print(name, 'DONE', value)
"""


@pytest.fixture
def python(containers):
    async def run(source: str, **options: object) -> Result:
        result = (await containers.run(Job(Program("python", source), [Input()], LIMITS, **options))).results[0]
        return result

    return run


@pytest.fixture
def attempts(python):
    """What each attempt came to: an errno's name, or DONE."""

    async def run(source: str) -> dict[str, str]:
        result = await python(TRY + source)
        assert result.status is Status.OK, result
        return dict(line.split(" ", 1) for line in result.stdout.decode().splitlines())

    return run


async def test_the_agent_and_its_helpers_cannot_be_signalled_or_read(attempts):
    outcomes = await attempts("""
import signal
others = [pid for pid in os.listdir('/proc') if pid.isdigit() and os.stat(f'/proc/{pid}').st_uid != os.getuid()]
assert '1' in others and len(others) >= 3
for pid in others:
    attempt(f'kill:{pid}', lambda: os.kill(int(pid), signal.SIGKILL))
    attempt(f'stop:{pid}', lambda: os.kill(int(pid), signal.SIGSTOP))
    for name in ('environ', 'mem', 'maps', 'auxv', 'stack', 'syscall', 'io'):
        attempt(f'{name}:{pid}', lambda: open(f'/proc/{pid}/{name}', 'rb').read(1))
    for name in ('cwd', 'root', 'exe', 'ns/pid'):
        attempt(f'{name}:{pid}', lambda: os.readlink(f'/proc/{pid}/{name}'))
    attempt(f'fd:{pid}', lambda: os.listdir(f'/proc/{pid}/fd'))
    attempt(f'oom:{pid}', lambda: open(f'/proc/{pid}/oom_score_adj', 'w').write('1000'))
    attempt(f'priority:{pid}', lambda: os.setpriority(os.PRIO_PROCESS, int(pid), 19))
""")
    assert set(outcomes.values()) <= {"EPERM", "EACCES", "ENOENT"}, outcomes
    assert {value for name, value in outcomes.items() if name.startswith(("kill", "stop"))} == {"EPERM"}


async def test_nothing_outside_the_box_can_be_written(attempts):
    outcomes = await attempts("""
for path in ('/x', '/etc/x', '/tmp/x', '/usr/x', '/opt/escalade/x', '/root/x', '/var/x', '/home/x', '/run/x'):
    attempt(path, lambda: open(path, 'w'))
for path in ('/box/x', '/dev/x', '/dev/shm/x', '/proc/sys/kernel/x', '/sys/x', '/agent/x', '/sys/fs/cgroup/x'):
    attempt(path, lambda: open(path, 'w'))
for path in ('/opt/escalade/launcher', '/usr/bin/g++', '/usr/bin/python3', '/etc/passwd', '/proc/sys/kernel/hostname'):
    attempt(path, lambda: open(path, 'ab'))
attempt('mount', lambda: __import__('ctypes').CDLL(None).mount(b'x', b'/box', b'tmpfs', 0, None) and 1 / 0)
attempt('remove', lambda: os.remove('main.py'))
attempt('replace', lambda: os.rename('main.py', 'other.py'))
attempt('overwrite', lambda: open('main.py', 'w'))
""")
    assert "DONE" not in " ".join(outcomes.values()), outcomes
    assert set(outcomes.values()) <= {"EROFS", "EACCES", "EPERM", "ENOENT", "ZeroDivisionError"}, outcomes


async def test_the_agents_socket_is_not_there(attempts):
    outcomes = await attempts("""
attempt('list', lambda: os.listdir('/agent'))
attempt('connect', lambda: socket.socket(socket.AF_UNIX).connect('/agent/agent'))
attempt('engine', lambda: socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock'))
""")
    assert "DONE" not in " ".join(outcomes.values()), outcomes


async def test_there_is_no_network(attempts):
    outcomes = await attempts("""
attempt('tcp', lambda: socket.create_connection(('1.1.1.1', 53), 2))
attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53)))
attempt('six', lambda: socket.socket(socket.AF_INET6).connect(('2606:4700:4700::1111', 53)))
attempt('gateway', lambda: socket.create_connection(('172.17.0.1', 8700), 2))
attempt('metadata', lambda: socket.create_connection(('169.254.169.254', 80), 2))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
attempt('packet', lambda: socket.socket(17, socket.SOCK_RAW))
""")
    assert [outcomes[name] for name in ("tcp", "udp", "six", "gateway", "metadata")] == ["ENETUNREACH"] * 5, outcomes
    assert set(outcomes.values()) <= {"ENETUNREACH", "EPERM", "EAFNOSUPPORT"}, outcomes


async def test_system_calls_that_break_sandboxes_are_refused(attempts):
    outcomes = await attempts("""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0: raise OSError(ctypes.get_errno(), '')
    return result
calls = {'ptrace': (101, 0, 0, 0, 0), 'io_uring': (425, 8, 0), 'bpf': (321, 0, 0, 0), 'userns': (272, 0x10000000),
         'keyctl': (250, 0, 0), 'perf': (298, 0, 0, -1, -1, 0), 'userfaultfd': (323, 0), 'setns': (308, 0, 0),
         'shmget': (29, 1234, 4096, 0o1666), 'semget': (64, 1234, 1, 0o1666), 'msgget': (68, 1234, 0o1666),
         'mq_open': (240, b'x', 0o102, 0o666, 0), 'vm_readv': (310, 1, 0, 0, 0, 0, 0), 'chroot': (161, b'/box'),
         'clone3': (435, 0, 0), 'mount': (165, b'x', b'/box', b'tmpfs', 0, 0), 'reboot': (169, 0, 0, 0, 0)}
for name, arguments in calls.items():
    attempt(name, lambda: call(*arguments))
attempt('setuid', lambda: os.setuid(0))
attempt('setgroups', lambda: os.setgroups([0]))
""")
    assert set(outcomes.values()) <= {"EPERM", "ENOSYS", "EINVAL", "ENOENT"}, outcomes
    assert outcomes["ptrace"] == outcomes["io_uring"] == outcomes["shmget"] == outcomes["setuid"] == "EPERM"


async def test_a_setuid_file_gives_nothing(attempts):
    outcomes = await attempts("""
import shutil, stat
shutil.copy('/bin/sh', 'sh')
os.chmod('sh', 0o6777)
attempt('exec', lambda: os.execv('./sh', ['sh', '-p', '-c', 'id']))
status = open('/proc/self/status').read().splitlines()
print('privileges', [line.split()[1] for line in status if line.startswith(('NoNewPrivs', 'CapEff', 'CapPrm'))])
""")
    assert outcomes["exec"] == "EACCES"
    assert outcomes["privileges"] == "['0000000000000000', '0000000000000000', '1']"


async def test_what_is_left_behind_is_removed_and_never_followed(python):
    leave = """
import os
os.symlink('/etc', 'link')
os.symlink('/box', 'up')
os.mkfifo('fifo')
open('secret', 'w').write('x')
os.link('secret', 'hard')
os.makedirs('closed/inside')
open('closed/inside/file', 'w').close()
os.chmod('closed/inside', 0)
os.chmod('closed', 0)
here = os.getcwd()
for n in range(1500):
    os.mkdir('d')
    os.chdir('d')
print('left')
"""
    look = "import os\nprint(os.listdir('.'), os.path.exists('/etc/passwd'), os.getcwd())"
    assert (await python(leave)).stdout == b"left\n"
    for _ in range(3):
        assert (await python(look)).stdout == b"['main.py'] True /box/work\n"


async def test_a_daemon_of_one_job_is_not_there_for_the_next(python):
    plant = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        while True: time.sleep(1)
print('planted', flush=True)
os._exit(0)
"""
    assert (await python(plant)).stdout == b"planted\n"
    for _ in range(3):
        assert (await python(LOOK)).stdout == b"1\n"


async def test_a_daemon_whose_first_thread_has_ended_is_killed_too(containers, python):
    source = """
#include <pthread.h>
#include <unistd.h>
static void *spin(void *) { for (;;) pause(); }
int main() {
    if (fork() == 0) {
        setsid();
        pthread_t thread;
        pthread_create(&thread, 0, spin, 0);
        pthread_exit(0);
    }
    usleep(100000);
}
"""
    result = (await containers.run(Job(Program("cpp", source), [Input()] * 2))).results
    assert [one.status for one in result] == [Status.OK] * 2
    for _ in range(3):
        assert (await python(LOOK)).stdout == b"1\n"


async def test_compiled_in_files_show_no_secret(containers):
    source = """
#include <cstdio>
asm("data: .incbin \\"/etc/passwd\\"\\n.byte 0");
extern const char data[];
int main() { fputs(data, stdout); }
"""
    result = (await containers.run(Job(Program("cpp", source), [Input()]))).results[0]
    assert result.status in (Status.OK, Status.COMPILE_ERROR)
    assert b"root:x:" in result.stdout or result.status is Status.COMPILE_ERROR
    shadow = source.replace("/etc/passwd", "/etc/shadow")
    assert (await containers.run(Job(Program("cpp", shadow), [Input()]))).results[0].status is Status.COMPILE_ERROR


async def test_a_candidate_finds_no_reference_and_no_earlier_job(containers, python):
    marker = "reference-" + "7f3a9c"
    reference = f'#include <cstdio>\nint main() {{ puts("{marker}"); }}'
    for trust in Trust:
        job = Job(Program("cpp", reference), [Input(marker.encode())], trust=trust)
        assert (await containers.run(job)).results[0].status is Status.OK
        job = Job(Program("python", f"x = '{marker}'\nprint(len(x))"), [Input(marker.encode())], trust=trust)
        assert (await containers.run(job)).results[0].status is Status.OK
    search = """
import os, re, sys
# Spelt so that this program's own memory never holds what it looks for.
wanted = re.compile(b'reference-[7]f3a9[c]')
found = []
for line in open('/proc/self/maps'):
    bounds, rights, *_ = line.split()
    if 'r' not in rights or '[v' in line: continue
    start, end = (int(part, 16) for part in bounds.split('-'))
    memory = open('/proc/self/mem', 'rb', 0)
    memory.seek(start)
    try:
        data = memory.read(end - start)
    except OSError:
        continue
    if wanted.search(data): found.append(line)
    if b'main.py' in data: own = True
for top in ('/box', '/tmp', '/opt', '/dev', '/run', '/var', '/home', '/root', '/agent'):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if path == os.path.abspath('main.py') or not os.path.isfile(path): continue
            try:
                if wanted.search(open(path, 'rb').read()): found.append(path)
            except OSError: pass
print(found, own)
"""
    assert (await python(search)).stdout == b"[] True\n"


async def test_a_candidate_cannot_tell_which_run_or_instance_it_belongs_to(containers):
    source = """
import os, socket, sys
seen = [sorted(os.environ.items()), sys.argv, socket.gethostname(), os.getcwd(), os.listdir('.'), os.listdir('/')]
seen.append(open('/proc/1/cmdline').read().split(chr(0))[:-2])
print(seen)
"""
    outputs = set()
    for owner, domain in (("run-a", "attempt-1"), ("run-b", "attempt-2")):
        job = Job(Program("python", source), [Input()], owner=owner, domain=domain)
        result = (await containers.run(job)).results[0]
        outputs.add(result.stdout)
        tell = "print(open('/proc/self/mountinfo').read(), open('/proc/self/cgroup').read())"
        everything = Job(Program("python", tell), [Input()], owner=owner, domain=domain)
        shown = (await containers.run(everything)).results[0].stdout
        assert owner.encode() not in shown
        assert domain.encode() not in shown
    assert len(outputs) == 1


async def test_ten_candidates_at_once_do_not_read_each_other(containers):
    source = """
import os, sys, time, glob
mine = sys.stdin.read()
open('mine.txt', 'w').write(mine)
others = set()
until = time.monotonic() + 0.3
while time.monotonic() < until:
    for pid in os.listdir('/proc'):
        if not pid.isdigit() or int(pid) == os.getpid(): continue
        for name in ('environ', 'fd/0', 'cwd/mine.txt', 'root/box/work/mine.txt'):
            try: others.add(open(f'/proc/{pid}/{name}').read())
            except OSError: pass
    for path in glob.glob('/box/**/*.txt', recursive=True):
        others.add(open(path).read())
print(sorted(others - {mine, ''}), open('mine.txt').read())
"""
    jobs = [Job(Program("python", source), [Input(f"secret-{n}".encode())], LIMITS, domain=str(n)) for n in range(10)]
    results = await asyncio.gather(*map(containers.run, jobs))
    assert [result.results[0].stdout for result in results] == [f"[] secret-{n}\n".encode() for n in range(10)]


async def test_after_all_this_a_thousand_inputs_are_still_right(containers):
    source = "#include <iostream>\nint main() { long long n; std::cin >> n; std::cout << n * n; }"
    inputs = [Input(str(n).encode()) for n in range(500)]
    for trust in Trust:
        result = await containers.run(Job(Program("cpp", source), inputs, trust=trust))
        assert [int(one.stdout) for one in result.results] == [n * n for n in range(500)]
    calls = [Input(json.dumps({"arguments": [n], "seed": n}).encode()) for n in range(200)]
    result = await containers.run(Job(Program("python", "def f(n): return n * n", function="f"), calls))
    assert [int(one.stdout) for one in result.results] == [n * n for n in range(200)]

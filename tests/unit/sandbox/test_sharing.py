"""Which modules' calls may share a process."""

import ast

import pytest

from escalade_sandbox.agent.sharing import may_share

STARS = "".join(
    f"from {name} import *\n"
    for name in ("string", "re", "datetime", "collections", "math", "random", "io", "sys", "json", "builtins", "typing")
)
HARMLESS = {
    "the usual": "import random, string\ndef f(p):\n    return random.choice(string.ascii_lowercase), {}",
    "stars": STARS + "def f(p):\n    seed(3)\n    return str(randint(1, 2)), {'n': floor(pi)}",
    "state of its own": "n = 0\nseen = {}\ndef f(p):\n    global n\n    n += 1\n    seen[p] = n\n    return 1",
    "classes": "class Node:\n    def __init__(self): self.left = None\ndef f(p):\n    n = Node()\n    n.left = n",
    "recursion": "import sys\nsys.setrecursionlimit(10**6)\ndef f(p): return sys.maxsize",
    "a text file": "import io\ndef f(p):\n    out = io.StringIO()\n    print(1, file=out)\n    return out.getvalue()",
    "a familiar variable": "def f(p):\n    input = '3'\n    id = 4\n    return input * id",
    "a function by another name": "import random\nrandint = random.randint\ndef f(p): return randint(1, p)",
    "the main guard": "def f(p): return 1\nif __name__ == '__main__':\n    print(f(1))",
    "a class of a module of its name": "from datetime import datetime\ndef f(p): return datetime(2000, 1, p).day",
}
REFUSED = {
    "another module": "import os\ndef f(p): return 1",
    "a file beside it": "import helper\ndef f(p): return 1",
    "a relative module": "from . import helper",
    "decimal's context": "import decimal\ndecimal.getcontext().prec = 5",
    "a changed module": "import random\ndef f(p):\n    random.seed = None",
    "a changed class": "from collections import Counter\ndef f(p):\n    Counter.seen = p",
    "a changed class by another name": "from collections import Counter\nC = Counter\ndef f(p):\n    C.seen = p",
    "a changed table": "import json\ndef f(p):\n    json.encoder.ESCAPE_DCT['x'] = p",
    "a module passed on": "import random\ndef f(p):\n    return g(random)",
    "a module's module": "import dataclasses\ndef f(p):\n    dataclasses.sys.path.append(p)",
    "a hidden part": "import random\ndef f(p):\n    random._inst.x = p",
    "files": "def f(p):\n    open('x', 'a').write('y')",
    "files by a star": "from io import *\ndef f(p):\n    FileIO('x', 'w')",
    "the path by a star": "from sys import *\ndef f(p):\n    path.append(p)",
    "a stream": "import sys\ndef f(p):\n    sys.stdout = None",
    "code": "def f(p):\n    exec('import os')",
    "an import by name": "def f(p):\n    return __import__('os')",
    "setattr": "import random\ndef f(p):\n    setattr(f, 'x', p)",
    "getattr": "import random\ndef f(p):\n    return getattr(f, '__globals__')",
    "builtins": "def f(p):\n    __builtins__['len'] = p",
    "an object's insides": "def f(p):\n    f.__globals__['x'] = p",
    "a finalizer": "import random\nclass A:\n    def __del__(self): random.random()",
    "addresses": "def f(p): return id(p)",
    "deleted": "import string\ndef f(p):\n    del string.digits",
}


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS)
def test_what_nothing_later_can_see_may_share(source):
    assert may_share(ast.parse(source))


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_what_could_outlast_a_call_may_not(source):
    assert not may_share(ast.parse(source))

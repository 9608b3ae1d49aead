"""What the package shows and what it needs."""

import inspect
import subprocess
import sys

import escalade
from escalade import errors, types
from escalade._fields import AttemptFields, RunFields, ScoreItemFields


def test_all_names_every_public_member():
    for module in (escalade, types):
        members = {
            name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)
        }
        assert members == set(module.__all__)
    assert escalade.__all__ == sorted(escalade.__all__)
    assert set(errors.__all__) <= set(escalade.__all__)


def test_every_public_name_says_what_it_is():
    for module in (escalade, types):
        classes = [getattr(module, name) for name in module.__all__ if inspect.isclass(getattr(module, name))]
        assert len(classes) > 10
        # Not inherited, which would say what another class is.
        assert [kind for kind in classes if not (kind.__doc__ and kind.__doc__ != kind.__mro__[1].__doc__)] == []


def test_every_error_is_an_escalade_error_with_its_own_code():
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, escalade.EscaladeError) for kind in kinds)
    assert len({kind.default_code for kind in kinds}) == len(kinds)


def public(kind):
    return {name: value for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_both_clients_have_the_same_methods_with_the_same_arguments():
    sync, asynchronous = public(escalade.Client), public(escalade.AsyncClient)
    assert sync.keys() == asynchronous.keys()
    for name in sync:
        ours, theirs = inspect.signature(sync[name]), inspect.signature(asynchronous[name])
        assert ours.parameters == theirs.parameters, name
        assert inspect.getdoc(sync[name]) == inspect.getdoc(asynchronous[name]), name
        assert inspect.getdoc(sync[name])


def test_every_setting_of_a_run_can_be_given():
    assert set(RunFields.__annotations__) == set(types.RunRequest.model_fields) - {"name"}


def test_every_field_of_an_item_can_be_given():
    assert set(AttemptFields.__annotations__) == set(types.AttemptReport.model_fields)
    assert set(ScoreItemFields.__annotations__) == set(types.ScoreItem.model_fields)


def test_importing_the_sdk_needs_httpx_and_pydantic_alone():
    code = (
        "import sys\n"
        "for name in ('typer', 'rich', 'fastapi', 'starlette', 'sqlalchemy', 'torch', 'numpy', 'yaml'):\n"
        "    sys.modules[name] = None\n"
        "import escalade\n"
        "escalade.Client('http://127.0.0.1:9', 'key').close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

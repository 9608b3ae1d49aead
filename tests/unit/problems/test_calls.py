"""How generators are called, from the calls in their source."""

from hypothesis import given
from hypothesis import strategies as st

from escalade_server.problems.definition import Parameter
from escalade_server.problems.formats.calls import split_command, template_of
from escalade_server.problems.problem import Call


def calls(*commands: str) -> list[Call]:
    return [Call(arguments=split_command(command)) for command in commands]


def test_options_in_every_usual_form():
    for form in ("-n {} -m 3", "--n {} --m 3", "-n={} -m=3", "--n={} --m=3", "n={} m=3"):
        template = template_of(calls(form.format(5), form.format(80)), "", seed_last=False)
        assert template is not None
        assert template.parameters == {"n": Parameter(minimum=5, maximum=80)}
        assert " ".join(template.arguments) == form.format("{n}")


def test_positions_are_named_by_the_program_alone():
    source = "int size = atoi(argv[1]), kind = opt<int>(2);"
    template = template_of(calls("10 1", "99 1", "50 2"), source, seed_last=True)
    assert template is not None
    assert template.arguments == ("{size}", "{kind}", "{seed}")
    assert template_of(calls("10 1", "99 1"), "", seed_last=True) is None
    python = template_of(calls("10", "99"), "n = int(sys.argv[1])", seed_last=False)
    assert python is not None
    assert python.arguments == ("{n}",)


def test_a_seed_is_no_scale_parameter():
    template = template_of(calls("-n 1 -seed 5", "-n 2 -seed 6"), "", seed_last=True)
    assert template is not None
    assert template.arguments == ("-n", "{n}", "-seed", "{seed}")
    marked = template_of(calls("--n 1 x{seed:4}", "--n 2 x{seed}"), "", seed_last=True)
    assert marked is not None
    assert marked.arguments == ("--n", "{n}", "x{seed}")
    assert template_of(calls("--seed 1", "--seed 2"), "", seed_last=True) is None


def test_the_most_common_form_wins():
    template = template_of(calls("-n 1 tree", "-n 2 path", "-n 3 path", "-n 9 path"), "", seed_last=False)
    assert template is not None
    assert template.arguments == ("-n", "{n}", "path")
    assert template.parameters == {"n": Parameter(minimum=2, maximum=9)}


def test_numbers_that_never_change_stay_as_they_are():
    assert template_of(calls("-n 5", "-n 5"), "", seed_last=False) is None
    assert template_of([], "", seed_last=True) is None


def test_negative_numbers_and_names_with_dashes():
    template = template_of(calls("--max-value -5 -n 1", "--max-value 7 -n 1"), "", seed_last=False)
    assert template is not None
    assert template.arguments == ("--max-value", "{max_value}", "-n", "1")
    assert template.parameters == {"max_value": Parameter(minimum=-5, maximum=7)}


WORDS = st.sampled_from(["-n", "--m=3", "7", "-12", "x=5", "{seed}", "seed=3", "{", "}{n}", "tree", "--n", "=", "-"])


@given(commands=st.lists(st.lists(WORDS, max_size=6), max_size=6), source=st.text(max_size=60), last=st.booleans())
def test_filling_a_template_in_gives_one_of_the_calls_again(commands, source, last):
    known = calls(*(" ".join(words) for words in commands))
    template = template_of(known, source, seed_last=last)
    if template is None:
        return
    assert template.parameters
    for parameter in template.parameters.values():
        assert parameter.minimum < parameter.maximum
    text = " ".join(template.arguments)
    assert all("{" + name + "}" in text for name in template.parameters)
    rest = text.replace("{seed}", "")
    for name in template.parameters:
        rest = rest.replace("{" + name + "}", "")
    assert "{" not in rest
    assert "}" not in rest

"""The small model: written at once or token by token, alone or in a batch, it says the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from escalade.trainer.model import END, PAD, START, UNKNOWN, ModelConfig, Tokenizer, Transformer, sample

ROWS = [[7, 8, 9, 10, 11, 12, 13], [20, 21], [30, 31, 32, 33]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(5)
    made = Transformer(ModelConfig(layers=2, heads=2, width=32))
    for weight in made.parameters():  # a new model's blocks do nothing yet
        torch.nn.init.normal_(weight, std=0.3)
    return made


def padded(rows):
    width = max(map(len, rows))
    tokens = torch.tensor([[PAD] * (width - len(row)) + row for row in rows])
    return tokens, tokens != PAD


def written(model, *, seed=3, temperature=1.0, rows=ROWS, rollouts=3):
    tokens, mask = padded(rows)
    generator = torch.Generator().manual_seed(seed)
    return sample(model, tokens, mask, rollouts=rollouts, max_tokens=9, temperature=temperature, generator=generator)


@torch.no_grad()
def plain_logprobs(model, prompt, rollout):
    """Log probabilities of a rollout's tokens by one causal pass over prompt and rollout together."""
    row = torch.tensor([[*prompt, START, *rollout[:-1]]])
    past = model.read(row[:, :1], torch.ones(1, 1, dtype=torch.bool))
    # All but the first token are written, so that every token's logits come out; nothing is shared or padded.
    logits = model.write(row[:, None, 1:], past)[0, 0, len(prompt) - 1 :]
    return torch.log_softmax(logits, -1)[torch.arange(len(rollout)), torch.tensor(rollout)]


@torch.no_grad()
def test_sampling_with_the_cache_equals_the_full_forward_pass(model):
    tokens, logprobs = written(model)
    for group, prompt in enumerate(ROWS):
        for rollout in range(3):
            row = tokens[group, rollout].tolist()
            row = row[: row.index(END) + 1] if END in row else row
            expected = plain_logprobs(model, prompt, row)
            torch.testing.assert_close(logprobs[group, rollout, : len(row)], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_writing_at_once_equals_writing_token_by_token(model):
    prompts, mask = padded(ROWS)
    rollouts = torch.randint(4, 90, (3, 2, 6), generator=torch.Generator().manual_seed(1))
    at_once = model.write(rollouts, model.read(prompts, mask))
    past = model.read(prompts, mask)
    one_by_one = torch.cat([model.write(rollouts[:, :, i : i + 1], past, keep=True) for i in range(6)], 2)
    torch.testing.assert_close(at_once, one_by_one, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_neighbours_and_padding_change_nothing(model):
    rollouts = torch.randint(4, 90, (3, 2, 6), generator=torch.Generator().manual_seed(2))
    together = model.write(rollouts, model.read(*padded(ROWS)))
    for group, row in enumerate(ROWS):
        alone = model.write(rollouts[group : group + 1], model.read(*padded([row])))
        torch.testing.assert_close(together[group : group + 1], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_only_distances_matter_to_the_positions(model):
    prompts, mask = padded([ROWS[0]])
    places = torch.arange(7)[None]
    rollout = torch.tensor([[[START, 40, 41]]])
    here = model.write(rollout, model.read(prompts, mask, positions=places))
    there = model.write(rollout, model.read(prompts, mask, positions=places + 500))
    torch.testing.assert_close(here, there, atol=1e-3, rtol=1e-3)


def test_the_same_generator_writes_the_same(model):
    assert torch.equal(written(model)[0], written(model)[0])
    assert not torch.equal(written(model)[0], written(model, seed=4)[0])


def test_after_its_end_a_rollout_is_padding(model):
    tokens, logprobs = written(model, rollouts=64, rows=[[5, 6]])
    ended = 0
    for row, chances in zip(tokens[0].tolist(), logprobs[0].tolist(), strict=True):
        if END in row:
            end = row.index(END)
            ended += 1
            assert set(row[end + 1 :]) <= {PAD}
            assert all(chance == 0.0 for chance in chances[end + 1 :])
    assert ended, "the seed should make some of 64 rollouts end early"


def test_temperature_zero_takes_the_likeliest(model):
    assert torch.equal(written(model, temperature=0.0)[0], written(model, temperature=0.0, seed=9)[0])
    assert (written(model, temperature=0.0)[0][:, :1] == written(model, temperature=0.0)[0]).all()


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n")))
def test_printable_text_comes_back(text):
    tokenizer = Tokenizer()
    assert tokenizer.decode([*tokenizer.encode(text), END, 9, 9]) == text


def test_other_characters_are_unknown_and_never_fail():
    assert Tokenizer().encode("a\u00e9\U0001f600\0") == [*Tokenizer().encode("a"), UNKNOWN, UNKNOWN, UNKNOWN]


def test_a_known_first_line_is_one_token():
    tokenizer = Tokenizer(("coin-row", "podium"))
    assert len(tokenizer.encode("coin-row\n3")) == 2
    assert tokenizer.decode(tokenizer.encode("coin-row\n3")) == "coin-row3"
    assert len(tokenizer.encode("other-row\n3")) == len("other-row\n3")
    assert tokenizer.size == Tokenizer().size + 2

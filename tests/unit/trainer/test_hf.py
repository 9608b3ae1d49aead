"""Models of Hugging Face, with a tiny one made from a configuration: nothing is downloaded."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from escalade.trainer import saving
from escalade.trainer.hf import HFPolicy, ModelUnavailable
from escalade.trainer.policies import Sampling
from escalade.types import Message

CPU = torch.device("cpu")
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tiny(*, template=TEMPLATE, prompts_at_once=8):
    letters = ["<pad>", "<end>", "?", *"abcdefghijklmnopqrstuvwxyz0123456789<>\n"]
    built = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="?"))
    built.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=built, pad_token="<pad>", eos_token="<end>", unk_token="?", chat_template=template
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        vocab_size=len(letters), max_position_embeddings=128, eos_token_id=1, pad_token_id=0, initializer_range=0.4,
    )  # fmt: skip
    return HFPolicy(LlamaForCausalLM(config), tokenizer, device=CPU, prompts_at_once=prompts_at_once)


def asked(*texts):
    return [[Message(role="user", content=text)] for text in texts]


def sampled(policy, *texts, rollouts=4, max_tokens=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return policy.sample(asked(*texts), rollouts=rollouts, sampling=Sampling(max_tokens, 1.0), generator=generator)


def test_conversations_go_through_the_chat_template():
    policy = tiny()
    tokens, mask = policy.prompt_tokens(asked("ab", "abcd"))
    assert policy.tokenizer.decode(tokens[1]).replace(" ", "") == "<user>abcd<assistant>"
    assert mask.sum(1).tolist() == [19, 21]
    assert tokens[0, :2].tolist() == [policy.pad, policy.pad], "padded on the left"


def test_without_a_template_the_texts_are_joined():
    policy = tiny(template=None)
    tokens, _ = policy.prompt_tokens(asked("ab"))
    assert policy.tokenizer.decode(tokens[0]).replace(" ", "") == "ab\n\n"


def test_the_kept_log_probabilities_are_those_that_training_computes():
    policy = tiny()
    rollouts = sampled(policy, "abc", "defghij", "k")
    assert rollouts.tokens.shape[:2] == (3, 4)
    again = policy.logprobs(rollouts).detach()
    torch.testing.assert_close(again * rollouts.mask, rollouts.logprobs, atol=1e-5, rtol=1e-5)


def test_padding_and_neighbours_change_no_log_probability():
    policy = tiny()
    rollouts = sampled(policy, "abc", "defghij", "k")
    for group in range(3):
        alone = policy.logprobs(rollouts.take([group])).detach()
        length = alone.shape[2]
        mask = rollouts.mask[group : group + 1, :, :length]
        torch.testing.assert_close(alone * mask, rollouts.logprobs[group : group + 1, :, :length], atol=1e-5, rtol=1e-5)


def test_sampling_follows_the_generator_and_not_the_global_one():
    policy = tiny(prompts_at_once=1)
    torch.manual_seed(1)
    first = sampled(policy, "abc", "de")
    torch.manual_seed(2)
    assert torch.equal(first.tokens, sampled(policy, "abc", "de").tokens)
    assert not torch.equal(first.tokens, sampled(policy, "abc", "de", seed=5).tokens)


@pytest.mark.parametrize(
    "own",
    [
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 1},
        {"min_p": 0.3},
        {"suppress_tokens": [5, 6, 7]},
        {"bad_words_ids": [[5], [6]]},
        {"min_new_tokens": 3},
        {"sequence_bias": [[[5], 3.0]]},
    ],
    ids=lambda own: next(iter(own)),
)
def test_sampling_and_the_kept_log_probabilities_leave_the_models_own_penalties_out(own):
    policy = tiny()
    plain = sampled(policy, "abcdefgh", rollouts=64)
    policy.module.generation_config.update(**own)
    rollouts = sampled(policy, "abcdefgh", rollouts=64)
    assert torch.equal(rollouts.tokens, plain.tokens)
    assert policy.module.generation_config.to_dict().items() >= own.items(), "they are saved with the model"


def test_tokens_are_sampled_as_often_as_their_log_probabilities_say():
    policy = tiny()
    policy.module.generation_config.update(repetition_penalty=1.5)
    rollouts = sampled(policy, "abcdefgh", rollouts=4_000, max_tokens=1)
    tokens, logprobs = rollouts.tokens[0, :, 0], rollouts.logprobs[0, :, 0]
    for token in tokens.unique():
        share = float((tokens == token).float().mean())
        assert share == pytest.approx(float(logprobs[tokens == token][0].exp()), abs=0.04)


def test_rollouts_end_with_their_end_and_never_pass_the_limit():
    policy = tiny()
    rollouts = sampled(policy, "abc", rollouts=32, max_tokens=20)
    lengths = rollouts.mask.sum(2)
    assert int(lengths.max()) <= 20
    assert int(lengths.min()) < 20, "the seed should make one of 32 end early"
    for row, length in zip(rollouts.tokens[0].tolist(), lengths[0].tolist(), strict=True):
        assert policy.ends[0] not in row[: length - 1]


def test_a_step_of_training_makes_rewarded_rollouts_likelier():
    policy = tiny()
    rollouts = sampled(policy, "abc", rollouts=8)
    optimiser = torch.optim.SGD(policy.module.parameters(), lr=1e-3)
    wanted = torch.zeros(1, 8)
    wanted[0, 0] = 1.0
    before = policy.logprobs(rollouts)
    (-(before * rollouts.mask).sum(2) * wanted).sum().backward()
    optimiser.step()
    after = (policy.logprobs(rollouts).detach() * rollouts.mask).sum(2)
    assert after[0, 0] > (before.detach() * rollouts.mask).sum(2)[0, 0]


def test_a_saved_model_writes_the_same(tmp_path):
    policy = tiny()
    saving.save_model(tmp_path / "model", policy)
    loaded = HFPolicy.load(str(tmp_path / "model"), device=CPU, dtype="float32")
    ask = {"rollouts": 2, "sampling": Sampling(6, 1.0), "seed": 3}
    assert loaded.write(asked("abc", "de"), **ask) == policy.write(asked("abc", "de"), **ask)


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"`model.name`: .*nothing"):
        HFPolicy.load(str(tmp_path / "nothing"), device=CPU, dtype="float32")

"""The loss, against figures worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from escalade.trainer.grpo import Clip, advantages, informative, loss

NAN = float("nan")


def test_a_group_teaches_if_two_known_rewards_differ():
    rewards = torch.tensor(
        [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, NAN], [NAN, 0.0, 1.0], [NAN, NAN, 1.0], [NAN, NAN, NAN]]
    )
    assert informative(rewards).tolist() == [True, False, False, True, False, False]


def test_advantages_are_distances_from_the_groups_mean():
    found = advantages(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), "mean")
    assert found.tolist() == [[0.75, -0.25, -0.25, -0.25]]


def test_advantages_divided_by_the_deviation():
    # mean 1/4, deviation sqrt(3)/4: 0.75 / 0.4330 = sqrt(3)
    found = advantages(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), "mean_std")
    assert found[0].tolist() == pytest.approx([math.sqrt(3), *[-1 / math.sqrt(3)] * 3], rel=1e-3)


def test_a_rollout_without_a_reward_has_no_advantage_and_moves_no_mean():
    found = advantages(torch.tensor([[1.0, NAN, 0.0], [NAN, NAN, NAN]]), "mean")
    assert found.tolist() == [[0.5, 0.0, -0.5], [0.0, 0.0, 0.0]]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, NAN]), min_size=4, max_size=4), min_size=1, max_size=5))
def test_advantages_are_finite_and_add_up_to_nothing(rewards):
    for normalise in ("mean", "mean_std"):
        found = advantages(torch.tensor(rewards), normalise)
        assert found.isfinite().all()
        assert found.sum(1).abs().max() < 1e-3


def one_token(ratio, advantage, **settings):
    """The loss and its slope for a single token whose probability changed by `ratio`."""
    old = torch.tensor([[math.log(0.2)]])
    new = (old + math.log(ratio)).requires_grad_()
    found = loss(
        new, old, torch.tensor([advantage]), torch.tensor([[True]]), clip=Clip(0.2, 0.28), tokens=1, **settings
    )
    (slope,) = torch.autograd.grad(found.total, new)
    return float(found.total.detach()), float(slope), float(found.clipped)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope", "clipped"),
    [
        (1.0, 2.0, -2.0, -2.0, 0.0),
        (1.2, 2.0, -2.4, -2.4, 0.0),  # inside the high clip
        (1.5, 2.0, -2.56, 0.0, 1.0),  # 1.28 * 2, and no further push up
        (0.5, 2.0, -1.0, -1.0, 0.0),  # a fallen good token may come back
        (0.9, -2.0, 1.8, 1.8, 0.0),
        (0.5, -2.0, 1.6, 0.0, 1.0),  # 0.8 * 2, and no further push down
        (1.5, -2.0, 3.0, 3.0, 0.0),  # a risen bad token may fall
    ],
)
def test_the_ratio_is_clipped_on_the_side_that_would_go_on(ratio, advantage, value, slope, clipped):
    assert one_token(ratio, advantage) == (pytest.approx(value), pytest.approx(slope), pytest.approx(clipped))


def test_the_loss_is_the_mean_over_all_tokens_not_over_rollouts():
    # one rollout of 3 tokens that is right, one of 1 that is wrong: (3 * -1 + 1 * 1) / 4
    zeros = torch.zeros(2, 3)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = loss(zeros, zeros, torch.tensor([1.0, -1.0]), mask, clip=Clip(), tokens=4)
    assert float(found.total) == pytest.approx(-0.5)


def test_parts_add_up_to_the_whole():
    generator = torch.Generator().manual_seed(1)
    new, old = (torch.randn(4, 5, generator=generator) for _ in range(2))
    advantage = torch.randn(4, generator=generator)
    mask = torch.rand(4, 5, generator=generator) < 0.7
    tokens = int(mask.sum())
    whole = loss(new, old, advantage, mask, clip=Clip(), tokens=tokens, reference=old, kl=0.1)
    parts = [
        loss(new[a:b], old[a:b], advantage[a:b], mask[a:b], clip=Clip(), tokens=tokens, reference=old[a:b], kl=0.1)
        for a, b in ((0, 1), (1, 4))
    ]
    assert sum(float(part.total) for part in parts) == pytest.approx(float(whole.total), rel=1e-5)
    assert sum(float(part.kl) for part in parts) == pytest.approx(float(whole.kl), rel=1e-5)


def test_the_distance_from_the_reference_is_schulmans_third_estimator():
    # reference/new = 2: k3 = 2 - ln 2 - 1
    new = torch.tensor([[math.log(0.2)]])
    reference = torch.tensor([[math.log(0.4)]])
    found = loss(
        new, new, torch.tensor([0.0]), torch.tensor([[True]]), clip=Clip(), tokens=1, reference=reference, kl=0.5
    )
    assert float(found.kl) == pytest.approx(1 - math.log(2))
    assert float(found.total) == pytest.approx(0.5 * (1 - math.log(2)))


def test_padding_and_empty_rollouts_bring_no_nan_into_the_gradient():
    new = torch.tensor([[-1.0, -torch.inf], [-torch.inf, -torch.inf]]).requires_grad_()
    old = torch.tensor([[-1.0, 0.0], [0.0, 0.0]])
    mask = torch.tensor([[True, False], [False, False]])
    found = loss(new, old, torch.tensor([1.0, -1.0]), mask, clip=Clip(), tokens=1, reference=old, kl=0.1)
    (slope,) = torch.autograd.grad(found.total, new)
    assert slope.tolist() == [[-1.0, 0.0], [0.0, 0.0]]


def test_a_step_without_any_token_is_a_loss_of_nothing():
    empty = torch.zeros(2, 1)
    found = loss(empty, empty, torch.tensor([1.0, -1.0]), torch.zeros(2, 1, dtype=torch.bool), clip=Clip(), tokens=0)
    assert float(found.total) == 0.0

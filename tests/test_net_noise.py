from __future__ import annotations

import math

import torch

from oscbend.net.noise import Fields

SHAPE = (4, 7, 9)
CPU = torch.device("cpu")


def test_one_seed_is_what_diffusers_draws_one_draw_after_the_other() -> None:
    from diffusers.utils.torch_utils import randn_tensor

    generators = [torch.Generator().manual_seed(s) for s in (3, 4)]
    fields = Fields(CPU)
    for index in range(3):
        expected = randn_tensor((2, *SHAPE), generator=generators)
        assert torch.equal(fields.mix((((3, 1.0),), ((4, 1.0),)), SHAPE, index), expected)


def test_a_later_draw_can_be_asked_for_first() -> None:
    late = Fields(CPU).draw(3, SHAPE, 2)
    fields = Fields(CPU)
    for index in range(3):
        fields.draw(3, SHAPE, index)
    assert torch.equal(fields.draw(3, SHAPE, 2), late)


def test_a_recipe_is_the_sum_of_its_parts() -> None:
    fields = Fields(CPU)
    a, b = math.cos(0.3), math.sin(0.3)
    mixed = fields.mix((((1, a), (2, b)),), SHAPE, 1)
    expected = a * fields.draw(1, SHAPE, 1) + b * fields.draw(2, SHAPE, 1)
    torch.testing.assert_close(mixed, expected)


def test_a_part_without_weight_is_left_out_exactly() -> None:
    fields = Fields(CPU)
    assert torch.equal(fields.mix((((1, 1.0), (2, 0.0)),), SHAPE, 0), fields.draw(1, SHAPE, 0))


def test_a_negative_coefficient_turns_the_field_over() -> None:
    fields = Fields(CPU)
    assert torch.equal(fields.mix((((1, -1.0),),), SHAPE, 0), -fields.draw(1, SHAPE, 0))


def test_a_field_is_drawn_once() -> None:
    fields = Fields(CPU)
    assert fields.draw(1, SHAPE, 0) is fields.draw(1, SHAPE, 0)


def test_only_so_many_seeds_are_kept() -> None:
    fields = Fields(CPU, room=3)
    for seed in range(10):
        fields.draw(seed, SHAPE, 0)
    assert len(fields._kept) == 3
    assert torch.equal(fields.draw(0, SHAPE, 0), Fields(CPU).draw(0, SHAPE, 0))

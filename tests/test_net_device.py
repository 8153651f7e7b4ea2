from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from oscbend.net.device import settle


def settings() -> tuple[bool, ...]:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    return cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, products.allow_tf32


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = settings()
    yield
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, products.allow_tf32 = before


def test_a_film_is_computed_in_the_same_way_each_time() -> None:
    settle(torch.device("cuda"), live=False)
    assert settings() == (False, True, False, False)


def test_a_show_is_computed_as_fast_as_can_be() -> None:
    settle(torch.device("cuda"), live=True)
    assert settings() == (False, False, True, True)


def test_the_processor_is_left_alone() -> None:
    before = settings()
    settle(torch.device("cpu"), live=False)
    settle(torch.device("cpu"), live=True)
    assert settings() == before

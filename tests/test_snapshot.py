"""What other threads may read of a show."""

from __future__ import annotations

from typing import Any

import pytest
from watched import Watched

from oscbend.commands import addresses, find
from oscbend.commands.server import readable
from oscbend.snapshot import Snapshot


def read(snapshot: Snapshot, address: str) -> tuple[Any, ...]:
    row, captured = find(address)
    assert row.read is not None
    return row.read(snapshot.show, **captured)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_one_is_taken_in_every_frame_with_what_came_before_it(watched: Watched) -> None:
    assert read(watched(("/seed", 3.0)), "/seed") == (3.0,)
    assert read(watched(), "/seed") == (3.0,)
    assert len(watched.seen) == 2
    assert watched.seen[0].time_s == pytest.approx(0.05)


def test_nothing_in_it_changes_afterwards(watched: Watched) -> None:
    before = watched(("/feature/rms", 0.25), ("/seed", 3.0), ("/bend/1", "add", "latent.0"))
    watched(("/feature/rms", 0.75), ("/feature/flux", 1.0), ("/seed", 4.0), ("/bend/free",))
    assert read(before, "/seed") == (3.0,)
    assert read(before, "/feature/rms") == (0.25,)
    assert "/feature/flux" not in addresses(before.show)
    assert "/bend/1/r" in addresses(before.show)


def test_a_mapped_control_has_the_value_of_the_frame(watched: Watched) -> None:
    watched(("/feature/rms/range", 0.0, 1.0), ("/feature/rms", 0.5), ("/bend/1", "add", "latent.0"))
    seen = watched(("/bend/1/r/map", "rms", 0.0, 3.0))
    assert read(seen, "/bend/1/r") == pytest.approx((1.5,))


def test_a_mapped_control_of_a_bend_that_is_off_has_its_value_too(watched: Watched) -> None:
    watched(("/feature/rms/range", 0.0, 1.0), ("/feature/rms", 0.5), ("/bend/1", "add", "latent.0"))
    seen = watched(("/bend/1/r/map", "rms", 0.0, 3.0), ("/bend/1/on", 0))
    assert read(seen, "/bend/1/r") == pytest.approx((1.5,))


def test_whatever_can_be_asked_reads_the_same_from_a_snapshot(watched: Watched) -> None:
    seen = watched(
        ("/feature/bands", 0.1, 0.2, 0.3),
        ("/feature/bands/smooth", 0.1, 0.2, 3, 0.1),
        ("/bend/1", "rotate", "latent.0", 0.5),
        ("/bend/1/angle", 1.0),
        ("/bend/2", "erode", "unet.mid.attn"),
        ("/bend/3", "matrix", "latent.*"),
        ("/prompt/2", "a forest"),
        ("/prompt/2/weight", 0.5),
        ("/steps", 0, 16, 32),
    )
    asked = [a for a in addresses(seen.show) if readable(a)]
    assert len(asked) > 30
    for address in asked:
        told = watched.asked(address)
        expected = read(seen, address)
        assert told == pytest.approx(expected) if not isinstance(told[0], str) else told == expected, address


def test_its_structure_is_the_same_while_only_values_change(watched: Watched) -> None:
    first = watched(("/feature/rms", 0.5), ("/bend/1", "add", "latent.0"))
    values = watched(("/feature/rms", 0.7), ("/bend/1/r", 0.5), ("/bend/1/r/map", "rms"), ("/seed", 5.0))
    assert values.structure == first.structure
    assert watched(("/bend/1/op", "multiply")).structure != first.structure
    assert watched(("/feature/flux", 0.7)).structure != watched.seen[-2].structure


def test_sites_resolve_and_scale_without_the_stage(watched: Watched) -> None:
    seen = watched()
    assert seen.stage.resolve("unet.*", seen.state) == watched.loop.stage.resolve("unet.*", seen.state)
    assert seen.stage.scale("unet.in", seen.state) == 2.0
    assert seen.stage.scale("latent.0", seen.state) == 1.0
    assert seen.stage.site_names(seen.state) == watched.loop.stage.site_names(seen.state)


def test_the_sites_are_made_anew_only_when_they_are_others(watched: Watched) -> None:
    assert watched().stage is watched(("/seed", 5.0)).stage
    assert watched(("/steps", 3)).stage is not watched.seen[0].stage

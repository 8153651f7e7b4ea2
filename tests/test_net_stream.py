from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from drawing import structure, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscbend import bends
from oscbend.engine import Engine
from oscbend.errors import BadValue, UnknownName
from oscbend.frame import Armed, Structure, Values
from oscbend.net.model import Model
from oscbend.net.network import Eager
from oscbend.net.sampler import SAMPLERS
from oscbend.net.stream import Arrival, Lost, Stream
from oscbend.net.walk import Bends, Context

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

Played = Callable[[str], "Player"]
Asked = tuple[Structure, Values]
Came = Arrival | Lost | None

NEAR = 1e-4
"""How far a picture drawn beside others may be from the same drawn alone, as a share of its range."""

SITES = (
    "latent.0", "latent.2", "latent.3", "latent.end", "text", "time", "unet.in", "unet.down.1.attn.0",
    "skip.0", "skip.2", "unet.mid.attn", "unet.up.1.res.0", "unet.out", "vae.in", "vae.up.1", "image",
)  # fmt: skip


class Witness(Eager):
    """Draws as it comes, and keeps what was drawn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.rows: list[int] = []

    def unet(self, x: torch.Tensor, context: Context, bends: Bends) -> torch.Tensor:
        self.rows.append(len(x))
        return super().unet(x, context, bends)

    def decode(self, latent: torch.Tensor, bends: Bends) -> torch.Tensor:
        self.image = super().decode(latent, bends)
        return self.image


class Player(Engine):
    """An engine that tells what it draws."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.network: Witness = Witness(model)

    def alone(self, asked: Asked) -> torch.Tensor:
        """A frame drawn by itself, before it becomes bytes, [1, 3, H, W]."""
        self.render(*asked)
        return self.network.image


@pytest.fixture(scope="module")
def played(engine_of: Callable[[str], Engine]) -> Played:
    """A player of a small random model."""
    return cache(lambda kind: Player(engine_of(kind).model))


@pytest.fixture
def engine(played: Played) -> Player:
    return played("tiny")


def flown(engine: Player, frames: Iterable[Asked], stream: Stream | None = None) -> list[Came]:
    """What comes out for each frame that goes in."""
    stream, asked = stream or Stream(engine), list(frames)
    engine.encode(*(text for _, v in asked for text in v.texts))
    with torch.inference_mode():
        return [stream.push(s, v) for s, v in asked]


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far two pictures are from each other, as a share of their range."""
    assert a.shape == b.shape
    return float((a - b).abs().max() / (b.max() - b.min() + 1e-6))


def picture(arrival: Came) -> torch.Tensor:
    """A frame that has arrived, [1, 3, H, W]."""
    if isinstance(arrival, Lost):
        raise arrival.error
    assert arrival is not None
    return arrival.image


def wrong(engine: Player, came: Iterable[Came], asked: Iterable[Asked]) -> float:
    """How far the frames that have arrived are from what was asked for, drawn alone."""
    worst = 0.0
    for arrival, one in zip(came, asked):
        assert arrival is not None
        assert arrival.structure == one[0]
        assert arrival.values is one[1]
        worst = max(worst, apart(picture(arrival), engine.alone(one)))
    return worst


def changing(s: Structure, n: int, *params: dict[str, Any], **changes: Any) -> Asked:
    """Frame `n` of a film in which everything changes from frame to frame."""
    rng = np.random.default_rng(n)
    weights = rng.uniform(0, 1, (len(s.bends), s.step_count + 1, 2 if s.guided else 1, 1))
    weights[rng.uniform(size=weights.shape) < 0.3] = 0
    moved = tuple({name: np.asarray(value) * (1 + 0.2 * n) for name, value in p.items()} for p in params)
    given_values: dict[str, Any] = {
        "weights": weights.astype(np.float32),
        "noise": (((n, 0.8), (n + 1, 0.6)),),
        "prompts": (((f"prompt {n}", 0.5), ("a red orb", 0.5)),),
        "negative": (f"not {n}",),
        "guidance": np.array([2 + 0.5 * n], np.float32),
        "ticks": np.array([n]),
    }
    return s, values(s, moved, **(given_values | changes))


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["sd1", "tiny"])
def test_every_frame_becomes_what_it_would_be_alone(
    played: Played, kind: str, sampler: str, guided: bool
) -> None:
    engine = played(kind)
    s = structure(("add", "latent.1"), ("multiply", "unet.mid.attn"), steps=4, sampler=sampler, guided=guided)
    asked = [changing(s, n, {"r": 0.5}, {"r": 1.2}) for n in range(6)]
    came = flown(engine, asked)
    assert came[:3] == [None] * 3
    assert wrong(engine, came[3:], asked) <= NEAR
    assert apart(picture(came[3]), picture(came[4])) > 5 * NEAR


@pytest.mark.parametrize("site", SITES)
def test_bends_act_at_every_site_with_the_weights_of_their_own_frame_and_step(
    played: Played, site: str
) -> None:
    engine = played("sd1")
    s = structure(("multiply", site, "rows 0 0.6"), ("add", site), steps=4, sampler="euler", guided=True)
    asked = [changing(s, n, {"r": 1.5}, {"r": 0.4}) for n in range(5)]
    came = flown(engine, asked)
    assert wrong(engine, came[3:], asked) <= NEAR
    plain = replace(s, bends=())
    assert max(apart(picture(came[3 + n]), engine.alone(changing(plain, n))) for n in range(2)) > 5 * NEAR


def test_the_state_is_bent_at_the_size_that_the_network_knows(played: Played) -> None:
    engine = played("sd1")
    s = structure(("add", "latent.0"), ("clamp", "latent.2"), steps=3, sampler="euler")
    asked = [changing(s, n, {"r": 0.5}, {"lo": -1.0, "hi": 0.7}) for n in range(4)]
    came = flown(engine, asked)
    assert wrong(engine, came[2:], asked) <= NEAR


@pytest.mark.parametrize("site", ["latent.1", "unet.mid.attn", "skip.1", "vae.up.1"])
@pytest.mark.parametrize("mode", ["fixed", "moving"])
def test_noise_moves_with_the_number_of_its_own_frame(engine: Player, site: str, mode: str) -> None:
    s = structure(("noise", site, "all", {"seed": 5, "mode": mode}), steps=3, guided=True)
    asked = [changing(s, 9 * n, {"r": 1.0}) for n in range(4)]
    came = flown(engine, asked)
    assert wrong(engine, came[2:], asked) <= NEAR


@pytest.mark.parametrize("site", ["latent.1", "text", "unet.mid.attn"])
def test_steering_goes_in_the_direction_of_its_own_step(engine: Player, site: str) -> None:
    s = structure(("steer", site, "all", {"a": "a red orb", "b": "blue mesh"}), steps=3, guided=True)
    asked = [changing(s, n, {"amount": 20.0}) for n in range(4)]
    came = flown(engine, asked)
    assert wrong(engine, came[2:], asked) <= NEAR


@pytest.mark.parametrize("kind", ["sdxl", "lcm"])
def test_added_conditions_belong_to_their_own_frame(played: Played, kind: str) -> None:
    engine = played(kind)
    s = structure(("multiply", "time"), steps=2, sampler="lcm", guided=True)
    asked = [changing(s, n, {"r": 1.2}) for n in range(4)]
    came = flown(engine, asked)
    assert wrong(engine, came[1:], asked) <= NEAR
    assert apart(picture(came[1]), picture(came[2])) > 5 * NEAR


def test_one_step_is_not_late(engine: Player) -> None:
    asked = [changing(structure(("add", "unet.in"), steps=1), n, {"r": 0.5}) for n in range(3)]
    assert wrong(engine, flown(engine, asked), asked) <= NEAR


@pytest.mark.parametrize("kind", ["sd1", "tiny"])
def test_frames_that_start_from_a_picture_run_fewer_steps_and_are_less_late(
    played: Played, kind: str
) -> None:
    engine = played(kind)
    s = structure(("add", "latent.1"), ("add", "latent.3"), steps=4, start=2, sampler="turbo")
    inits = [np.full((1, 64, 64, 3), 40 * n, np.uint8) for n in range(4)]
    asked = [changing(s, n, {"r": 0.5}, {"r": 0.5}, init=init) for n, init in enumerate(inits)]
    came = flown(engine, asked)
    assert came[0] is None
    assert wrong(engine, came[1:], asked) <= NEAR


ARMED = structure(("add", "unet.in"), ("multiply", "latent.1"), ("add", "image")).bends


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), ARMED),
        (ARMED, ()),
        (ARMED[:2], ARMED[1:]),
        (ARMED, ARMED[::-1]),
        (ARMED[:1], (replace(ARMED[0], op="multiply"),)),
        (ARMED[:1], (replace(ARMED[0], site="skip.1"),)),
        (ARMED[:1], (replace(ARMED[0], select="rows 0 0.5"),)),
    ],
)
def test_frames_in_flight_fly_on_with_their_own_bends(
    engine: Player, before: tuple[Armed, ...], after: tuple[Armed, ...]
) -> None:
    asked = []
    for n in range(6):
        s = structure(steps=3, bends=before if n < 3 else after)
        asked.append(changing(s, n, *[{"r": 0.7}] * len(s.bends)))
    came = flown(engine, asked)
    assert None not in came[2:]
    assert wrong(engine, came[2:], asked) <= NEAR


def test_two_bends_that_swap_places_act_in_the_order_of_their_own_frame(engine: Player) -> None:
    one, two = structure(("add", "unet.in"), ("multiply", "unet.in")).bends
    params = {one: {"r": 1.0}, two: {"r": 3.0}}
    asked = []
    for n in range(5):
        s = structure(steps=3, bends=(one, two) if n % 2 else (two, one))
        asked.append((s, values(s, tuple(params[bend] for bend in s.bends))))
    came = flown(engine, asked)
    assert wrong(engine, came[2:], asked) <= NEAR
    assert apart(picture(came[3]), picture(came[4])) > 5 * NEAR


@pytest.mark.parametrize(
    "change", [{"steps": 2}, {"steps": (0, 20, 40)}, {"width": 72}, {"sampler": "lcm"}, {"guided": True}]
)
def test_what_the_rows_are_made_for_changes_and_they_fill_anew(
    engine: Player, change: dict[str, Any]
) -> None:
    stream = Stream(engine)
    old, new = (
        structure(("add", "unet.in"), steps=3),
        structure(("add", "unet.in"), **({"steps": 3} | change)),
    )
    flown(engine, [changing(old, n, {"r": 0.5}) for n in range(4)], stream)
    asked = [changing(new, n, {"r": 0.5}) for n in range(4)]
    came = flown(engine, asked, stream)
    late = new.step_count - 1
    assert came[:late] == [None] * late
    assert wrong(engine, came[late:], asked) <= NEAR


def test_the_way_of_blending_belongs_to_its_own_frame(engine: Player) -> None:
    asked = [changing(structure(steps=3, blend=("slerp", "lerp")[n % 2]), n) for n in range(5)]
    came = flown(engine, asked)
    assert None not in came[2:]
    assert wrong(engine, came[2:], asked) <= NEAR


def test_a_frame_that_is_not_finite_spoils_no_other(engine: Player) -> None:
    s = structure(("multiply", "unet.mid.attn"), ("add", "latent.end"), steps=3)
    asked = [changing(s, n, {"r": 1.2}, {"r": 0.1}) for n in range(6)]
    asked[2] = s, values(s, ({"r": float("inf")}, {"r": 0.0}))
    came = flown(engine, asked)
    finite = [bool(torch.isfinite(a.image).all()) for a in came if isinstance(a, Arrival)]
    assert finite == [True, True, False, True]
    assert wrong(engine, [came[n] for n in (2, 3, 5)], [asked[n] for n in (0, 1, 3)]) <= NEAR


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (structure(("add", "unet.nowhere"), steps=3), UnknownName),
        (structure(("add", "unet.in", "mask nobody"), steps=3), UnknownName),
        (structure(("add", "image", "mask nobody"), steps=3), UnknownName),
        (structure(("nothing", "unet.in"), steps=3), UnknownName),
    ],
)
def test_a_frame_that_cannot_be_spoils_no_other_and_says_why_in_its_turn(
    engine: Player, bad: Structure, error: type
) -> None:
    good = structure(("add", "unet.in"), steps=3)
    asked = [changing(bad if n in (2, 3) else good, n, {"r": 0.5}) for n in range(7)]
    came = flown(engine, asked)
    for n in (4, 5):
        late = came[n]
        assert isinstance(late, Lost)
        assert isinstance(late.error, error)
        assert (late.structure, late.values) == (bad, asked[n - 2][1])
    assert wrong(engine, [came[n] for n in (2, 3, 6)], [asked[n] for n in (0, 1, 4)]) <= NEAR


def test_an_operator_that_breaks_inside_the_network_breaks_no_frame_without_it(
    engine: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = (structure((op, "unet.in"), steps=3) for op in ("add", "abs"))
    engine.render(bad, values(bad, ({},)))

    def broken(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no kernel for this")

    row = bends.OPERATORS["abs"]
    monkeypatch.setitem(bends.OPERATORS.rows, "abs", replace(row, call=broken))
    engine.set_mask("to forget all plans", np.zeros((1, 1)))
    asked = [changing(bad if n == 2 else good, n, *[{"r": 0.5} if n != 2 else {}]) for n in range(5)]
    came = flown(engine, asked)
    assert isinstance(came[4], Lost)
    assert str(came[4].error) == "no kernel for this"
    assert wrong(engine, came[2:4], asked) <= NEAR


def test_a_picture_to_start_from_that_does_not_fit_fails_its_own_frame(engine: Player) -> None:
    s = structure(steps=4, start=2)
    asked = [changing(s, n, init=np.full((1, 64, 64, 3), 90, np.uint8)) for n in range(4)]
    asked[1] = changing(s, 1, init=np.full((1, 32, 32, 3), 90, np.uint8))
    came = flown(engine, asked)
    assert isinstance(came[2], Lost)
    assert isinstance(came[2].error, BadValue)
    assert wrong(engine, [came[1], came[3]], [asked[0], asked[2]]) <= NEAR


def test_a_schedule_that_cannot_be_is_refused_at_once(engine: Player) -> None:
    stream = Stream(engine)
    good, bad = structure(steps=2), structure(steps=2, sampler="none")
    for _ in range(2):
        with pytest.raises(UnknownName):
            flown(engine, [(bad, values(bad))], stream)
    asked = [changing(good, n) for n in range(2)]
    assert wrong(engine, flown(engine, asked, stream)[1:], asked) <= NEAR


def test_the_network_is_always_called_with_as_many_rows_as_steps(engine: Player) -> None:
    bad = structure(("add", "unet.nowhere"), steps=3, guided=True)
    good = structure(steps=3, guided=True)
    engine.network.rows.clear()
    flown(engine, [changing(bad if n == 2 else good, n, *[{"r": 1.0}] * (n == 2)) for n in range(6)])
    assert engine.network.rows == [6] * 6


def test_memory_that_is_full_is_told_at_once_and_nothing_has_happened(
    engine: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(engine)
    s = structure(("add", "latent.1"), steps=3)
    asked = [changing(s, n, {"r": 0.5}) for n in range(5)]
    flown(engine, asked[:3], stream)
    for part in ("unet", "decode"):
        with monkeypatch.context() as patch:
            patch.setattr(engine.network, part, full)
            with pytest.raises(torch.OutOfMemoryError):
                flown(engine, [changing(s, 9, {"r": 2.0})], stream)
    assert wrong(engine, flown(engine, asked[3:], stream), asked[1:]) <= NEAR


def full(*args: object) -> torch.Tensor:
    raise torch.OutOfMemoryError


def test_the_rows_are_settled_once_all_hold_the_same_frame(engine: Player) -> None:
    stream = Stream(engine)
    s = structure(("add", "unet.in"), steps=3)
    same = [changing(s, 1, {"r": 0.5}, ticks=np.array([n])) for n in range(6)]
    settled = []
    for one in (changing(s, 0, {"r": 0.5}), *same[:4], changing(s, 2, {"r": 0.5}), *same[4:]):
        flown(engine, [one], stream)
        settled.append(stream.settled)
    assert settled == [False] * 3 + [True] * 2 + [False] * 3
    assert stream.behind == 2


def test_noise_that_moves_never_settles(engine: Player) -> None:
    stream = Stream(engine)
    s = structure(("noise", "unet.in", "all", {"mode": "moving"}), steps=2)
    flown(engine, [changing(s, 1, {"r": 0.5}, ticks=np.array([n])) for n in range(4)], stream)
    assert not stream.settled


MOVES: dict[str, dict[str, Any]] = {
    "add": {"r": 0.4},
    "multiply": {"r": 1.3},
    "negate": {},
    "soft_threshold": {"r": 0.1},
    "clamp": {"lo": -1.0, "hi": 1.0},
    "shift": {"dx": 0.1, "dy": 0.05},
    "blur": {"sigma": 0.5},
}
"""Operators without a jump anywhere: near in, near out."""


@st.composite
def shows(draw: st.DrawFn) -> list[Asked]:
    """Frames whose bends come, go and change, with values that change in every frame."""
    sampler = draw(st.sampled_from(sorted(SAMPLERS)))
    guided = draw(st.booleans())
    armed = st.builds(
        Armed,
        id=st.sampled_from("pqr"),
        op=st.sampled_from(sorted(MOVES)),
        site=st.sampled_from(SITES),
        select=st.sampled_from(["all", "channels 0-1", "cols 0.2 0.7"]),
    )
    frames: list[Asked] = []
    chain: tuple[Armed, ...] = ()
    for n in range(draw(st.integers(3, 7))):
        if draw(st.booleans()):
            chain = tuple(draw(st.lists(armed, max_size=3, unique_by=lambda bend: bend.id)))
        steps = draw(st.sampled_from([4] * 9 + [2]))
        there = tuple(bend for bend in chain if bend.site not in [f"latent.{k}" for k in range(steps, 4)])
        s = structure(steps=steps, sampler=sampler, guided=guided, bends=there)
        frames.append(changing(s, n, *[MOVES[bend.op] for bend in there]))
    return frames


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=shows())
def test_whatever_is_played_every_picture_is_that_of_a_frame_alone(
    engine: Player, asked: list[Asked]
) -> None:
    waiting: list[Asked] = []
    for one, arrival in zip(asked, flown(engine, asked)):
        if waiting and waiting[-1][0].steps != one[0].steps:
            waiting = []
        waiting.append(one)
        full = len(waiting) == one[0].step_count
        assert (arrival is not None) is full
        if full:
            assert wrong(engine, [arrival], [waiting.pop(0)]) <= NEAR

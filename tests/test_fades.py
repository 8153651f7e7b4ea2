"""From one scene to another: what lies between, what changes half-way, what a hand takes over."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from stagehand import Stagehand

from oscbend.fades import limit_between
from oscbend.frame import alike
from oscbend.modulation import Shot
from oscbend.walks import at_seed, between


class Player(Stagehand):
    """A show with two scenes."""

    def __init__(self) -> None:
        super().__init__()
        self("/noise/mode", "hold")

    def keep(self, name: str, *messages: tuple[Any, ...]) -> Shot:
        """Plays messages and keeps the scene; tells what its frame is."""
        for message in messages:
            self(*message)
        self("/scene/save", name)
        return self.frame()

    def frame(self, now_s: float | None = None) -> Shot:
        now_s = self.show.modulation.show_s if now_s is None else now_s
        return self.show.modulation.shot(self.show.state, now_s, self.stage)


VERSE = (
    ("/prompt", "verse"), ("/seed", 3), ("/steps", 4), ("/guidance", 2.0), ("/prompt/negative", "dull"),
    ("/bend/1", "add", "unet.in"), ("/bend/1/r", 1.0), ("/bend/1/mix", 0.5),
    ("/bend/old", "multiply", "image"), ("/bend/old/r", 3.0),
    ("/bend/turn", "rotate", "latent.2", 1.0),
)  # fmt: skip
CHORUS = (
    ("/bend/free",), ("/prompt", "chorus"), ("/seed", 8), ("/steps", 8), ("/guidance", 4.0),
    ("/prompt/negative", "grey"), ("/bend/1", "add", "unet.in"), ("/bend/1/r", 2.0), ("/bend/1/mix", 1.0),
    ("/bend/new", "add", "image"), ("/bend/new/r", 0.5), ("/bend/new/mix", 0.5),
    ("/bend/turn", "rotate", "latent.end", 1.0),
)  # fmt: skip


@pytest.fixture
def play() -> Player:
    player = Player()
    player.verse = player.keep("verse", *VERSE)  # type: ignore[attr-defined]
    player.chorus = player.keep("chorus", *CHORUS)  # type: ignore[attr-defined]
    return player


def same(a: Shot, b: Shot) -> bool:
    values = (replace(shot.values, ticks=np.zeros(1, np.int64)) for shot in (a, b))
    one, other = (
        replace(s.structure, bends=tuple(replace(bend, id=bend.id.rstrip("'")) for bend in s.structure.bends))
        for s in (a, b)
    )
    return one == other and alike(*values)


def mixes(shot: Shot) -> dict[str, float]:
    """How much of each bend there is at its most."""
    return {b.id: float(w.max()) for b, w in zip(shot.structure.bends, shot.values.weights)}


class TestXfade:
    def test_its_ends_are_the_scenes(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0)
        assert same(play.frame(), play.verse)
        play("/xfade", "verse", "chorus", 1)
        assert same(play.frame(), play.chorus)

    def test_between_numbers_prompts_and_mixes_lie_between(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0.25)
        shot = play.frame()
        assert shot.values.prompts == ((("verse", 0.75), ("chorus", 0.25)),)
        assert shot.values.negative == ((("dull", 0.75), ("grey", 0.25)),)
        assert shot.values.guidance[0] == pytest.approx(2.5)
        assert mixes(shot) == pytest.approx(
            {"1": 0.625, "old": 0.75, "turn'": 0.75, "new": 0.125, "turn": 0.25}
        )
        rs = {b.id: float(p["r"][0]) for b, p in zip(shot.structure.bends, shot.values.params) if "r" in p}
        assert rs == pytest.approx({"1": 1.25, "old": 3.0, "new": 0.5})

    def test_noise_lies_on_the_arc(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0.5)
        noise = dict(play.frame().values.noise[0])
        assert noise == pytest.approx({3: 0.5**0.5, 8: 0.5**0.5})

    @pytest.mark.parametrize(("x", "steps", "site"), [(0.4, 4, "latent.2"), (0.6, 8, "latent.4")])
    def test_steps_change_half_way_and_bends_move_along(
        self, x: float, steps: int, site: str, play: Any
    ) -> None:
        play("/xfade", "verse", "chorus", x)
        structure = play.frame().structure
        assert structure.steps == steps
        assert {b.id: b.site for b in structure.bends}["turn'"] == site

    def test_it_is_a_control_like_any_other(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0)
        play("/xfade/x/to", 1, 4)
        assert play.frame(2.0).values.guidance[0] == pytest.approx(3.0)
        play("/feature/rms/range", 0, 1)
        play("/feature/rms", 0.75)
        play("/xfade/x/map", "rms")
        assert play.frame(3.0).values.guidance[0] == pytest.approx(3.5)

    def test_the_same_scenes_again_only_move(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0)
        play.stage.scenes.write("verse", "no scene any more")
        play("/xfade", "verse", "chorus", 0.5)
        assert play.frame().values.guidance[0] == pytest.approx(3.0)
        assert play.asks("/get", "/xfade") == [("/xfade", "verse", "chorus", 0.5)]

    def test_a_scene_that_is_kept_there_is_what_is_shown(self, play: Any) -> None:
        play("/xfade", "verse", "chorus", 0.25)
        before = play.frame()
        play("/scene/save", "bridge")
        play("/scene/load", "bridge")
        after = play.frame()
        assert after.values.guidance == pytest.approx(before.values.guidance)
        assert dict(after.values.prompts[0]) == pytest.approx(dict(before.values.prompts[0]))
        kept = {id: mix for id, mix in mixes(before).items() if id != "turn'"}
        assert mixes(after) == pytest.approx({id.rstrip("'"): mix for id, mix in kept.items()})


class TestMorph:
    def test_it_takes_its_time_and_then_is_the_scene(self, play: Any) -> None:
        play("/scene/morph", "verse", 8.0)
        assert same(play.frame(0.0), play.chorus)
        assert play.frame(2.0).values.guidance[0] == pytest.approx(3.5)
        assert mixes(play.frame(4.0))["old"] == pytest.approx(0.5)
        assert same(play.frame(8.0), play.verse)
        assert [b.id for b in play.show.state.bends] == ["1", "old", "turn"]

    def test_what_is_driven_goes_on_while_it_leaves(self, play: Any) -> None:
        play("/feature/rms/range", 0, 1)
        play("/feature/rms", 1.0)
        play("/guidance/map", "rms", 4, 8)
        play("/scene/morph", "verse", 8.0)
        assert play.frame(4.0).values.guidance[0] == pytest.approx(5.0)
        play("/feature/rms/smooth", 0, 0)
        play("/feature/rms", 0.0)
        assert play.frame(4.0).values.guidance[0] == pytest.approx(3.0)

    def test_in_no_time_it_is_a_load(self, play: Any) -> None:
        play("/scene/morph", "verse", 0)
        assert same(play.frame(), play.verse)

    def test_one_that_overtakes_another_begins_where_that_has_come_to(self, play: Any) -> None:
        play("/scene/morph", "verse", 8.0)
        before = play.frame(4.0)
        play("/scene/morph", "chorus", 8.0)
        after = play.frame(4.0)
        assert after.values.guidance == pytest.approx(before.values.guidance)
        assert dict(after.values.prompts[0]) == pytest.approx(dict(before.values.prompts[0]))
        assert mixes(after)["new"] == pytest.approx(mixes(before)["new"])
        assert same(play.frame(12.0), play.chorus)

    @pytest.mark.parametrize(
        ("message", "seen"),
        [
            (("/guidance", 6.0), lambda shot: shot.values.guidance[0] == 6.0),
            (("/bend/1/r", 9.0), lambda shot: shot.values.params[0]["r"][0] == 9.0),
            (("/seed", 5), lambda shot: shot.values.noise == (at_seed(5.0),)),
            (("/prompt", "bridge"), lambda shot: shot.values.prompts == ((("bridge", 1.0),),)),
            (("/steps", 2), lambda shot: shot.structure.steps == 2),
            (("/sampler", "euler"), lambda shot: shot.structure.sampler == "euler"),
            (("/limit", 2.0), lambda shot: shot.values.limit[0] == 2.0),
            (("/bend/free",), lambda shot: not shot.structure.bends),
            (("/bend/1/on", 0), lambda shot: "1" not in mixes(shot)),
            (("/bend/1/site", "image"), lambda shot: shot.structure.bends[0].site == "image"),
            (("/bend/hand", "add", "image"), lambda shot: mixes(shot)["hand"] == 1.0),
            (("/black", 0.5), lambda shot: shot.black == 0.5),
        ],
    )  # fmt: skip
    def test_what_is_set_meanwhile_is_so_at_once(self, message: Any, seen: Any, play: Any) -> None:
        play("/scene/morph", "verse", 8.0)
        play.frame(1.0)
        play(*message)
        assert seen(play.frame(1.0))

    def test_a_fault_in_the_scene_leaves_everything(self, play: Any) -> None:
        play.stage.scenes.write("verse", "version = 1\nseed = 'x'")
        before = play.show.state
        with pytest.raises(Exception, match="seed"):
            play("/scene/morph", "verse", 8.0)
        assert play.show.state is before


@pytest.mark.parametrize(("a", "b", "middle"), [(0, 0, 0), (2, 2, 2), (0, 2, 4), (2, 0, 4), (1, 3, 1.5)])
def test_no_limit_is_one_without_end(a: float, b: float, middle: float) -> None:
    assert limit_between(a, b, 0.5) == pytest.approx(middle)
    assert (limit_between(a, b, 0.0), limit_between(a, b, 1.0)) == pytest.approx((a, b))


def test_noise_between_two_seeds_has_unit_variance_and_even_speed() -> None:
    mixes = [between(at_seed(1), at_seed(2.5), t) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert mixes[0] == at_seed(1)
    assert mixes[-1] == at_seed(2.5)
    dots = [sum(c * dict(b).get(s, 0.0) for s, c in a) for a, b in pairwise(mixes)]
    assert dots == pytest.approx([dots[0]] * 4)
    assert all(sum(c * c for _, c in mix) == pytest.approx(1.0) for mix in mixes)

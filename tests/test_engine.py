from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from drawing import furthest, structure, values

from oscbend import bends
from oscbend.engine import Engine
from oscbend.errors import BadValue, UnknownName
from oscbend.frame import Armed, Structure, Values

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

EngineOf = Callable[[str], Engine]


@pytest.fixture
def engine(engine_of: EngineOf) -> Engine:
    return engine_of("tiny")


def draw(engine: Engine, s: Structure, *params: dict[str, Any], **changes: Any) -> np.ndarray:
    return engine.render(s, values(s, params, **changes)).pictures


def test_pictures_are_bytes_of_rgba_of_their_own(engine: Engine) -> None:
    s = structure(batch=2, width=72, height=40)
    first = engine.render(s, values(s))
    again = engine.render(s, values(s))
    assert first.pictures.shape == (2, 40, 72, 4)
    assert first.pictures.dtype == np.uint8
    assert first.pictures.flags["C_CONTIGUOUS"]
    assert (first.pictures[..., 3] == 255).all()
    assert first.finite.tolist() == [True, True]
    assert first.pictures.flags["OWNDATA"]
    assert first.pictures.flags["WRITEABLE"]
    assert not np.shares_memory(first.pictures, again.pictures)
    assert np.array_equal(first.pictures, again.pictures)


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "tiny"])
def test_a_bend_at_any_site_changes_the_picture(engine_of: EngineOf, kind: str) -> None:
    engine = engine_of(kind)
    plain = draw(engine, structure(steps=2))
    same = []
    for site in engine.sites(64, 64, 2):
        s = structure(("negate", site.name), steps=2)
        if np.array_equal(draw(engine, s, {}), plain):
            same.append(site.name)
    assert same == []


def test_a_bend_without_weight_changes_nothing_whatever_it_would_make(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"), ("add", "latent.1"))
    bent = engine.render(s, values(s, ({"r": float("inf")}, {"r": float("nan")}), weight=0.0))
    assert bent.finite.all()
    assert np.array_equal(bent.pictures, draw(engine, structure()))


def test_weight_counts_for_its_sample_alone(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"), batch=2)
    weight = np.array([0.0, 1.0])
    plain, bent = draw(engine, structure(batch=2)), draw(engine, s, {"r": -4.0}, weight=weight)
    assert np.array_equal(bent[0], plain[0])
    assert furthest(bent[1], plain[1]) > 2


def test_parameters_belong_to_their_sample(engine: Engine) -> None:
    s = structure(("rotate", "latent.end", "all", {"plane": "r1"}), batch=2)
    both = engine.render(s, values(s, ({"angle": 0.0},)))
    turned = Values(**(vars(values(s)) | {"params": ({"angle": np.array([0.0, 2.0], np.float32)},)}))
    drawn = engine.render(s, turned).pictures
    assert np.array_equal(drawn[0], both.pictures[0])
    assert furthest(drawn[1], both.pictures[1]) > 2


def test_weight_counts_for_its_step_alone(engine: Engine) -> None:
    s = structure(("multiply", "unet.out"), ("multiply", "latent.2"))
    weight = np.zeros((2, 4, 1, 1), np.float32)
    weight[0, 2] = 1
    by_window = draw(engine, s, {"r": 0.5}, {"r": 1.0}, weight=weight)
    weight[:] = 1
    always = draw(engine, s, {"r": 0.5}, {"r": 1.0}, weight=weight)
    assert furthest(by_window, draw(engine, structure())) > 2
    assert furthest(by_window, always) > 2


def test_weight_counts_for_its_branch_alone(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"), guided=True)
    pictures = []
    for branch in ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)):
        pictures.append(draw(engine, s, {"r": -4.0}, weight=np.array(branch)[:, None]))
    assert np.array_equal(pictures[3], draw(engine, structure(guided=True)))
    assert len({p.tobytes() for p in pictures}) == 4


def test_bending_the_unconditional_branch_leaves_its_prediction_for_the_prompt(engine: Engine) -> None:
    s = structure(("ablate", "unet.out"), guided=True)
    uncond = draw(engine, s, {}, weight=np.array([1.0, 0.0])[:, None], guidance=np.ones(1, np.float32))
    plain = draw(engine, structure(guided=True), guidance=np.ones(1, np.float32))
    assert furthest(uncond, plain) <= 1  # at guidance 1 the unconditional branch cancels out


def test_sites_outside_the_network_read_the_last_branch(engine: Engine) -> None:
    s = structure(("negate", "latent.end"), guided=True)
    plain = draw(engine, structure(guided=True))
    assert np.array_equal(draw(engine, s, {}, weight=np.array([1.0, 0.0])[:, None]), plain)
    assert furthest(draw(engine, s, {}, weight=np.array([0.0, 1.0])[:, None]), plain) > 2


def test_a_bend_before_the_start_is_inert(engine: Engine) -> None:
    init = np.full((1, 64, 64, 3), 90, np.uint8)
    for site, inert in (("latent.0", True), ("latent.1", True), ("latent.2", False), ("latent.end", False)):
        s = structure(("negate", site), steps=4, start=2)
        same = np.array_equal(
            draw(engine, s, {}, init=init), draw(engine, structure(steps=4, start=2), init=init)
        )
        assert same is inert


@pytest.mark.parametrize("sampler", ["ddim", "lcm", "euler", "turbo"])
def test_the_latent_that_is_bent_has_the_same_size_for_every_sampler(engine: Engine, sampler: str) -> None:
    s = structure(sampler=sampler, steps=4)
    assert engine.scales(s, values(s))["latent.0"] == pytest.approx(1.0, abs=0.15)


def test_what_a_latent_bend_makes_persists(engine_of: EngineOf) -> None:
    engine = engine_of("sd1")
    s = structure(("add", "latent.0"), sampler="euler")
    shifted = engine.scales(structure(sampler="euler"), values(structure(sampler="euler")))
    assert furthest(draw(engine, s, {"r": 1.0}), draw(engine, structure(sampler="euler"))) > 2
    assert shifted["latent.0"] > 0


def test_two_bends_at_one_site_act_in_order(engine: Engine) -> None:
    there = structure(("add", "latent.end"), ("multiply", "latent.end"))
    back = structure(("multiply", "latent.end"), ("add", "latent.end"))
    assert (
        furthest(draw(engine, there, {"r": 1.0}, {"r": 3.0}), draw(engine, back, {"r": 3.0}, {"r": 1.0})) > 2
    )


def test_a_selection_touches_its_part_alone(engine: Engine) -> None:
    s = structure(("negate", "image", "rows 0 0.25"))
    plain, bent = draw(engine, structure())[0], draw(engine, s, {})[0]
    assert np.array_equal(plain[16:], bent[16:])
    assert furthest(plain[:16], bent[:16]) > 2


def test_a_picture_can_be_a_mask(engine: Engine) -> None:
    engine.set_mask("left", np.concatenate([np.ones((8, 4)), np.zeros((8, 4))], axis=1))
    s = structure(("negate", "image", "mask left"))
    plain, bent = draw(engine, structure())[0], draw(engine, s, {})[0]
    assert np.array_equal(plain[:, 40:], bent[:, 40:])
    assert furthest(plain[:, :24], bent[:, :24]) > 2


def test_a_mask_that_is_not_there_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownName):
        draw(engine, structure(("negate", "image", "mask nobody")), {})


@pytest.mark.parametrize("guided", [False, True])
def test_noise_stands_still_or_moves(engine: Engine, guided: bool) -> None:
    for mode, moves in (("fixed", False), ("moving", True)):
        s = structure(("noise", "unet.mid.attn", "all", {"seed": 5, "mode": mode}), guided=guided)
        a, b = (draw(engine, s, {"r": 2.0}, ticks=np.array([t])) for t in (1, 2))
        assert np.array_equal(a, b) is not moves


def test_steer_goes_from_one_prompt_towards_another(engine: Engine) -> None:
    options = {"a": "a red orb", "b": "blue mesh"}
    s = structure(("steer", "unet.mid.attn", "all", options), guided=True)
    plain = draw(engine, structure(guided=True))
    assert np.array_equal(draw(engine, s, {"amount": 0.0}), plain)
    assert not np.array_equal(draw(engine, s, {"amount": 30.0}), plain)
    vectors = engine.steer(s, "a red orb", "blue mesh", "unet.mid.attn")
    assert vectors.shape == (s.step_count + 1, 64)
    torch.testing.assert_close(engine.steer(s, "blue mesh", "a red orb", "unet.mid.attn"), -vectors)


def test_steering_vectors_are_made_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    s = structure(steps=2)
    engine.steer(s, "one", "two", "unet.mid.attn")
    monkeypatch.setattr(engine, "_survey", None)
    engine.steer(s, "two", "one", "unet.in")


@pytest.mark.parametrize("op", bends.OPERATORS)
@pytest.mark.parametrize(
    "site", ["latent.1", "unet.down.1.attn.0", "skip.2", "text", "time", "vae.up.1", "image"]
)
def test_every_operator_acts_wherever_it_can(engine: Engine, op: str, site: str) -> None:
    row = bends.OPERATORS[op]
    shape = next(s.shape for s in engine.sites(64, 64, 3) if s.name == site)
    options = {arg.name: arg.default for arg in row.static}
    try:
        bends.check(op, options, shape)
    except BadValue:
        pytest.skip("not here")
    s = structure((op, site, "all", options), guided=True, batch=2)
    params = {a.name: a.default if a.default is not None else a.inside_hard(0.5) for a in row.live}
    drawn = engine.render(s, values(s, (params,), weight=0.5))
    assert drawn.pictures.shape == (2, 64, 64, 4)


def test_a_frame_that_is_not_finite_is_flagged_for_its_sample(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"), batch=2)
    weight = np.array([0.0, 1.0])
    drawn = engine.render(s, values(s, ({"r": float("inf")},), weight=weight))
    assert drawn.finite.tolist() == [True, False]


def test_the_bend_that_is_to_blame_is_named(engine: Engine) -> None:
    s = structure(("add", "unet.in"), ("multiply", "unet.up.1.res.0"), ("add", "latent.end"))
    v = values(s, ({"r": 0.1}, {"r": float("inf")}, {"r": 1.0}))
    assert engine.blame(s, v) == "b1 (multiply at unet.up.1.res.0)"


def test_nobody_is_blamed_for_a_good_frame(engine: Engine) -> None:
    s = structure(("add", "unet.in"))
    assert engine.blame(s, values(s, ({"r": 0.1},))) is None


def test_a_bend_whose_result_overflows_later_is_blamed(engine: Engine) -> None:
    s = structure(("multiply", "unet.out"))
    assert engine.blame(s, values(s, ({"r": 3e38},))) == "b0 (multiply at unet.out)"


def test_scales_cover_every_site(engine: Engine) -> None:
    s = structure(("multiply", "unet.in"), guided=True)
    scales = engine.scales(s, values(s, ({"r": 9.0},)))
    assert set(scales) == {site.name for site in engine.sites(64, 64, 3)}
    assert all(scale > 0 for scale in scales.values())


def test_a_prompt_is_known_once_it_is_encoded(engine: Engine) -> None:
    assert not engine.knows("never seen before")
    engine.encode("never seen before")
    assert engine.knows("never seen before")


def test_a_frame_never_encodes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    s = structure()
    with pytest.raises(BadValue, match="'nobody wrote this' is not encoded"):
        engine.submit(s, values(s, prompts=((("nobody wrote this", 1.0),),)))
    engine.encode("from", "to", "")
    monkeypatch.setattr(engine.model.prompts, "_encode", None)
    morph = [((("from", 1 - t), ("to", t)),) for t in (0.0, 0.3, 0.6, 1.0)]
    drawn = [engine.submit(s, values(s, prompts=p)).result().pictures.tobytes() for p in morph]
    assert len(set(drawn)) == len(morph)


@pytest.mark.parametrize("guided", [False, True])
def test_prompts_that_stand_still_are_not_blended_again(
    engine: Engine, guided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = structure(guided=guided)
    still, moved = (values(s, prompts=((("left", 1 - t), ("right", t)),)) for t in (0.25, 0.5))
    before = engine.render(s, still).pictures
    blend, blended = engine.model.prompts.blend, []
    monkeypatch.setattr(engine.model.prompts, "blend", lambda *a: blended.append(a) or blend(*a))
    assert np.array_equal(engine.render(s, still).pictures, before)
    assert not blended
    assert not np.array_equal(engine.render(s, moved).pictures, before)
    assert len(blended) == 1


def test_prompts_may_be_encoded_while_frames_are_drawn(engine: Engine) -> None:
    s = structure()
    plain = draw(engine, s)
    worker = threading.Thread(target=lambda: [engine.encode(f"prompt {i}") for i in range(20)])
    worker.start()
    pictures = [draw(engine, s) for _ in range(5)]
    worker.join()
    assert all(np.array_equal(p, plain) for p in pictures)


def test_a_batch_draws_what_its_samples_draw_alone(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"), batch=2)
    v = values(s, ({"r": 2.0},))
    both = engine.render(s, v).pictures
    one = structure(("multiply", "unet.mid.attn"))
    alone = engine.render(one, values(one, ({"r": 2.0},), prompts=v.prompts[1:], noise=v.noise[1:])).pictures
    assert furthest(both[1:], alone) <= 1


def test_values_change_and_nothing_is_rebuilt(engine: Engine) -> None:
    s = structure(("multiply", "unet.mid.attn"))
    draw(engine, s, {"r": 1.0})
    plan = engine.plan(s)
    draw(engine, s, {"r": 2.0})
    assert engine.plan(structure(("multiply", "unet.mid.attn"))) is plan


def test_odd_latents_can_be_drawn_and_bent(engine_of: EngineOf) -> None:
    engine = engine_of("sd1")
    s = structure(("multiply", "unet.up.1.sample"), width=72, height=56)
    assert draw(engine, s, {"r": 2.0}).shape == (1, 56, 72, 4)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"width": 65}, BadValue),
        ({"steps": 0}, BadValue),
        ({"start": 3}, BadValue),
        ({"start": 1}, BadValue),
        ({"sampler": "none"}, UnknownName),
        ({"bends": (Armed("a", "add", "unet.nowhere"),)}, UnknownName),
        ({"bends": (Armed("a", "nothing", "unet.in"),)}, UnknownName),
        ({"bends": (Armed("a", "add", "unet.in", select="rows"),)}, BadValue),
    ],
)
def test_a_structure_that_cannot_be_is_refused(engine: Engine, changes: dict[str, Any], error: type) -> None:
    s = structure(**changes)
    with pytest.raises(error):
        engine.render(s, values(structure()))


def test_values_that_do_not_fit_are_refused(engine: Engine) -> None:
    s = structure(("add", "unet.in"))
    with pytest.raises(BadValue, match="weights"):
        engine.render(s, values(s, ({"r": 1.0},), weights=np.ones((1, 2, 1, 1), np.float32)))
    with pytest.raises(BadValue, match="batch"):
        engine.render(structure(batch=2), values(structure()))


def test_guidance_comes_in_through_the_time_embedding_of_an_lcm(engine_of: EngineOf) -> None:
    engine = engine_of("lcm")
    s = structure(sampler="lcm", steps=2)
    weak, strong = (draw(engine, s, guidance=np.array([g], np.float32)) for g in (1.0, 8.0))
    assert not np.array_equal(weak, strong)

from __future__ import annotations

from dataclasses import dataclass

from drawing import structure, values
from hypothesis import given
from hypothesis import strategies as st

from oscbend.frame import Armed, Structure, Values
from oscbend.net.shared import Shared


@dataclass(frozen=True)
class Frame:
    structure: Structure
    values: Values


PLACED = st.sampled_from([f"{op} {site}" for op in "abc" for site in ("latent.1", "unet.in", "image")])


@given(st.lists(st.lists(PLACED, max_size=6, unique=True), min_size=1, max_size=4))
def test_a_chain_holds_every_structures_bends_in_its_own_order(names: list[list[str]]) -> None:
    structures = [structure(bends=tuple(Armed(n[:1], *n.split()) for n in chain)) for chain in names]
    shared = Shared(structures)
    for s in structures:
        for part, inside in ((shared.inside, True), (shared.outside, False)):
            place = part.places(s)
            known = [(part.bends[u], i) for u, i in enumerate(place) if i >= 0]
            wanted = [(b, i) for i, b in enumerate(s.bends) if b.site.startswith("unet.") is inside]
            assert known == wanted


def test_structures_with_bends_in_common_share_them() -> None:
    one, two, three = (Armed(name, "add", "unet.in") for name in "abc")
    assert Shared([structure(bends=(one, two)), structure(bends=(two, three))]).inside.bends == (
        one,
        two,
        three,
    )
    assert Shared([structure(bends=(one, two)), structure(bends=(two,))]).inside.bends == (one, two)


def frames(*chains: tuple[Armed, ...]) -> list[Frame]:
    """Frames whose bends have the weight and parameter 1 in the first, 2 in the second …"""
    found = []
    for n, chain in enumerate(chains, 1):
        s = structure(bends=chain, steps=2)
        found.append(Frame(s, values(s, ({"r": n},) * len(chain), weight=n)))
    return found


ONE, TWO = Armed("a", "add", "unet.in"), Armed("b", "add", "unet.out")


def test_a_bend_that_a_frame_does_not_know_has_no_weight_in_it() -> None:
    crew = frames((ONE,), (TWO, ONE), ())
    part = Shared([frame.structure for frame in crew]).inside
    order = [part.bends.index(TWO), part.bends.index(ONE)]
    weights = [part.weights(frame, (3, 1))[order, 0, 0].tolist() for frame in crew]
    assert weights == [[0.0, 1.0], [2.0, 2.0], [0.0, 0.0]]


def test_a_frame_that_does_not_know_a_bend_borrows_its_parameters() -> None:
    crew = frames((), (ONE,), (ONE,))
    part = Shared([frame.structure for frame in crew]).inside
    assert part.params(0, crew, crew)["r"].tolist() == [2.0, 2.0, 3.0]


def test_a_structure_that_is_not_in_the_chain_knows_no_bend() -> None:
    (frame,) = frames((ONE,))
    part = Shared([frame.structure]).inside
    assert part.places(structure(bends=(ONE,))).tolist() == [-1]

"""Arguments, rows and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadValue, UnknownName
from oscbend.table import Arg, Row, Table


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_a_number_is_finite_and_inside_or_refused(number: float) -> None:
    arg = Arg("r", "f", lo=-1.0, hi=2.0)
    try:
        value = arg.parse([number])
    except BadValue:
        assert number != number or abs(number) == float("inf")
    else:
        assert isinstance(value, float)
        assert -1.0 <= value <= 2.0


def test_clipping_is_said() -> None:
    said: list[str] = []
    assert Arg("mix", "f", lo=0.0, hi=1.0).parse([3.0], said.append) == 1.0
    assert "mix 3" in said[0]
    assert "taken as 1" in said[0]


def test_a_range_may_refuse() -> None:
    with pytest.raises(BadValue, match="outside"):
        Arg("r", "f", lo=0.1, hi=9.0, clip=False).parse([0.0])


@pytest.mark.parametrize("atom", ["1.5", 1.5, True, 2])
def test_numbers_come_in_many_types(atom: object) -> None:
    assert Arg("r").parse([atom]) == float(atom)  # type: ignore[arg-type]


@pytest.mark.parametrize("atom", [None, b"x", "loud"])
def test_what_is_no_number_is_refused(atom: object) -> None:
    with pytest.raises(BadValue, match="must be a number"):
        Arg("r").parse([atom])


def test_a_string_may_come_as_several_atoms() -> None:
    assert Arg("text", "s").parse(["a", "floating", "orb", 2.0, 3]) == "a floating orb 2 3"


def test_an_unknown_choice_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="slerp"):
        Arg("blend", "s", choices=("slerp", "lerp")).parse(["slrp"])


def test_a_vector_wants_all_its_numbers() -> None:
    arg = Arg("angles", "f", size=3)
    assert arg.parse([1, 2, 3]) == (1.0, 2.0, 3.0)
    with pytest.raises(BadValue, match="3 values, got 2"):
        arg.parse([1, 2])


def test_whole_numbers_only() -> None:
    with pytest.raises(BadValue, match="whole"):
        Arg("k", "i").parse([2.5])


def test_the_musical_range_inside_the_network_counts_in_standard_deviations() -> None:
    arg = Arg("r", musical=(-5.0, 5.0), inside=(-1.0, 1.0), scaled=True)
    assert arg.musical_range("latent.2", 3.0) == (-5.0, 5.0)
    assert arg.musical_range("unet.mid.attn", 3.0) == (-3.0, 3.0)


def test_the_musical_range_stays_within_the_hard_one() -> None:
    assert Arg("r", lo=0.0, musical=(-1.0, 1.0)).musical_range() == (0.0, 1.0)


def test_a_row_is_declared_once() -> None:
    table = Table("thing")

    @table.declare("a", Arg("x"), tags=("square",))
    def a() -> None:
        """Does it,
        over two lines.

        And more.
        """

    assert table["a"].help == "Does it, over two lines."
    with pytest.raises(ValueError, match="declared twice"):
        table.declare("a")(a)
    with pytest.raises(UnknownName, match="unknown thing 'aa'"):
        table["aa"]


def test_a_row_tells_live_from_static() -> None:
    row = Row("op", (Arg("r", live=True), Arg("k", "i")), "", print)
    assert [a.name for a in row.live] == ["r"]
    assert [a.name for a in row.static] == ["k"]
    with pytest.raises(UnknownName, match="parameter of op"):
        row.arg("q")

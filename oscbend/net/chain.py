"""The bends at one site, in order, with as little work as their values allow.

Neighbours that are arithmetic on channels (`bends.algebra`) are one link: one map, whose coefficients are
worked out once a frame. Every other bend is a link by itself. A link leaves alone the rows in which none of
its bends has a weight, computes only the box that is selected, mixes only where weights are not 1, and
writes in place what an earlier link has made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from oscbend.bends.algebra import Form, Shape, form_of, joined
from oscbend.bends.place import Place, place_of
from oscbend.net.bent import Bent, Part
from oscbend.net.link import Alone, Link
from oscbend.net.mapped import mapped


class Chain:
    """The bends at one site.

    Args:
        bents: in order.
    """

    def __init__(self, bents: Sequence[Bent]) -> None:
        self.links = _links(bents)
        self.acting: list[list[Link]] = []
        """For each step, the links that do something in this frame."""

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Of the parts of the buffer that `settle` takes."""
        for link in self.links:
            yield from link.shapes()

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its parts of the buffer."""
        for link in self.links:
            link.settle(part)

    def weigh(self) -> None:
        """Works out what new weights mean, once the bends have them."""
        for link in self.links:
            link.weigh()
        steps = range(len(self.links[0].rows))
        self.acting = [[link for link in self.links if link.rows[step]] for step in steps]

    def load(self) -> None:
        """Works out what a frame's numbers mean, once the bends have them and before the buffer is sent."""
        for link in self.links:
            link.load()

    def sent(self) -> None:
        """Prepares what was sent."""
        for link in self.links:
            link.sent()

    def __call__(self, x: Tensor, step: int) -> Tensor:
        """x [rows, C, H, W] bent as this frame asks at `step`; x itself, never written to, if by nothing."""
        made = x
        for link in self.acting[step]:
            made = link(made, step, made is not x)
        return made


def _links(bents: Sequence[Bent]) -> list[Link]:
    links: list[Link] = []
    members: list[tuple[Bent, Form]] = []
    shape, selected, place = Shape(), "", Place()

    def close() -> None:
        if members:
            links.append(mapped([b for b, _ in members], place, [form for _, form in members], shape))
            members.clear()

    for bent in bents:
        form, here = _read(bent)
        if form is None:
            close()
            links.append(Alone(bent, here))
            continue
        text = "all" if here.everywhere else bent.armed.select
        both = joined(shape, form.shape, bent.site.shape[0]) if members else None
        mixed = both is not None and both.size > 1
        if both is None or text != selected or here.soft is not None or (mixed and here.by_channel):
            close()
            shape, selected, place = form.shape, text, here
        else:
            shape = both
        members.append((bent, form))
    close()
    return links


def _read(bent: Bent) -> tuple[Form | None, Place]:
    """A bend as arithmetic on channels, if it is that, and what it selects besides channels."""
    shape, mask = bent.site.shape, bent.selected
    form = form_of(bent.row, bent.static, shape[0], None)
    if form is not None and mask is not None and mask.shape[1:] == (shape[0], 1, 1):
        form = form_of(bent.row, bent.static, shape[0], mask.flatten().bool().numpy())
        if form is not None:
            return form, Place()
    whole = form is not None  # arithmetic reads all channels of a cell
    return form, place_of(mask, shape, bent.device, bent.dtype, bent.memory_format, whole=whole)

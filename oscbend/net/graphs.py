"""A network as recordings on fixed tensors, with the armed bends between their replays.

Every stage of the U-Net and of the decoder is recorded by itself. A stage reads what the one before it made
where that made it, so where nothing is bent nothing is copied; a bend is computed between two replays and
copied over what it bends. What a stage hands across is copied out by its own recording, so a bend on the way
down reaches no skip, and a bent skip nothing on the way down.

Whatever bends, steps and prompts there are, the recordings are the same: they know shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from oscbend.net.tape import Recorded, Tape
from oscbend.net.walk import NO_CONTEXT, Bends, Context, Stage, run_decoder, run_unet


@dataclass(frozen=True, eq=False)
class Section:
    """A stage, recorded.

    Args:
        stage: what it runs.
        made: its output.
        skip: what it hands across, elsewhere; None if nothing.
        replay: makes both anew.
    """

    stage: Stage
    made: Tensor
    skip: Tensor | None
    replay: Callable[[], object]

    def run(self, bends: Bends) -> None:
        """Replays the stage and bends what it made."""
        self.replay()
        if self.skip is not None and self.stage.hands is not None:
            _bend(bends, self.stage.hands, self.made, self.skip)
        _bend(bends, self.stage.site, self.made, self.made)


class UnetGraphs:
    """A U-Net for one number of rows and one size.

    Args:
        stages: of `unet_stages`.
        x: a latent as the network reads it, [B, C, H, W]: its like will be given.
        context: likewise.
        tape: records.
    """

    def __init__(self, stages: Sequence[Stage], x: Tensor, context: Context, tape: Tape) -> None:
        self._tape = tape
        self._x = torch.zeros_like(x)
        self._context = Context(_room_for(context.emb), _room_for(context.text), context.sized)
        self._text: Tensor | None = None
        tape.warm_up(lambda: run_unet(stages, self._x, self._context, {}))
        h = self._x
        skips: list[Tensor] = []
        self._sections: list[Section] = []
        for stage in stages:
            taken = skips.pop() if stage.takes else None
            size = skips[-1].shape[2:] if context.sized and skips else None
            section = _recorded(stage, h, taken, self._context, size, tape)
            self._sections.append(section)
            h = section.made
            if section.skip is not None:
                skips.append(section.skip)

    def __call__(self, x: Tensor, context: Context, bends: Bends) -> Tensor:
        """The network's prediction, [B, C, H, W], to be read before the next call."""
        self._x.copy_(x)
        self._context.emb.copy_(context.emb)
        if context.text is not self._text:
            self._context.text.copy_(context.text)
            self._text = context.text
        for section in self._sections:
            section.run(bends)
        return self._sections[-1].made


class DecoderGraphs:
    """A decoder for one batch and one size.

    Args:
        stages: of `decoder_stages`.
        latent: unscaled, [B, 4, H, W]: its like will be given.
        tape: records.
    """

    def __init__(self, stages: Sequence[Stage], latent: Tensor, tape: Tape) -> None:
        self._tape = tape
        self._latent = h = torch.zeros_like(latent)
        tape.warm_up(lambda: run_decoder(stages, self._latent, {}))
        self._sections: list[Section] = []
        for stage in stages:
            section = _recorded(stage, h, None, NO_CONTEXT, None, tape)
            self._sections.append(section)
            h = section.made

    def __call__(self, latent: Tensor, bends: Bends) -> Tensor:
        """The picture, [B, 3, 8·H, 8·W], to be read before the next call."""
        self._latent.copy_(latent)
        for section in self._sections:
            section.run(bends)
        return self._sections[-1].made


class FunctionGraph:
    """A function of a few tensors.

    Args:
        function: what is recorded; may make None where another call of its makes a tensor.
        given: tensors of the shapes that will be given, None where none will.
        tape: records.
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Tensor | None]],
        given: Sequence[Tensor | None],
        tape: Tape,
    ) -> None:
        self._tape = tape
        self._given = [None if x is None else _room_for(x) for x in given]
        tape.warm_up(lambda: function(*self._given))
        self._made: list[bool] = []

        def work() -> tuple[Tensor, ...]:
            made = function(*self._given)
            self._made = [x is not None for x in made]
            read = [x for x in self._given if x is not None]
            return tuple(_apart(x, read) for x in made if x is not None)

        self._recorded: Recorded = tape.record(work)

    def __call__(self, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        """What the function makes of these, to be read before the next call."""
        for mine, x in zip(self._given, given, strict=True):
            if mine is not None and x is not None:
                mine.copy_(x)
        self._recorded.replay()
        outputs = iter(self._recorded.outputs)
        return tuple(next(outputs) if there else None for there in self._made)


def _recorded(
    stage: Stage, h: Tensor, taken: Tensor | None, context: Context, size: Any, tape: Tape
) -> Section:
    read = [x for x in (h, taken, context.emb, context.text) if x is not None]

    def work() -> tuple[Tensor, ...]:
        made = _apart(stage(h, taken, context, size), read)
        return (made,) if stage.hands is None else (made, made.clone())

    recorded = tape.record(work)
    made, *skip = recorded.outputs
    return Section(stage, made, skip[0] if skip else None, recorded.replay)


def _bend(bends: Bends, site: str, made: Tensor, into: Tensor) -> None:
    bend = bends.get(site)
    if bend is not None:
        bent = bend(made)
        if bent is not into:
            into.copy_(bent)


def _apart(made: Tensor, read: Sequence[Tensor]) -> Tensor:
    """What a module made, in memory of its own: some give back what they were given."""
    places = {x.untyped_storage().data_ptr() for x in read}
    return made.clone() if made.untyped_storage().data_ptr() in places else made


def _room_for(x: Tensor) -> Tensor:
    """A dense tensor like `x`."""
    return torch.zeros_like(x, memory_format=torch.contiguous_format)

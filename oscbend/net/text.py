"""Prompts as the network reads them: encoded once, kept, and blended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from oscbend.errors import BadValue
from oscbend.frame import Blend
from oscbend.turns import Guard


@dataclass(frozen=True, eq=False)
class Embedding:
    """An encoded prompt.

    Args:
        tokens: [1, tokens, dim].
        pooled: SDXL's, [1, P]; None elsewhere.
    """

    tokens: Tensor
    pooled: Tensor | None = None


class Prompts:
    """Encodes prompts and keeps the last used ones.

    Encoding may go on in one thread while another asks for what is known; only `get` ever encodes.

    Args:
        tokenizers, encoders: one of each, or two for SDXL.
        dtype: of the U-Net.
        zero_negative: True if no negative prompt means zeros, as SDXL was trained.
        room: how many encodings are kept.
    """

    def __init__(
        self,
        tokenizers: Sequence[Any],
        encoders: Sequence[nn.Module],
        *,
        dtype: torch.dtype,
        zero_negative: bool = False,
        room: int = 256,
    ) -> None:
        self.tokenizers = tuple(tokenizers)
        self.encoders = tuple(encoders)
        self.dtype = dtype
        self.zero_negative = zero_negative
        self.room = room
        self._kept: OrderedDict[str, Embedding] = OrderedDict()
        self._lock = Guard()

    @property
    def length(self) -> int:
        """How many tokens an encoding has."""
        return int(self.tokenizers[0].model_max_length)

    def knows(self, text: str) -> bool:
        """True if `text` need not be encoded any more."""
        with self._lock:
            return text in self._kept

    def get(self, text: str) -> Embedding:
        """The encoding of a prompt, made now if it is not known."""
        with self._lock:
            if text in self._kept:
                self._kept.move_to_end(text)
                return self._kept[text]
        made = self._encode(text)
        with self._lock:
            self._kept[text] = made
            self._kept.move_to_end(text)
            while len(self._kept) > self.room:
                self._kept.popitem(last=False)
        return made

    def known(self, text: str) -> Embedding:
        """The encoding of a prompt that was made before.

        Raises:
            BadValue: it was not.
        """
        with self._lock:
            if text not in self._kept:
                raise BadValue(f"the prompt {text!r} is not encoded")
            self._kept.move_to_end(text)
            return self._kept[text]

    def negative(self, text: str | Blend, way: str = "slerp") -> Embedding:
        """The encoding of a negative prompt; an empty one is what the model was trained to go without.

        Args:
            text: known; or a blend of known ones.
            way: in which they are blended.

        Raises:
            BadValue: it is not known.
        """
        if not isinstance(text, str):
            return _blended([(self.negative(one), weight) for one, weight in text if weight != 0], way)
        found = self.known(text)
        if text or not self.zero_negative:
            return found
        pooled = None if found.pooled is None else torch.zeros_like(found.pooled)
        return Embedding(torch.zeros_like(found.tokens), pooled)

    def blend(self, recipe: Blend, way: str = "slerp") -> Embedding:
        """Several prompts as one.

        Args:
            recipe: known texts, and weights; those of weight 0 may be unknown. One prompt alone is
                exactly its encoding.
            way: `lerp`, the weighted mean, or `slerp`, which turns every token's vector (and the pooled
                one) on the arc from what has been blended so far to the next prompt, in the recipe's order.

        Raises:
            BadValue: a text that is not known.
        """
        parts = [(self.known(text), weight) for text, weight in recipe if weight != 0]
        return _blended(parts, way) if parts else self.known("")

    @torch.inference_mode()
    def _encode(self, text: str) -> Embedding:
        found = []
        pooled = None
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            tokens = tokenizer(
                text,
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            net: Any = encoder
            ids = tokens.input_ids.to(net.device)
            if len(self.encoders) == 1:
                masked = getattr(net.config, "use_attention_mask", False)
                mask = tokens.attention_mask.to(net.device) if masked else None
                found.append(net(ids, attention_mask=mask)[0])
            else:
                out = net(ids, output_hidden_states=True)
                found.append(out.hidden_states[-2])
                pooled = out[0]
        tokens_of_all = torch.cat(found, dim=-1).to(self.dtype)
        return Embedding(tokens_of_all, None if pooled is None else pooled.to(self.dtype))


def _blended(parts: Sequence[tuple[Embedding, float]], way: str) -> Embedding:
    blended, total = parts[0]
    for nxt, weight in parts[1:]:
        total += weight
        t = weight / total if total else 0.5
        turn = torch.lerp if way == "lerp" else slerp
        pooled = None
        if blended.pooled is not None and nxt.pooled is not None:
            pooled = turn(blended.pooled, nxt.pooled, t)
        blended = Embedding(turn(blended.tokens, nxt.tokens, t), pooled)
    return blended


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point at `t` on the arc from `a` to `b` along their last axis; a line where they are parallel.

    Source: Shoemake 1985, "Animating rotation with quaternion curves", for vectors of any length.
    """
    x, y = a.float(), b.float()
    cosine = (x * y).sum(-1, keepdim=True) / (x.norm(dim=-1, keepdim=True) * y.norm(dim=-1, keepdim=True))
    angle = cosine.clamp(-1, 1).arccos()
    sine = angle.sin()
    arc = ((1 - t) * angle).sin() / sine * x + (t * angle).sin() / sine * y
    parallel = cosine.abs().nan_to_num(1.0) > 0.9995
    return torch.where(parallel, torch.lerp(x, y, t), arc).to(a.dtype)

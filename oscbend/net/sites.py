"""Where a network can be bent: names, numbers and shapes, known from its configuration alone.

Names are those of the network's own parts. Network sites are numbered in the order of execution;
`latent.K` is not, for its numbers count steps.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oscbend.errors import BadValue, UnknownName

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """One place where a tensor can be bent.

    Args:
        name: such as `unet.mid.attn`.
        number: in the order of execution; None for `latent.K` and `latent.end`.
        shape: of one sample: channels, rows, columns.
    """

    name: str
    number: int | None
    shape: tuple[int, int, int]


def sites_of(
    unet: Config, vae: Config, *, width: int, height: int, steps: int, tokens: int = 77
) -> tuple[Site, ...]:
    """Every site of a model: the latents first, then the network in the order of execution.

    Args:
        unet, vae: configurations, as in diffusers' `config.json`.
        width, height: of the picture, in pixels.
        steps: length of the schedule.
        tokens: length of the prompt embedding.

    Raises:
        BadValue: a size that is no multiple of 8.
    """
    rows, cols = latent_size(width, height)
    latent = (int(unet["in_channels"]), rows, cols)
    names = [*(f"latent.{k}" for k in range(steps)), "latent.end"]
    network = [
        ("text", (int(_first(unet["cross_attention_dim"])), tokens, 1)),
        ("time", (_time_width(unet), 1, 1)),
        *_unet_sites(unet, rows, cols),
        *_decoder_sites(vae, rows, cols),
        ("image", (3, height, width)),
    ]
    numbered = (Site(name, number, shape) for number, (name, shape) in enumerate(network))
    return (*(Site(name, None, latent) for name in names), *numbered)


def latent_size(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the latent of a picture.

    Raises:
        BadValue: a size that is no positive multiple of 8.
    """
    if width % 8 or height % 8 or width <= 0 or height <= 0:
        near = " ".join(str(max(8, round(n / 8) * 8)) for n in (width, height))
        raise BadValue(f"size {width} {height}: both must be multiples of 8; nearest: {near}")
    return height // 8, width // 8


def resolve(text: str | int, sites: Sequence[Site], steps: int) -> tuple[str, ...]:
    """The names of the sites that a name, a number or a pattern means, in the order of execution.

    Args:
        text: a name; a network site's number; `latent.K%`, a place in the schedule; or a pattern with
            `*`, `?`, `[]`, `{}`, where `*` reaches across dots. The step after the last is `latent.end`.
        sites: of the loaded model.
        steps: length of the schedule.

    Raises:
        UnknownName: nothing has that name or number, or nothing fits the pattern.

    Example:
        >>> sites = (Site("latent.0", None, (4, 8, 8)), Site("latent.1", None, (4, 8, 8)))
        >>> resolve("latent.50%", sites, 2)
        ('latent.1',)
        >>> resolve("latent.*", sites, 2)
        ('latent.0', 'latent.1')
    """
    wanted = str(text).strip()
    by_name = {site.name: site for site in sites}
    if wanted in by_name:
        return (wanted,)
    if wanted.isdecimal():
        found = tuple(site.name for site in sites if site.number == int(wanted))
    elif match := re.fullmatch(r"latent\.(\d+(?:\.\d+)?)%", wanted):
        found = (_step_name(float(match[1]) / 100 * steps, steps),)
    elif match := re.fullmatch(r"latent\.(\d+)", wanted):
        found = ("latent.end",) if int(match[1]) == steps and "latent.end" in by_name else ()
    else:
        patterns = [re.compile(fnmatch.translate(alternative)) for alternative in _braces(wanted)]
        found = tuple(name for name in by_name if any(p.match(name) for p in patterns))
    if not found:
        raise UnknownName("site", wanted, by_name)
    return found


def _step_name(place: float, steps: int) -> str:
    step = round(place)
    return f"latent.{step}" if step < steps else "latent.end"


def _unet_sites(unet: Config, rows: int, cols: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    widths = list(unet["block_out_channels"])
    depths = _per_block(unet.get("layers_per_block", 2), len(widths))
    sizes = [(rows, cols)]
    skips = 0

    def skip(channels: int) -> tuple[str, tuple[int, int, int]]:
        nonlocal skips
        skips += 1
        return f"skip.{skips - 1}", (channels, *sizes[-1])

    yield "unet.in", (widths[0], rows, cols)
    yield skip(widths[0])
    for i, kind in enumerate(unet["down_block_types"]):
        for j in range(depths[i]):
            yield f"unet.down.{i}.res.{j}", (widths[i], *sizes[-1])
            if "CrossAttn" in kind:
                yield f"unet.down.{i}.attn.{j}", (widths[i], *sizes[-1])
            yield skip(widths[i])
        if i < len(widths) - 1:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
            yield f"unet.down.{i}.sample", (widths[i], *sizes[-1])
            yield skip(widths[i])
    if unet.get("mid_block_type", "UNetMidBlock2DCrossAttn") is not None:
        middle = (widths[-1], *sizes[-1])
        yield "unet.mid.res.0", middle
        yield "unet.mid.attn", middle
        yield "unet.mid.res.1", middle
    for i, kind in enumerate(unet["up_block_types"]):
        width = widths[-1 - i]
        for j in range(depths[-1 - i] + 1):
            yield f"unet.up.{i}.res.{j}", (width, *sizes[-1])
            if "CrossAttn" in kind:
                yield f"unet.up.{i}.attn.{j}", (width, *sizes[-1])
        if i < len(widths) - 1:
            sizes.pop()
            yield f"unet.up.{i}.sample", (width, *sizes[-1])
    yield "unet.out", (int(unet["out_channels"]), rows, cols)


def _decoder_sites(vae: Config, rows: int, cols: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    if "decoder_block_out_channels" in vae:
        widths = list(vae["decoder_block_out_channels"])
        yield "vae.in", (widths[0], rows, cols)
    else:
        widths = list(reversed(vae["block_out_channels"]))
        yield "vae.in", (widths[0], rows, cols)
        yield "vae.mid", (widths[0], rows, cols)
    for i, width in enumerate(widths):
        if i < len(widths) - 1:
            rows, cols = rows * 2, cols * 2
        yield f"vae.up.{i}", (width, rows, cols)


def _time_width(unet: Config) -> int:
    return int(unet.get("time_embedding_dim") or unet["block_out_channels"][0] * 4)


def _per_block(value: Any, blocks: int) -> list[int]:
    return [int(value)] * blocks if isinstance(value, int) else [int(n) for n in value]


def _first(value: Any) -> Any:
    return value if isinstance(value, int) else value[0]


def _braces(pattern: str) -> list[str]:
    """OSC's `{a,b}` as one pattern for each alternative."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [full for choice in match[1].split(",") for full in _braces(head + choice + tail)]

"""How a processor draws: what changes its speed, and its pictures hardly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from oscbend.net.model import Model

LAYOUTS = ("channels_last", "contiguous_format")
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Setting:
    """A choice of all that `oscbend serve --tune` can choose.

    Args:
        layout: in which convolutions hold their tensors, one of `LAYOUTS`.
        dtype: of the network, one of `DTYPES`.
        compiled: whether its stages are compiled.
        threads: that work on one frame.
    """

    layout: str
    dtype: str
    compiled: bool
    threads: int

    def loading(self) -> dict[str, Any]:
        """As `load` takes it."""
        return {
            "memory_format": getattr(torch, self.layout),
            "dtype": getattr(torch, self.dtype),
            "compile": self.compiled,
        }

    def use_threads(self) -> None:
        """Lets as many threads work as are chosen."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)

    def row(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)

    @classmethod
    def of(cls, model: Model) -> Setting:
        """How a loaded model is drawn with now."""
        layout, dtype = (str(x).removeprefix("torch.") for x in (model.memory_format, model.dtype))
        return cls(layout, dtype, model.compiler is not None, torch.get_num_threads())

    @classmethod
    def read(cls, row: dict[str, Any]) -> Setting:
        """What was written down.

        Raises:
            ValueError: something that was never written.
        """
        made = cls(row["layout"], row["dtype"], row["compiled"], row["threads"])
        known = made.layout in LAYOUTS and made.dtype in DTYPES
        if not known or type(made.compiled) is not bool or type(made.threads) is not int or made.threads < 1:
            raise ValueError(f"no setting: {row}")
        return made

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.dtype}, {self.layout}, {threads}, {'compiled' if self.compiled else 'not compiled'}"

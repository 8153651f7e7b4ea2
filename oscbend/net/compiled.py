"""Stages compiled by torch.compile, each by itself, so that bends still stand between them.

A stage is compiled for the shapes that it is warmed up with. What comes later in another shape runs as it
is, at once, because compiling takes longer than any frame may. What is compiled is kept on disk, so that
the next start is fast.
"""

from __future__ import annotations

import os
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oscbend import folders
from oscbend.errors import one_line
from oscbend.net.walk import Context, Run, Stage

SHAPES = 64
"""For how many shapes a stage can be compiled; dynamo's own limit is 8, after which it gives up."""

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
PASSING_FOLDER = "torchinductor_"
"""How the folder's name begins that torch sets the variable to by itself, among files that do not last."""

MISSING = {
    "InvalidCxxCompiler": "there is no C++ compiler here (Linux: install g++; Windows: Visual Studio's Build "
    "Tools; macOS: xcode-select --install)",
    "TritonMissing": "Triton is not installed (pip install triton; on Windows triton-windows)",
}
"""What to say of errors which mean that nothing can be compiled here, by their class."""


class Compiler:
    """Compiles the stages of a model, and knows for which shapes that is done.

    Makes sure at once that something can be compiled here.

    Args:
        memory_format: in which stages are given their tensors, so that a bend that gives another asks for
            no other code.
        device: of the model.
        say: is told, one line each, when compiling begins, ends or fails, and once if something is drawn
            without.
        backend: of torch.compile.
    """

    def __init__(
        self,
        memory_format: torch.memory_format,
        device: torch.device,
        say: Callable[[str], None] = lambda line: None,
        backend: str = "inductor",
    ) -> None:
        self.memory_format = memory_format
        self.say = say
        self.backend = backend
        self.open = False
        self.error = ""
        self.spent_s = 0.0
        self._told = False
        _make_room()
        try:
            torch.compile(lambda x: x.sin() + 1, backend=backend)(torch.ones(8, device=device))
        except Exception as error:
            self.fail(error)

    def stages(self, stages: Sequence[Stage]) -> tuple[Stage, ...]:
        """The same stages, each to be compiled when it first runs within `compiling`."""
        return tuple(replace(stage, run=Compiled(stage, self)) for stage in stages)

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Within this, stages are compiled for the shapes that they run with."""
        torch.compiler.set_stance("default")
        self.open, before_s = True, self.spent_s
        try:
            yield
        finally:
            self.open = False
            torch.compiler.set_stance("eager_on_recompile")  # whatever guards a show may meet
        if self.spent_s > before_s and not self.error:
            self.say(f"compiling took {self.spent_s - before_s:.1f} s")

    def fail(self, error: Exception) -> None:
        """Gives up compiling, for good."""
        self.error = reason(error)
        self.say(f"--compile does nothing: {self.error}")

    def tell(self, shape: Sequence[int]) -> None:
        """Says once that something runs that is not compiled."""
        if self.spent_s and not self._told:
            self._told = True
            rows, _, height, width = shape
            self.say(
                f"a network of {height} x {width} cells and {rows} rows was not compiled at the start: "
                "drawn as without --compile"
            )


class Compiled:
    """What a stage runs in place of its own function.

    Args:
        stage: to be compiled.
        compiler: of the model.
    """

    def __init__(self, stage: Stage, compiler: Compiler) -> None:
        self.plain = stage.run
        self.compiler = compiler
        self.ready: set[tuple[Any, ...]] = set()
        self.fast: Run = torch.compile(
            _apart(stage.run, stage.site), backend=compiler.backend, dynamic=False, fullgraph=True
        )

    def __call__(self, h: Tensor, context: Context, size: Any) -> Tensor:
        compiler = self.compiler
        if compiler.error:
            return self.plain(h, context, size)
        key = (h.shape, context.text.shape, size)
        if key not in self.ready and not compiler.open:
            compiler.tell(h.shape)
            return self.plain(h, context, size)
        h = h.contiguous(memory_format=compiler.memory_format)
        if not (context.emb.is_contiguous() and context.text.is_contiguous()):
            context = Context(context.emb.contiguous(), context.text.contiguous(), context.sized)
        if key in self.ready:
            return self.fast(h, context, size)
        return self._first(key, h, context, size)

    def _first(self, key: tuple[Any, ...], h: Tensor, context: Context, size: Any) -> Tensor:
        if not self.compiler.spent_s:
            self.compiler.say("compiling the network: minutes the first time, then kept on disk")
        began_s = time.perf_counter()
        try:
            made = self.fast(h, context, size)
        except Exception as error:  # a full disk, a bug in a compiler: the show goes on without
            self.compiler.fail(error)
            return self.plain(h, context, size)
        self.compiler.spent_s += time.perf_counter() - began_s
        self.ready.add(key)
        return made


def reason(error: BaseException) -> str:
    """Why something cannot be compiled, in one line."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    return MISSING.get(type(error).__name__) or one_line(error)


def _apart(run: Run, site: str) -> Run:
    """The same function with code of its own.

    dynamo keeps what it has compiled with a function's code. Most stages share theirs, and all that was
    compiled for any of them would be gone through in every call.
    """
    function: Any = run
    code = function.__code__.replace(co_name=site.replace(".", "_"))
    return types.FunctionType(code, function.__globals__, site, None, function.__closure__)


def _make_room() -> None:
    """Room for what is compiled: on disk, in a folder that outlives a restart, and in dynamo."""
    import torch._dynamo.config as dynamo

    named = os.environ.get(CACHE_VARIABLE)
    if named is None or Path(named).name.startswith(PASSING_FOLDER):
        os.environ[CACHE_VARIABLE] = str(folders.cache() / "compiled")
    dynamo.recompile_limit = max(dynamo.recompile_limit, SHAPES)

"""Who may import whom: a module imports only from rows above it, and heavy libraries only in their rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "oscbend"

ROWS = (
    "errors",
    "paths",
    "folders",
    "rate",
    "turns",
    "table",
    "pattern",
    "osc",
    "peers",
    "clients",
    "dump",
    "score",
    "scoretext",
    "frame",
    "walks",
    "bends",
    "curves",
    "scenes",
    "state",
    "fades",
    "glides",
    "features",
    "exact",
    "controls",
    "modulation",
    "commands",
    "tiny",
    "net",
    "engine",
    "pictures",
    "stage",
    "schedule",
    "complaints",
    "worker",
    "drawing",
    "snapshot",
    "tape",
    "takes",
    "loop",
    "audio",
    "sinks",
    "words",
    "render",
    "replay",
    "film",
    "server",
    "tiny.",
    "reference",
    "bench",
    "tuning",
    "demo",
    "cli",
)
"""From top to bottom; `tiny.` is what stands inside the package `tiny`, below the package itself."""

ROOMS = {
    "torch": ("bends", "net", "engine", "tiny."),
    "librosa": ("audio",),
    "scipy": ("audio", "tiny."),
    "diffusers": ("net.load", "net.checkpoint", "net.architectures", "tiny."),
    "transformers": ("net.load", "net.checkpoint", "net.architectures", "net.text", "tiny."),
    "zmq": ("sinks",),
    "uvicorn": ("server",),
    "websockets": (),
    "zeroconf": ("server.announce",),
    "ifaddr": ("server.announce",),
    "starlette": ("server",),
}

MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    """`bends.select` of `oscbend/bends/select.py`; a package's own name for its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def row_of(module: str) -> int:
    """The row a module stands in; -1 for the package itself."""
    if not module:
        return -1
    head = module.split(".")[0]
    return ROWS.index("tiny." if head == "tiny" and "." in module else head)


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, but for type checking only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            if (ROOT.parent / node.module.replace(".", "/")).is_dir():
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_module(dotted: str) -> bool:
    """True if the project has such a module."""
    path = ROOT.parent / dotted.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_only_from_rows_above(path: Path) -> None:
    own = name_of(path)
    ours = {m for m in imported(path) if m.split(".")[0] == "oscbend" and is_module(m)}
    below = {m for m in ours if row_of(m.removeprefix("oscbend").lstrip(".")) > row_of(own)}
    assert not below


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    own = name_of(path)
    libraries = {m.split(".")[0] for m in imported(path)}
    strays = {
        lib
        for lib, rooms in ROOMS.items()
        if lib in libraries
        and not any(own == r or own.startswith(r if r.endswith(".") else r + ".") for r in rooms)
    }
    assert not strays


def test_every_module_has_a_row() -> None:
    assert all(row_of(name_of(p)) >= -1 for p in MODULES)


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, oscbend.cli; print(*sorted(m for m in sys.modules if '.' not in m))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "librosa", "scipy", "diffusers", "av", "zmq", "rich"} & set(out)

"""Every OSC command, one row each: (show, arguments) -> a new state, or a job for the worker."""

from oscbend.commands import (
    bend,
    control,
    feature,
    master,
    out,
    picture,
    prompt,
    record,
    scene,
    server,
    session,
)
from oscbend.commands.base import COMMANDS, Job, Reply, Show, Stage, addresses, find, perform, usage
from oscbend.commands.changes import Change, Changes

__all__ = [
    "COMMANDS",
    "Change",
    "Changes",
    "Job",
    "Reply",
    "Show",
    "Stage",
    "addresses",
    "bend",
    "control",
    "feature",
    "find",
    "master",
    "out",
    "perform",
    "picture",
    "prompt",
    "record",
    "scene",
    "server",
    "session",
    "usage",
]

"""What draws: serve, image, render."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oscbend.cli import options as o
from oscbend.errors import BadValue

if TYPE_CHECKING:
    from oscbend.stage import Stage


def serve(
    model: o.Model = "tiny",
    size: o.Size = "256x256",
    steps: o.Steps = "2",
    seed: o.Seed = 46,
    prompt: o.Prompt = "a floating orb",
    negative: o.Negative = "",
    guidance: o.Guidance = 1.0,
    fps: o.Fps = "30",
    sampler: o.Sampler = "ddim",
    noise: o.Noise = "wander",
    bend: o.Bends = None,
    host: o.Host = "127.0.0.1",
    port: o.Port = 57130,
    lan: Annotated[bool, typer.Option("--lan", help="Listen to the networks of this house, too.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Network that is heard, as 192.168.1.0/24; private ones by default."),
    ] = None,
    horizon: Annotated[float, typer.Option(help="What is tagged further ahead acts at once, s.")] = 10.0,
    late: Annotated[str, typer.Option(help="What comes after its time: run or drop.")] = "run",
    timetags: Annotated[str, typer.Option(help="Time tags: schedule or ignore.")] = "schedule",
    web_port: Annotated[int, typer.Option(help="Of the page with the live picture.")] = 57131,
    web_token: Annotated[
        str, typer.Option(help="With it pages on other machines may play; without, they only look.")
    ] = "",
    frames: Annotated[str, typer.Option(help="ZeroMQ address of the frames.")] = "tcp://127.0.0.1:57132",
    name: Annotated[str, typer.Option(help="By which hosts find this server.")] = "oscbend",
    root: o.Root = Path(),
    config: o.Config = "",
    decoder: o.Decoder = "",
    lora: o.Lora = None,
    device: o.Device = "",
    precision: o.Precision = "",
    allow_pickle: o.Pickle = False,
    compile: o.Compile = False,
    stream_batch: Annotated[
        bool,
        typer.Option(
            "--stream-batch",
            help="The steps of successive frames in one call: faster, steps - 1 frames late, no feedback.",
        ),
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure first what is fastest here, and remember it.")
    ] = False,
) -> None:
    """Draw pictures live, and listen to OSC."""
    from oscbend.cli.tuned import setting_for
    from oscbend.render import Film, opened
    from oscbend.server.announce import checked_name
    from oscbend.server.networks import PRIVATE, Networks
    from oscbend.server.serve import Address, Manners, Server

    width, height = o.size_of(size)
    manners = Manners(
        o.number_in(horizon, "--horizon", 0.0, 3600.0),
        o.one_of(late, "--late", ("run", "drop")),
        o.one_of(timetags, "--timetags", ("schedule", "ignore")),
    )
    heard = tuple(map(str, Networks(allow or PRIVATE).networks))
    here = "0.0.0.0" if lan else host
    address = Address(here, port, web_port, frames, checked_name(name), heard, web_token)
    film = Film(
        prompt,
        negative=negative,
        guidance=guidance,
        bends=bend or (),
        model=model,
        width=width,
        height=height,
        steps=o.steps_of(steps),
        sampler=sampler,
        seed=seed,
        noise=noise,
        fps=fps,
    )
    loading = o.Loading(config, decoder, tuple(lora or ()), device, precision, allow_pickle, compile)
    setting = setting_for(film, loading, tune)
    stage = o.stage_of(model, loading, root, setting, live=True, stream_batch=stream_batch)
    with Server(stage, opened(film, stage, o.say), address, o.say, manners) as server:
        server.run()


def image(
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")] = Path("oscbend.png"),
    model: o.Model = "tiny",
    size: o.Size = "256x256",
    steps: o.Steps = "4",
    seed: o.Seed = 46,
    prompt: o.Prompt = "a floating orb",
    negative: o.Negative = "",
    guidance: o.Guidance = 1.0,
    sampler: o.Sampler = "ddim",
    bend: o.Bends = None,
    init: o.Init = "",
    strength: o.Strength = 0.5,
    root: o.Root = Path(),
    config: o.Config = "",
    decoder: o.Decoder = "",
    lora: o.Lora = None,
    device: o.Device = "",
    precision: o.Precision = "",
    allow_pickle: o.Pickle = False,
) -> None:
    """Draw one picture."""
    from PIL import Image

    from oscbend.render import Film, frames, picture_score
    from oscbend.state import State

    width, height = o.size_of(size)
    root, init = o.below(root, init)
    film = Film(
        prompt,
        negative=negative,
        guidance=guidance,
        bends=bend or (),
        model=model,
        width=width,
        height=height,
        steps=o.steps_of(steps),
        sampler=sampler,
        seed=seed,
        init=init,
        strength=strength,
    )
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise BadValue(f"{output} is no name for a picture: it must end in .png, .jpg or .webp")
    score = picture_score(film)
    loading = o.Loading(config, decoder, tuple(lora or ()), device, precision, allow_pickle)
    stage = o.stage_of(model, loading, root)
    picture = next(frames(score, stage, State(model=model), fps=1, say=o.say))
    with o.writing(output):
        Image.fromarray(picture[..., :3]).save(output)
    print(output)


def render(
    source: Annotated[Path, typer.Argument(help="An audio file, or a score (.osc).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The film, .mp4.")] = Path("oscbend.mp4"),
    prompt: o.Prompt = "a floating orb",
    prompt2: Annotated[str, typer.Option(help="What it has become at the end.")] = "",
    negative: o.Negative = "",
    guidance: o.Guidance = 1.0,
    bend: o.Bends = None,
    model: o.OptionalModel = None,
    fps: o.OptionalFps = None,
    size: o.OptionalSize = None,
    steps: o.OptionalSteps = None,
    sampler: o.Sampler = "ddim",
    seed: o.Seed = 46,
    noise: o.Noise = "walk",
    smooth: Annotated[str, typer.Option(help="Attack and release of every feature, seconds.")] = "0 0",
    feedback: Annotated[bool, typer.Option("--feedback", help="Each frame from the last one.")] = False,
    init: o.Init = "",
    strength: o.Strength = 0.5,
    batch: Annotated[int, typer.Option(help="Frames drawn in one call.", min=1, max=256)] = 1,
    audio: Annotated[Path | None, typer.Option(help="Sound for a score's film.")] = None,
    as_played: Annotated[
        bool, typer.Option("--as-played", help="Of a recording: the very frames that were shown.")
    ] = False,
    save_score: Annotated[Path | None, typer.Option(help="Keep the score in this file.")] = None,
    crf: Annotated[float, typer.Option(help="Quality of H.264: 0 lossless, 17 fine, 28 small.")] = 17.0,
    root: o.Root = Path(),
    config: o.Config = "",
    decoder: o.Decoder = "",
    lora: o.Lora = None,
    device: o.Device = "",
    precision: o.Precision = "",
    allow_pickle: o.Pickle = False,
    compile: o.Compile = False,
) -> None:
    """Make a film from an audio file, or from a score."""
    from oscbend import film as making
    from oscbend.cli.tuned import setting_for
    from oscbend.render import Film
    from oscbend.score import Score

    root, init = o.below(root, init)
    loading = o.Loading(config, decoder, tuple(lora or ()), device, precision, allow_pickle, compile)
    job = making.Job(
        source=source,
        output=output,
        batch=batch,
        audio=audio,
        as_played=as_played,
        save_score=save_score,
        crf=crf,
        model=model,
        fps=fps,
        size=None if size is None else o.size_of(size),
        steps=None if steps is None else o.steps_of(steps),
        rest={
            "prompt": prompt,
            "prompt2": prompt2,
            "negative": negative,
            "guidance": guidance,
            "bends": tuple(bend or ()),
            "sampler": sampler,
            "seed": seed,
            "noise": noise,
            "smooth": o.pair(smooth, "--smooth"),
            "feedback": feedback,
            "init": init,
            "strength": strength,
        },
    )

    def load(name: str) -> Stage:
        if not as_played:
            return o.stage_of(name, loading, root)
        width, height = making.size_of(Score.read(source, lambda line: None))
        shown = Film("", model=name, width=width, height=height)
        return o.stage_of(name, loading, root, setting_for(shown, loading, False), live=True)

    made = making.make(job, load, say=o.say)
    print(made)

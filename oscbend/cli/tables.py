"""What there is: operators, sites, features, commands; and the features of a sound file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oscbend.cli import options as o


def analyze(
    audio: Annotated[Path, typer.Argument(help="An audio file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help=".csv, .npz or .png.")] = Path(
        "features.csv"
    ),
    fps: o.Fps = "20",
    features: Annotated[str, typer.Option(help="Names, with commas between them; all by default.")] = "",
) -> None:
    """Work out the features of a sound file: as a table, as arrays, or as a plot."""
    from oscbend import audio as sounds

    names = [f.strip() for f in features.split(",") if f.strip()] or None
    sounds.check_ending(output)
    sound = sounds.Sound(*sounds.read(audio), fps)
    curves = sounds.analyze_sound(sound, names)
    with o.writing(output):
        sounds.write(output, sound, curves, title=audio.stem)
    print(output)


def ops() -> None:
    """List the operators, their parameters and ranges."""
    from oscbend.reference import sheets

    o.show(sheets()["operators"])


def features() -> None:
    """List the features that the analyzer knows."""
    from oscbend.reference import sheets

    o.show(sheets()["features"])


def commands() -> None:
    """List the OSC commands."""
    from oscbend.reference import sheets

    o.show(sheets()["commands"])


def score(
    file: Annotated[Path, typer.Argument(help="A score: recorded, or as text.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where the other form goes.")] = None,
) -> None:
    """Print a recorded score as text; or make a score of text, to be rendered or played (-o show.osc)."""
    from oscbend.errors import BadScore
    from oscbend.score import Score
    from oscbend.scoretext import from_text, to_text

    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadScore(f"{file}: {error.strerror}") from error
    if data[4:12] == b"#bundle\0":
        text = to_text(Score.read(file, o.say))
        if output is None:
            print(text, end="")
            return
        with o.writing(output):
            output.write_text(text, encoding="utf-8")
    else:
        try:
            made = from_text(data.decode("utf-8"))
        except (BadScore, UnicodeDecodeError) as error:
            what = error if isinstance(error, BadScore) else "neither a recorded score nor text"
            raise BadScore(f"{file}: {what}") from None
        if output is None:
            raise BadScore(f"{file} is a score as text; say with -o where the binary one goes")
        made.write(output)
    print(output)


def sites(
    model: o.Model = "tiny",
    size: o.Size = "256x256",
    steps: o.Steps = "4",
    config: o.Config = "",
    decoder: o.Decoder = "",
    allow_pickle: o.Pickle = False,
) -> None:
    """List where a model can be bent: number, name, and shape of the tensor."""
    from oscbend.net import load
    from oscbend.reference import sites

    width, height = o.size_of(size)
    count = o.steps_of(steps)
    loaded = load.load(model, config=config or None, decoder=decoder or None, allow_pickle=allow_pickle)
    o.show(sites(loaded.sites(width, height, count if isinstance(count, int) else len(count))))

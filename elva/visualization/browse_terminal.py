"""A sample on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from .browse_sample import SampleView, VideoView

LEARNED = ("bold green", "bold cyan")
"""Of neighbouring pieces, so that it shows where one ends."""
GIVEN = ("bright_black", "white")


def sample_text(view: SampleView, ids: bool = False) -> Group:
    """What a terminal shows of a sample.

    Args:
        view: The sample.
        ids: Whether to print the ids of each piece of text behind it.
    """
    head = Rule(f"[bold]{view.index}[/]  {escape(view.id)}  [dim]{escape(view.where)}[/]", align="left")
    if view.error:
        return Group(head, Text(f"cannot be used: {view.error}", "red"))
    parts: list[RenderableType] = [
        head,
        Text(view.words()),
        *(_frames(number, video) for number, video in enumerate(view.videos)),
    ]
    parts.append(_text(view, ids))
    if view.answer:
        parts.append(Text.assemble(("reference answer: ", "dim"), view.answer))
    return Group(*parts)


def print_samples(views: list[SampleView], ids: bool = False, console: Console | None = None) -> None:
    """Print samples, and what the colours mean.

    Args:
        views: The samples.
        ids: Whether to print token ids.
        console: Default: the screen.
    """
    console = console or Console()
    for view in views:
        console.print(sample_text(view, ids))
    console.print(Text.assemble(("green and cyan", LEARNED[0]), " is learned, ", ("grey", GIVEN[0]), " is given."))


def _text(view: SampleView, ids: bool) -> Text:
    text = Text()
    for number, piece in enumerate(view.pieces):
        if piece.video is not None:
            text.append(f"[video: {view.videos[piece.video].words()}]", "bold magenta")
        else:
            text.append(piece.text, (LEARNED if piece.learned else GIVEN)[number % 2])
        if ids:
            text.append(f"({','.join(map(str, piece.ids))})", "dim")
    return text


def _frames(number: int, video: VideoView) -> Group:
    table = Table("frame", "seconds", "height x width", "tokens", box=SIMPLE_HEAD)
    tokens = {unit.frames[0]: str(unit.tokens) for unit in video.units}
    for frame, (pixels, second) in enumerate(zip(video.frames, video.seconds, strict=True)):
        shared = tokens.get(frame, '"' if video.units else "")
        table.add_row(str(frame), f"{second:.2f}", f"{pixels.shape[0]} x {pixels.shape[1]}", shared)
    return Group(Text(f"video {number}: {video.path}: {video.words()}"), table)

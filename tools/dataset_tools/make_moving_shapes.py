"""Render the MovingShapes data set: ``python tools/dataset_tools/make_moving_shapes.py --out data/moving_shapes``."""

import argparse
import time
from dataclasses import fields

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from elva.datasets.moving_shapes import Settings, make_moving_shapes


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--train", type=int, default=3000, help="clips to train on")
    parser.add_argument("--val", type=int, default=200, help="clips, and questions, to validate on")
    parser.add_argument("--test", type=int, default=500, help="clips, and questions, to test on")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    for field in fields(Settings):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default, help="see Settings")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Render, with a bar that shows the time left."""
    args = parse_args(argv)
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    clips = {"train": args.train, "val": args.val, "test": args.test}
    begin = time.perf_counter()
    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("rendering", total=sum(clips.values()))
        counts = make_moving_shapes(
            args.out, clips, settings, args.workers, lambda done, _: bar.update(task, completed=done)
        )
    for name, number in counts.items():
        print(f"{args.out}/{name}: {number} samples")
    print(f"{sum(clips.values())} clips in {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()

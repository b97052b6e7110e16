"""Hide pictures in long videos, to be looked for by a model.

``python tools/dataset_tools/make_needle.py --hosts FILE ... --needles FILE --out DIR``

``--needles`` is a JSON list of ``{image, question, answer}``, with ``options`` where it can be asked as multiple
choice. What is written is asked by the benchmark ``VideoNeedle``; docs/benchmarks.md describes it.
"""

import argparse
import sys
import time

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from elva.datasets.needles import Settings, make_needles, read_needles
from elva.utils import launch


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    usual = Settings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--hosts", nargs="+", required=True, metavar="FILE", help="long videos, joined in this order")
    parser.add_argument("--needles", required=True, metavar="FILE", help="JSON list of pictures and questions")
    parser.add_argument("--lengths", nargs="+", type=int, default=usual.lengths, help="frames (default: 16 64 256)")
    parser.add_argument(
        "--depths", nargs="+", type=float, default=usual.depths, help="shares (default: 0 0.25 0.5 0.75 1)"
    )
    parser.add_argument("--fps", type=float, default=usual.fps, help="frames per second (default: 1)")
    parser.add_argument("--size", type=int, default=usual.size, help="longer side in pixels (default: 448)")
    parser.add_argument("--shown", type=int, default=usual.shown, help="frames that show the needle (default: 1)")
    parser.add_argument("--crf", type=int, default=usual.crf, help="x264's constant quality (default: 18)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the videos, with a bar that shows the time left."""
    args = parse_args(argv)
    needles = read_needles(args.needles)
    settings = Settings(tuple(args.lengths), tuple(args.depths), args.fps, args.size, args.shown, args.crf)
    begin = time.perf_counter()
    columns = (TextColumn("writing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("writing")
        count = make_needles(
            args.out,
            args.hosts,
            needles,
            settings,
            args.workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(f"{args.out}/needles.json: {count} videos in {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    sys.exit(launch.run(main))

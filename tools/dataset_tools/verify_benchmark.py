"""Say which files of a benchmark are missing: ``python tools/dataset_tools/verify_benchmark.py NAME [--decode]``."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.progress import track

from elva.apis.benchmark import benchmark_config
from elva.datasets.benchmarks import Benchmark
from elva.datasets.readers import VideoReader
from elva.registry import DATASETS, VIDEO_READERS
from elva.utils import launch

LISTED = 20


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Say which files of a benchmark are missing.", allow_abbrev=False)
    parser.add_argument("benchmark", help="a name, or a config file of your own")
    parser.add_argument("--data-root", metavar="DIR", help="its folder (default: the one in its config)")
    parser.add_argument("--all", action="store_true", help=f"list every missing file instead of the first {LISTED}")
    parser.add_argument(
        "--decode", action="store_true", help="read the first and the last frame of every video as well"
    )
    parser.add_argument("--workers", type=int, default=4, help="videos that are read at a time (default: 4)")
    launch.add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Look, and print what was found.

    The exit code is 0 if every question can be asked, 1 if not, and 2 if that could not be found out (an annotation
    file is missing or wrong).
    """
    args = parse_args()
    cfg = benchmark_config(args.benchmark)
    cfg.merge_from_dict(args.cfg_options or {})
    config = cfg.benchmark | ({"data_root": args.data_root} if args.data_root else {})
    benchmark: Benchmark = DATASETS.build(config)
    coverage = benchmark.verify()
    print(f"{type(benchmark).__name__} in {benchmark.root}: {coverage.words()}.")
    listing = Listing(args.all)
    listing.show("missing videos", coverage.missing)
    if coverage.subtitles:
        there = coverage.subtitles - len(coverage.missing_subtitles)
        print(f"{there} of {coverage.subtitles} subtitle files are there; subtitles='{benchmark.subtitles}'.")
        listing.show("missing subtitles", coverage.missing_subtitles if coverage.needed else ())
    broken = list(unreadable(benchmark, coverage.missing, args.workers)) if args.decode else []
    if args.decode:
        listing.show("unreadable", broken)
        print(f"{coverage.videos - len(coverage.missing)} videos were read, {len(broken)} things are wrong with them.")
    if coverage.lacking or broken:
        sys.exit(1)


class Listing:
    """Prints lists, all or their beginning.

    Args:
        everything: Whether to print all.
    """

    def __init__(self, everything: bool) -> None:
        self.everything = everything

    def show(self, title: str, names: Sequence[str]) -> None:
        """Print ``names`` below ``title``; nothing if there are none."""
        if not names:
            return
        shown = names if self.everything else names[:LISTED]
        print(f"{title}:", *(f"  {name}" for name in shown), sep="\n")
        if len(shown) < len(names):
            print(f"  ... and {len(names) - len(shown)} more (--all lists them)")


def unreadable(benchmark: Benchmark, missing: Sequence[str], workers: int) -> Iterator[str]:
    """Yield what is wrong with the videos that are there: they cannot be read, or end before what is asked about."""
    reader: VideoReader = VIDEO_READERS.build(benchmark.reader({"type": "PyAVReader"}))
    gone = set(missing)
    names = [name for name in dict.fromkeys(q.video for q in benchmark.questions) if name not in gone]
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda name: _duration(reader, str(benchmark.root / name)), names)
        durations = dict(zip(names, track(found, "reading", len(names)), strict=True))
    yield from (found for found in durations.values() if isinstance(found, str))
    for question in benchmark.questions:
        duration = durations.get(question.video)
        if question.bounds is not None and isinstance(duration, float) and question.bounds[0] >= duration:
            yield f"{question.video}: has {duration:g} s, question '{question.id}' is about {question.bounds[0]:g} s on"


def _duration(reader: VideoReader, path: str) -> float | str:
    """Seconds of a video, or what is wrong with it."""
    try:
        meta = reader.probe(path)
        reader.read(path, (0.0, meta.duration))
    except ValueError as error:
        return str(error)
    return meta.duration


if __name__ == "__main__":
    sys.exit(launch.run(main))

"""Look at what the model gets: ``python tools/visualization/browse_dataset.py CONFIG [--index 0 7] [--out FILE.html]``.

The decoded frames in their sizes and with their times, the text with what is learned in colour, and token counts: on
the terminal, in windows (--show), as an HTML file (--out). With --checkpoint, or --merges random, the HTML file also
shows which patches the model's merger and reducers put together.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmengine.config import Config

from elva.apis.check_dataset.scan import known_item
from elva.apis.check_dataset.sources import SPLITS, Source, first_index, sources_of
from elva.apis.check_dataset.tokens import token_counter
from elva.apis.cost.model import build_on_meta
from elva.apis.latency import weightless
from elva.apis.load_model import load_model
from elva.datasets import collate_samples
from elva.models.video_llm import VideoLLM
from elva.registry import MODELS, register_all_modules
from elva.utils import launch
from elva.visualization.browse_figure import frames_figure
from elva.visualization.browse_page import write_browse_page
from elva.visualization.browse_sample import SampleView, evenly, view_sample
from elva.visualization.browse_terminal import print_samples
from elva.visualization.merge_strip import draw_strip, trace_clip

RANDOM = (
    "The merges are those of a model without a checkpoint (--merges random): they show how merging works, not which "
    "patches a trained model would merge."
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config file")
    parser.add_argument("--split", choices=SPLITS, default="train", help="whose dataloader (default: train)")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--index", type=int, nargs="+", metavar="I", help="samples, counted through all data sets")
    chosen.add_argument("--id", nargs="+", metavar="ID", help="samples, by their ids")
    chosen.add_argument("--number", type=int, default=3, metavar="N", help="so many, spread evenly (default: 3)")
    parser.add_argument("--ids", action="store_true", help="print token ids")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write an HTML file")
    parser.add_argument("--show", action="store_true", help="open a window for each sample")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--checkpoint", metavar="FILE", help="with --out: show merges of this model")
    model.add_argument("--merges", choices=["random"], help="with --out: show merges without a checkpoint")
    launch.add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Look."""
    args = parse_args()
    if (args.checkpoint or args.merges) and not args.out:
        raise ValueError("--checkpoint and --merges draw pictures: say where to, with --out FILE.html.")
    cfg = launch.read_config(args.config, args.cfg_options)
    register_all_modules()
    sources = sources_of(cfg, args.split)
    counting = {}
    if cfg.get("model"):
        counting = {"tokenizer": build_on_meta(cfg).tokenizer, "count": token_counter(cfg)}
    seen = [view_sample(sources[source].dataset, index, **counting) for source, index in choose(sources, args)]
    views = [view for view, _ in seen]
    print_samples(views, args.ids)
    if args.out:
        model = merging_model(cfg, args, sources)
        merges = {place: strips(model, sample) for place, (_, sample) in enumerate(seen) if model and sample}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        note = RANDOM if args.merges else ""
        write_browse_page(args.out, f"Samples of {args.config}, {args.split}", views, merges, note)
        print(f"Written to {args.out}.")
    if args.show:
        show(views)


def choose(sources: list[Source], args: argparse.Namespace) -> list[tuple[int, int]]:
    """The data set and the number of each sample to look at.

    Raises:
        ValueError: If there is no such sample.
    """
    first = first_index(sources)
    if args.id:
        return [_find(sources, name) for name in args.id]
    if args.number < 1:
        raise ValueError(f"--number {args.number}: look at one sample at least.")
    numbers = args.index if args.index is not None else evenly(first[-1], args.number)
    for number in numbers:
        if not 0 <= number < first[-1]:
            raise ValueError(f"--index {number}: the data has {first[-1]} samples, counted from 0.")
    owners = [max(s for s, start in enumerate(first[:-1]) if start <= number) for number in numbers]
    return [(owner, number - first[owner]) for owner, number in zip(owners, numbers, strict=True)]


def _find(sources: list[Source], name: str) -> tuple[int, int]:
    for number, source in enumerate(sources):
        for index in range(len(source.dataset)):
            if known_item(source, index)["id"] == name:
                return number, index
    raise ValueError(f"--id {name}: no sample has this id.")


def merging_model(cfg: Config, args: argparse.Namespace, sources: list[Source]) -> VideoLLM | None:
    """The model whose merges are shown, if any are wanted.

    Raises:
        ValueError: If the config's model merges nothing.
    """
    if not args.checkpoint and not args.merges:
        return None
    if not cfg.get("model") or not (cfg.model.get("merger") or cfg.model.get("reducers")):
        raise ValueError(f"{args.config} has neither model.merger nor model.reducers: nothing is merged.")
    if args.checkpoint:
        return load_model(cfg, args.checkpoint)
    text = next((source.text.path for source in sources if source.text), None)
    model: VideoLLM = MODELS.build({**weightless(cfg), "text_tokenizer": text})
    return model.eval()


def strips(model: VideoLLM, sample: dict[str, Any]) -> list[Figure]:
    """What merging leaves of each video of a sample."""
    inputs = model.data_preprocessor(collate_samples([sample]))["inputs"]
    return [draw_strip(trace_clip(model, inputs, video)) for video in range(len(inputs["clips"]))]


def show(views: list[SampleView]) -> None:
    """Open a window for each sample with a video.

    Raises:
        ValueError: If there is no display.
    """
    import matplotlib
    from matplotlib import pyplot

    if matplotlib.get_backend().lower() == "agg":
        raise ValueError("--show needs a display (Matplotlib found none): take --out FILE.html.")
    for view in views:
        if view.videos:
            frames_figure(view, pyplot.figure(layout="constrained"))
    pyplot.show()


if __name__ == "__main__":
    sys.exit(launch.run(main))

"""What a sample costs: ``python tools/analysis_tools/get_flops.py CONFIG [--frames N] [--size HxW] ...``.

FLOPs by part, visual tokens and rows of each layer, from shapes alone; with ``--checkpoint`` as the model counts them.
"""

import argparse
import sys

from mmengine.config import Config

from elva.apis.cost import CostModel, SampleCost
from elva.apis.cost.measured import measure
from elva.apis.cost.report import cost_json, cost_report
from elva.apis.cost.sample import NOMINAL_CLIP, load_video
from elva.apis.cost.variants import QUESTION, parse_size, set_frames, variants
from elva.registry import VIDEO_READERS, register_all_modules
from elva.structures import VideoMeta
from elva.utils import launch
from elva.utils.json_file import add_json, write_json


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="FLOPs, tokens and rows by layer of one sample, by part.")
    parser.add_argument("config", help="config file")
    parser.add_argument("--frames", type=int, help="frames, spread evenly (default: the config's own sampler)")
    parser.add_argument("--size", metavar="HxW", help="pixels of a full-size frame (default: the config's)")
    parser.add_argument("--text", type=int, default=QUESTION, help=f"text tokens (default: {QUESTION})")
    parser.add_argument("--video", metavar="FILE", help="a real video's metadata (default: 60 s of 640 x 360)")
    parser.add_argument("--checkpoint", metavar="FILE", help="with --video: count the rows in the trained model")
    parser.add_argument("--question", default="Describe the video.", help="with --checkpoint: what to ask")
    add_json(parser)
    launch.add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Count and print."""
    args = parse_args()
    if args.checkpoint and not args.video:
        raise ValueError("--checkpoint counts the rows of a video: name one with --video.")
    if args.text < 1 or (args.frames is not None and args.frames < 1):
        raise ValueError(f"--text {args.text}, --frames {args.frames}: give at least 1 (the video's place is text).")
    cfg = launch.read_config(args.config, args.cfg_options)
    register_all_modules()
    set_frames(cfg, args.frames, parse_size(args.size) if args.size else None)
    clip, cost = _clip(cfg, args.video), CostModel(cfg)
    found: dict[str, SampleCost] = variants(cfg, clip, args.text, cost)
    if args.checkpoint:
        found["measured"] = measure(cfg, args.video, args.checkpoint, args.question)
    print(f"The prefill of an answer with {args.config}\n{cost_report(cost, found, [_basis(clip, args.text)])}")
    write_json(args.json, cost_json(found))


def _clip(cfg: Config, video: str | None) -> VideoMeta:
    if video is None:
        return NOMINAL_CLIP
    meta: VideoMeta = VIDEO_READERS.build(load_video(cfg)["reader"]).probe(video)
    return meta


def _basis(clip: VideoMeta, text: int) -> str:
    name = clip.path or "A nominal clip"
    return f"{name}, {clip.width} x {clip.height} pixels, {clip.duration:.1f} s; {text} text tokens; batch of one."


if __name__ == "__main__":
    sys.exit(launch.run(main))

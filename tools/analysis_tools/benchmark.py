"""Time configs against each other: time to first token, decoding, memory, throughput.

``python tools/analysis_tools/benchmark.py CONFIG [--against CONFIG ...] [--frames 32] [--size HxW] [--device cuda]
[--dtype bfloat16] [--json FILE]``

All models are in one process and take turns; medians of the rounds are shown, and for each config its ratio to the
first one, the median of the rounds' ratios. Weights are random where none are given. Time starts with decoded frames
in memory.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools/ is no installed package

import torch
from mmengine.config import Config

from elva.apis.cost.variants import parse_size, set_frames
from elva.apis.latency import LatencyProbe, Prompt
from elva.registry import FRAME_SAMPLERS, RESOLUTION_SCHEDULERS, register_all_modules
from elva.structures import VideoMeta
from elva.utils import launch
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import gibibytes, table
from tools.analysis_tools.benchmarks.timing import median_ratio

Measured = dict[str, dict[str, list[float]]]
"""Values of each round, by config and by what was measured."""

NOMINAL = VideoMeta(path="nominal", duration=60.0, fps=30.0, height=720, width=1280)
"""The video that frames are planned for."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("config")
    parser.add_argument("--against", nargs="+", default=[], metavar="CONFIG")
    parser.add_argument("--frames", type=int, help="default: as each config tests")
    parser.add_argument("--size", metavar="HxW", help="of a frame in pixels; default: as each config tests")
    parser.add_argument("--text", type=int, default=64, help="text ids of the prompt (default 64)")
    parser.add_argument("--tokens", type=int, default=32, help="tokens to decode (default 32)")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16], help="for throughput (default 1 4 16)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="default: bfloat16 on a GPU, else float32")
    add_json(parser, "every round's numbers")
    launch.add_cfg_options(parser)
    return parser.parse_args(argv)


def prompt_of(cfg: Config, frames: int | None, size: str | None, text: int) -> Prompt:
    """The prompt of a config: the frames that it would read of a minute of video in 1280 x 720 pixels."""
    loader = set_frames(cfg, frames, parse_size(size) if size else None)
    plan = FRAME_SAMPLERS.build(loader["sampler"]).plan(NOMINAL)
    return Prompt(RESOLUTION_SCHEDULERS.build(loader["resolution"]).assign(plan, NOMINAL), text)


def measure(probes: Mapping[str, tuple[LatencyProbe, Prompt]], args: argparse.Namespace) -> Measured:
    """Let the models take turns; one round before the first that counts."""
    found: Measured = {name: {} for name in probes}
    for number in range(-1, args.rounds):
        for name in list(probes)[:: 1 if number % 2 else -1]:
            probe, prompt = probes[name]
            jobs = {
                "first token, s": partial(probe.first_token, prompt),
                "decoding, tokens/s": partial(probe.decoding, prompt, args.tokens),
                "peak memory": partial(probe.peak_memory, prompt),
            }
            for samples in args.batches:
                jobs[f"answers/s, batch {samples}"] = partial(probe.throughput, prompt, samples, args.tokens)
            if number < 0:
                probe.first_token(prompt)
                continue
            for job, run in jobs.items():
                found[name].setdefault(job, []).append(run())
    return found


def summary(found: Measured) -> str:
    """A table, a row a measurement, with medians, and ratios to the first config."""
    names = list(found)
    header = ["", names[0], *(cell for name in names[1:] for cell in (name, "ratio"))]
    rows = [header]
    for job, first in found[names[0]].items():
        show = gibibytes if job == "peak memory" else "{:.3g}".format
        row = [job, show(median(first))]
        for name in names[1:]:
            row += [show(median(found[name][job])), f"{median_ratio(found[name][job], first):.3f}"]
        rows.append(row)
    return table(rows, indent=0)


def labels(paths: Sequence[str]) -> list[str]:
    """A short name for each config: its stem, numbered where it comes twice."""
    stems = [Path(path).stem for path in paths]
    return [f"{stem} ({i})" if stems.count(stem) > 1 else stem for i, stem in enumerate(stems, start=1)]


def main(argv: list[str] | None = None) -> None:
    """Build every model, measure, print."""
    args = parse_args(argv)
    register_all_modules()
    dtype = args.dtype or ("bfloat16" if args.device.startswith("cuda") else "float32")
    paths = [args.config, *args.against]
    probes = {}
    for name, path in zip(labels(paths), paths, strict=True):
        cfg = launch.read_config(path, args.cfg_options)
        probes[name] = (LatencyProbe(cfg, args.device, dtype), prompt_of(cfg, args.frames, args.size, args.text))
    device = torch.cuda.get_device_name() if args.device.startswith("cuda") else f"{torch.get_num_threads()} threads"
    print(f"{device}, {dtype}, torch {torch.__version__}")
    for name, (probe, prompt) in probes.items():
        tokens = probe.model.tokenizer.count(prompt.plan)
        print(f"{name}: {len(prompt.plan)} frames, {tokens} visual tokens, weights {gibibytes(probe.weights)}")
    found = measure(probes, args)
    print(f"\n{summary(found)}")
    content = {"device": device, "dtype": dtype, "torch": torch.__version__, "rounds": found}
    write_json(args.json, content)


if __name__ == "__main__":
    sys.exit(launch.run(main))

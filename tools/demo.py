"""Render a data set, train ELVA-tiny on it in three stages, test it, and write work_dirs/demo/report.html.

Every run starts afresh: what an earlier one left in work_dirs/demo is replaced. Seeds are fixed. The steps are the
toolkit's own commands, shown as they run; each can be run by itself.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from elva.utils.process_stats import PeakMemory
from elva.utils.stages import last_checkpoints
from elva.utils.steps import Step, StepFailedError, clock, run_steps

ROOT = Path(__file__).resolve().parent.parent
OUT = "work_dirs/demo"  # the paths in configs/elva_tiny_*.py lead here
STAGES = {"stage1": "stage 1 (stills)", "stage2": "stage 2 (clips)", "stage3": "stage 3 (questions)"}
CLIPS = {"train": 3000, "val": 0, "test": 500}
QUICK_CLIPS = {"train": 64, "val": 0, "test": 20}
QUICK_ITERS = 6
LLM_SHAPE = {"hidden": 128, "layers": 4, "heads": 4, "kv-heads": 4, "intermediate": 384}
TEXTS = ("caption", "caption_original", "image_caption", "image_caption_original", "qa")
RUNS = {  # name: (title, config, options)
    "merged": ("Testing", "elva_tiny_stage3.py", ()),
    "no_merge": ("Testing without merging", "elva_tiny_stage3.py", ("model.merger.ratio=0",)),
    "blind": ("Testing with blank frames", "elva_tiny_blind.py", ()),
}
EXPECTED = {"render": 25, "llm": 8, "stage1": 105, "stage2": 120, "stage3": 330, "test": 8}
"""Seconds on two cores, for the first estimate of the time left."""
QUICK_EXPECTED = 12


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    quick = "a few iterations on a few clips, in work_dirs/demo_quick, to try every step; its accuracies mean nothing"
    parser.add_argument("--quick", action="store_true", help=quick)
    start = os.environ.get("ELVA_DEMO_START") or None
    started = "when it all began, in seconds since 1970, so that installing counts (default: $ELVA_DEMO_START)"
    parser.add_argument("--started", type=float, metavar="EPOCH", default=start, help=started)
    return parser.parse_args(argv)


def plan(quick: bool) -> tuple[list[Step], str]:
    """Every step, and the checkpoint that is tested in the end."""
    ends = last_checkpoints([path("configs", f"elva_tiny_{stage}.py") for stage in STAGES])
    if quick:
        ends = [str(Path(end).with_name(f"iter_{QUICK_ITERS}.pth")) for end in ends]
    data, llm = f"{OUT}/data", f"{OUT}/llm"
    clips = [f"--{split}={number}" for split, number in (QUICK_CLIPS if quick else CLIPS).items()]
    texts = [f"{data}/train_{kind}.json" for kind in TEXTS]
    shape = [f"--{key}={value}" for key, value in LLM_SHAPE.items()]

    def step(name: str, title: str, tool: str, *args: str) -> Step:
        expected = QUICK_EXPECTED if quick else EXPECTED[name.partition("_")[0]]
        log = "" if "_tools/" in tool else f"{OUT}/{name}/log.txt"
        return Step(name, title, (sys.executable, path("tools", *tool.split("/")), *args), expected, log)

    steps = [
        step("render", "Rendering the data set", "dataset_tools/make_moving_shapes.py", "--out", data, *clips),
        step("llm", "Making a language model", "model_tools/make_tiny_llm.py", "--out", llm, "--texts", *texts, *shape),
    ]
    for stage, start in zip(STAGES, ("", *ends), strict=False):
        iters = [f"train_cfg.max_iters={QUICK_ITERS}", f"train_cfg.val_interval={QUICK_ITERS}"]
        options = [*iters, "default_hooks.logger.interval=1"] + ([f"load_from={start}"] if start else [])
        more = ["--cfg-options", *options] if quick else []
        args = [path("configs", f"elva_tiny_{stage}.py"), *more, "--work-dir", f"{OUT}/{stage}"]
        steps.append(step(stage, f"Training, {STAGES[stage]}", "train.py", *args))
    for name, (title, file, settings) in RUNS.items():
        out = f"{OUT}/predictions_{name}.json"
        more = ["--cfg-options", *settings] if settings else []
        args = [path("configs", file), ends[-1], "--out", out, *more, "--work-dir", f"{OUT}/test_{name}"]
        steps.append(step(f"test_{name}", title, "test.py", *args))
    return steps, ends[-1]


def path(*parts: str) -> str:
    """Path of a file of the repository, from the working directory."""
    return os.path.relpath(ROOT.joinpath(*parts))


def run(args: argparse.Namespace, begin: float) -> None:
    """Run all steps and write the report."""
    where = ROOT / "work_dirs" / "demo_quick" if args.quick else ROOT
    where.mkdir(parents=True, exist_ok=True)
    os.chdir(where)  # the configs' paths are relative: a quick run leaves the result of a full one alone
    steps, checkpoint = plan(args.quick)
    print(f"Starting afresh in {where / OUT}.")
    shutil.rmtree(OUT, ignore_errors=True)
    seconds = {"install": begin - args.started} if args.started else {}
    with PeakMemory() as memory:
        seconds |= run_steps(steps)
        print("Writing the report ...")
        from elva.visualization.demo_report import DemoFiles, write_report  # torch comes with it; not needed before

        files = DemoFiles(
            config=path("configs", RUNS["merged"][1]),
            checkpoint=checkpoint,
            predictions={name: f"{OUT}/predictions_{name}.json" for name in RUNS},
            work_dirs={title.partition(" (")[0]: f"{OUT}/{stage}" for stage, title in STAGES.items()},
            out=Path(OUT),
        )
        measured = {
            "seconds": round(time.time() - (args.started or begin), 1),
            "seconds_by_step": {name: round(value, 1) for name, value in seconds.items()},
            "peak_rss_bytes": memory.bytes,
            "command": shlex.join(["python", "tools/demo.py", *sys.argv[1:]]),
            "quick": args.quick,
        }
        write_report(files, measured)


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    begin = time.time()
    args = parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # keeps its lines between those of the steps
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # they show tiny files being read
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is signal.SIG_DFL:  # under nohup it is not
            signal.signal(signum, _terminate)
    try:
        run(args, begin)
    except StepFailedError as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted after {clock(time.time() - begin)}; nothing is left running.", file=sys.stderr)
        return 130
    return 0


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)  # ends the running step on the way out


if __name__ == "__main__":
    sys.exit(main())

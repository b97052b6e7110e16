"""Every merger and reducer at one token budget, on the same checkpoint and the same questions.

``python tools/analysis_tools/leaderboard.py CONFIG [NAME=]CHECKPOINT ... [--budget 0.65] [--out FILE.md]``

The config's ``leaderboard`` lists what takes part: ``dict(part=dict(type=..., ...), knob=..., values=[...])``, where
``knob`` is the argument that sets how much is taken away. It is set to the value whose mean number of rows a layer is
nearest to ``budget`` (the share of that without any reduction), measured on the first test samples; no answer is looked
at for that. A row without reduction and a row with blank frames tell what the numbers mean. With several checkpoints
(one trained with merging, one without) each has its column; the table is sorted by the first.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools/ is no installed package

from mmengine.config import Config

from elva.apis.evaluation import Evaluator
from elva.registry import MERGERS, REDUCERS
from elva.utils import launch
from elva.utils.json_file import add_json, write_json
from elva.utils.report_text import amount, table
from elva.utils.run_table import RunTable, fingerprint
from tools.analysis_tools.sweep import named

KEYS = ("checkpoint", "part", "budget", "of")
PLAIN, BLIND = "no reduction", "no reduction, blank frames"


@dataclass(frozen=True)
class Entry:
    """What takes part.

    Attributes:
        part: Config of a merger or a reducer.
        knob: The argument that sets how much is taken away; None if nothing does.
        values: To choose the knob's value from.
    """

    part: dict[str, Any]
    knob: str | None = None
    values: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """Its type."""
        return str(self.part["type"])

    @property
    def inside(self) -> bool:
        """Whether it works inside the language model, not before it."""
        return self.name in MERGERS

    def candidates(self) -> list[dict[str, Any]]:
        """The part with each value of its knob."""
        return [{**self.part, self.knob: value} for value in self.values] if self.knob else [self.part]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("config")
    parser.add_argument("checkpoints", nargs="+", metavar="[NAME=]CHECKPOINT")
    parser.add_argument(
        "--budget", type=float, default=0.65, help="mean rows a layer, of those unreduced (default .65)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table there as Markdown")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/leaderboard"))
    add_json(parser)
    launch.add_cfg_options(parser)
    return parser.parse_args(argv)


def read_entries(cfg: Config) -> list[Entry]:
    """What the config's ``leaderboard`` lists.

    Raises:
        ValueError: If there is no list, or a part of it is neither a merger nor a reducer, or is there twice.
    """
    listed = cfg.get("leaderboard")
    if not listed:
        raise ValueError(f"{cfg.filename} has no 'leaderboard', the list of what takes part.")
    entries = [Entry(dict(e["part"]), e.get("knob"), tuple(e.get("values", ()))) for e in listed]
    names = [entry.name for entry in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            raise ValueError(
                f"{cfg.filename}: 'leaderboard' lists {entry.name} twice; a table has one row of each type."
            )
        if not entry.inside:
            REDUCERS.get(entry.name)  # an unknown name is answered with the nearest ones
    return entries


def mean(values: Sequence[float]) -> float:
    """Their mean."""
    return sum(values) / len(values)


def put(evaluator: Evaluator, part: dict[str, Any] | None, inside: bool = True) -> None:
    """Let the model reduce by ``part`` and nothing else."""
    evaluator.exchange(part if inside else None, [part] if part and not inside else [])


def match(evaluator: Evaluator, entry: Entry, rows: float) -> dict[str, Any]:
    """The candidate whose mean number of rows a layer is nearest to ``rows``."""
    distance = []
    for candidate in entry.candidates():
        put(evaluator, candidate, entry.inside)
        distance.append(abs(mean(evaluator.cost()[0]) - rows))
    return entry.candidates()[distance.index(min(distance))]


def blind(cfg: Config) -> Config:
    """The config with blank test frames; ``cfg`` is changed, and returned."""
    pipeline = cfg.test_dataloader.dataset.pipeline
    at = 1 + max(i for i, transform in enumerate(pipeline) if transform["type"] == "LoadVideo")
    pipeline.insert(at, {"type": "BlankFrames"})
    return cfg


def run_all(args: argparse.Namespace) -> list[dict[str, str]]:
    """Run what is missing; returns the rows of this budget, checkpoint by checkpoint."""

    def read() -> Config:
        cfg = launch.read_config(args.config, args.cfg_options)
        cfg.work_dir = str(args.work_dir / "log")
        return cfg

    entries: list[Entry | str] = [PLAIN, *read_entries(read()), BLIND]
    runs = RunTable(args.work_dir / "runs.csv", KEYS)
    wanted = []
    for name, path in map(named, args.checkpoints):
        board = Board(read, path, args.budget)
        for entry in entries:
            part = entry if isinstance(entry, str) else entry.name
            key = {"checkpoint": name, "part": part, "budget": f"{args.budget:g}", "of": board.identity(entry)}
            if runs.find(key) is None:
                print(f"\n=== {name}: {part} ===\n", flush=True)
                runs.add({**key, **board.run(entry)})
            wanted.append(runs.find(key))
    return [row for row in wanted if row is not None]


class Board:
    """Runs entries on one checkpoint.

    Args:
        read: Gives the config.
        checkpoint: Its path.
        budget: Share of the unreduced rows.
    """

    def __init__(self, read: Callable[[], Config], checkpoint: str, budget: float) -> None:
        self.read, self.checkpoint, self.budget = read, checkpoint, budget
        self.evaluator = Evaluator(read(), checkpoint)
        put(self.evaluator, None)
        self.rows, self.flops = self.evaluator.cost()

    def identity(self, entry: Entry | str) -> str:
        """Changes with everything that the run of ``entry`` is made of."""
        cfg = self.read()
        cfg.pop("leaderboard")
        return fingerprint(cfg, Path(self.checkpoint), entry if isinstance(entry, str) else asdict(entry))

    def run(self, entry: Entry | str) -> dict[str, Any]:
        """The numbers of an entry, or of ``PLAIN`` or ``BLIND``."""
        judge, setting = self.evaluator, dict[str, Any]()
        if entry == BLIND:
            judge = Evaluator(blind(self.read()), self.checkpoint)
        if isinstance(entry, Entry):
            setting = match(judge, entry, self.budget * mean(self.rows))
            put(judge, setting, entry.inside)
        else:
            put(judge, None)
        found = judge.run()
        shares = {"rows": mean(found.rows) / mean(self.rows), "flops": found.flops / self.flops}
        return {"setting": json.dumps(setting), **shares, "ttft": found.ttft, **found.metrics}


def lines(rows: Sequence[dict[str, str]], checkpoints: Sequence[str]) -> list[list[str]]:
    """The cells of the table, the header first, sorted by accuracy with the first checkpoint."""
    by = {(row["checkpoint"], row["part"]): row for row in rows}
    first = [row for row in rows if row["checkpoint"] == checkpoints[0]]
    first.sort(key=lambda row: -float(row["accuracy/overall"]))
    accuracy = [f"accuracy, {name}" for name in checkpoints] if len(checkpoints) > 1 else ["accuracy"]
    body = []
    for row in first:
        scores = [f"{float(by[name, row['part']]['accuracy/overall']):.3f}" for name in checkpoints]
        where = "" if row["part"] in (PLAIN, BLIND) else "inside" if row["part"] in MERGERS else "before"
        shares = [f"{float(row[key]):.0%}" for key in ("rows", "flops")]
        body.append([row["part"], where, _setting(row), *scores, *shares])
    return [["part", "where", "setting", *accuracy, "rows", "FLOPs"], *body]


def _setting(row: dict[str, str]) -> str:
    setting = {key: value for key, value in json.loads(row["setting"]).items() if key != "type"}
    return ", ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in setting.items()
    )


def markdown(cells: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers to the right."""
    rule = ["---" if index < 3 else "---:" for index in range(len(cells[0]))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:]))


def commit() -> str:
    """The commit that is checked out, and whether the code differs from it."""
    git = ("git", "-C", str(Path(__file__).resolve().parents[2]))
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "elva", "tools", "configs"], check=False)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("-dirty" if changed.returncode else "")


def page(args: argparse.Namespace, rows: Sequence[dict[str, str]], command: str) -> str:
    """The Markdown page: table, command, commit."""
    names = [named(checkpoint)[0] for checkpoint in args.checkpoints]
    questions = round(float(rows[0]["n"]))
    error = amount(0.5 / questions**0.5)
    return (
        f"# Leaderboard\n\nEvery merger and reducer at {args.budget:.0%} of the rows of the unreduced model, on "
        f"{questions} questions (standard error of an accuracy: at most {error}). Rows and FLOPs are shares of the "
        "unreduced model's: rows a mean over the layers, FLOPs those of tokenizer and language model until the first "
        "token, without the arithmetic of the reduction itself. Where a part cannot come near the budget, its rows "
        "say so.\n\n"
        f"{markdown(lines(rows, names))}\n\n```sh\n{command}\n```\n\nCommit `{commit()}`.\n"
    )


def main(argv: list[str] | None = None) -> None:
    """Run, print, write."""
    args = parse_args(argv)
    if not 0 < args.budget <= 1:
        raise ValueError(f"--budget {args.budget}: the share of the unreduced rows, above 0 and at most 1.")
    rows = run_all(args)
    cells = lines(rows, [named(checkpoint)[0] for checkpoint in args.checkpoints])
    print(f"\n{table(cells, align='<<<' + '>' * (len(cells[0]) - 3), indent=0)}")
    write_json(args.json, rows)
    if args.out:
        words = sys.argv[1:] if argv is None else argv
        command = shlex.join(["python", "tools/analysis_tools/leaderboard.py", *words])
        args.out.write_text(page(args, rows, command), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(launch.run(main))

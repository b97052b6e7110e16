"""The demo's report: ``report.json``, ``report.html`` and a table on the screen, from what its steps left behind."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from elva.datasets import collate_samples
from elva.models.video_llm import VideoLLM
from elva.registry import DATASETS, MODELS, register_all_modules
from elva.utils.checkpoint import load_checkpoint
from elva.utils.report_text import gibibytes
from elva.utils.steps import clock

from . import demo_numbers as numbers
from .demo_page import skill_rows, write_demo_page
from .merge_strip import ClipTrace, trace_clip
from .training_log import read_scalars

STRIP_SKILLS = ("direction", "order", "count")
"""The strips show the first test question of each, whatever the model makes of it."""


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo's steps left what the report is made of.

    Attributes:
        config: The config that was tested.
        checkpoint: Its weights.
        predictions: Answers of the runs ``'merged'``, ``'no_merge'`` and ``'blind'``.
        work_dirs: Work directory of each stage's training, by its title.
        out: Folder for ``report.json`` and ``report.html``.
    """

    config: str
    checkpoint: str
    predictions: Mapping[str, str]
    work_dirs: Mapping[str, str]
    out: Path


def write_report(files: DemoFiles, run: Mapping[str, Any]) -> dict[str, Any]:
    """Collect every number, write ``report.json`` and ``report.html``, and show the table.

    Args:
        files: What the steps left.
        run: ``seconds``, ``seconds_by_step``, ``peak_rss_bytes``, ``command``, ``quick``; they go into the report.

    Returns:
        The report, as it is written.
    """
    model, dataset = load_tested(files.config, files.checkpoint)
    answers = {name: numbers.read_predictions(path) for name, path in files.predictions.items()}
    tokens = {"merged": numbers.mean_tokens(answers["merged"]), "unmerged": numbers.mean_tokens(answers["no_merge"])}
    plan = dataset[0]["data_samples"].plans[0]
    parts = {name: numbers.prefill_flops(model, rows, plan) for name, rows in tokens.items()}
    report = {
        **run,
        **numbers.accuracy_numbers(answers["merged"], answers["no_merge"], answers["blind"]),
        "tokens_per_layer": tokens,
        "flops": {name: sum(by_part.values()) for name, by_part in parts.items()},
        "flops_by_part": parts,
        "parameters": numbers.parameters(model),
        "versions": numbers.versions(),
    }
    files.out.mkdir(parents=True, exist_ok=True)
    (files.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    logs = {title: read_scalars(folder) for title, folder in files.work_dirs.items()}
    write_demo_page(files.out / "report.html", report, logs, trace_examples(model, dataset, answers["merged"]))
    show(report, files.out)
    return report


def load_tested(config: str, checkpoint: str) -> tuple[VideoLLM, Any]:
    """The model of a config with the weights of a checkpoint, and the config's test data."""
    register_all_modules()
    cfg = Config.fromfile(config)
    model = MODELS.build(cfg.model)
    model.load_state_dict(load_checkpoint(checkpoint, "cpu")["state_dict"])
    return model.eval(), DATASETS.build(cfg.test_dataloader.dataset)


@torch.no_grad()
def trace_examples(
    model: VideoLLM, dataset: Any, answers: Sequence[numbers.Record]
) -> list[tuple[numbers.Record, ClipTrace]]:
    """The first question of each of ``STRIP_SKILLS`` with its answer, and the trace of its clip.

    Args:
        model: The model that answered.
        dataset: The test data.
        answers: In the order of the data.
    """
    examples = []
    for skill in STRIP_SKILLS:
        index = next((i for i, answer in enumerate(answers) if numbers.skill_of(answer) == skill), None)
        if index is not None:
            data = model.data_preprocessor(collate_samples([dataset[index]]))
            assert data["data_samples"][0].id == answers[index]["id"], "answers are not in the order of the data"
            examples.append((answers[index], trace_clip(model, data["inputs"])))
    return examples


def show(report: Mapping[str, Any], out: Path, console: Console | None = None) -> None:
    """Print the table.

    Args:
        report: As in ``report.json``.
        out: Where the report is.
        console: Default: the screen.
    """
    console = console or Console()
    title = "Accuracy" + (" (quick: these numbers mean nothing)" if report["quick"] else "")
    head, *rows = skill_rows(report)
    table = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in head:
        table.add_column(column, justify="left" if column == head[0] else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    flops, tokens = report["flops"], report["tokens_per_layer"]
    console.print(
        f"Tokens in the last layer: {tokens['merged'][-1]:.0f} merged, {tokens['unmerged'][-1]:.0f} unmerged; "
        f"FLOPs of a prefill: {flops['merged'] / flops['unmerged']:.0%} of unmerged."
    )
    console.print(f"{clock(report['seconds'])}, at most {gibibytes(report['peak_rss_bytes'])} of memory.")
    console.print(f"Pictures: {out / 'report.html'}   Numbers: {out / 'report.json'}", soft_wrap=True)

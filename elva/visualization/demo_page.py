"""The pictures of the demo's report, and what each of them says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elva.utils.report_text import amount, gibibytes
from elva.utils.steps import clock

from .merge_strip import ClipTrace, draw_strip
from .plots import accuracy_bars, loss_curves, tokens_per_layer
from .report_html import Picture, Section, Table, write_page
from .training_log import Record

Report = Mapping[str, Any]

LOSSES = {"loss_gen": "generative", "loss_tube": "tube alignment", "loss_contrast": "frame contrast"}
QUICK = (
    "A quick run: a few iterations on a few clips, to see that every step works. "
    "Its accuracies, and what its curves show, mean nothing."
)


def write_demo_page(
    path: Path,
    report: Report,
    logs: Mapping[str, Sequence[Record]],
    examples: Sequence[tuple[Mapping[str, Any], ClipTrace]],
) -> None:
    """Write the page.

    Args:
        path: Where to.
        report: What ``report.json`` holds.
        logs: Log records of each stage, by its title.
        examples: Answers, and the traces of their clips.
    """
    sections = [
        _summary(report),
        _training(logs),
        _accuracy(report),
        _tokens(report),
        _strips(examples),
        _origin(report),
    ]
    write_page(path, "ELVA-tiny: from a video file to an answer", sections, QUICK if report["quick"] else "")


def skill_rows(report: Report) -> list[list[str]]:
    """The table of accuracies, its header first and all skills together last."""
    accuracy, chance, count = report["accuracy"], report["chance"], report["n_by_skill"]
    rows = [["skill", "questions", "accuracy", "unmerged", "blind", "chance", "over blind"]]
    for skill, value in accuracy["by_skill"].items():
        no_merge, blind = accuracy["no_merge_by_skill"][skill], accuracy["blind_by_skill"][skill]
        rows.append([skill, str(count[skill]), *_cells(value, no_merge, blind, chance["by_skill"][skill])])
    overall = _cells(accuracy["overall"], accuracy["no_merge"], accuracy["blind"], chance["overall"])
    rows.append(["overall", str(report["n"]), *overall])
    return rows


def _cells(value: float, no_merge: float, blind: float, chance: float) -> list[str]:
    return [f"{number:.3f}" for number in (value, no_merge, blind, chance)] + [f"{value - blind:+.3f}"]


def _summary(report: Report) -> Section:
    install = report["seconds_by_step"].get("install")
    of_that = f", {clock(install)} of it before the first step (installation)" if install else ""
    text = (
        f"A language model of {report['parameters']['total'] / 1e6:.2f} million parameters that reads pixels itself, "
        "with no vision encoder before it. It was trained from random weights on clips of moving shapes, in three "
        f"stages, and asked {report['n']} questions about clips that it had never seen. All of it took "
        f"{clock(report['seconds'])}{of_that}, and at most {gibibytes(report['peak_rss_bytes'])} of memory (resident "
        "sets of all processes added up, shared pages counted in each)."
    )
    return Section("What was done", [text, Table(skill_rows(report))])


def _training(logs: Mapping[str, Sequence[Record]]) -> Section:
    text = (
        "Stage 1 describes stills, stage 2 describes clips, stage 3 answers questions about clips. The stages predict "
        "different texts, so a jump of the generative loss from one to the next says nothing about quality. Tube "
        "alignment and frame contrast compare the last layer with a teacher (histograms of gradients, which need no "
        "weights); stage 3 goes without. From stage 2 on each iteration draws its merge ratio at random, which is part "
        "of the noise. These are losses on training data: whether anything was learned is in the next picture."
    )
    alt = "Generative, tube and contrast loss over the iterations of the three stages"
    return Section("Training", [text, Picture(loss_curves(logs, LOSSES), alt)])


def _accuracy(report: Report) -> Section:
    accuracy, count = report["accuracy"], report["n_by_skill"]
    weakest = min(accuracy["by_skill"], key=accuracy["by_skill"].get)
    cost = report["merge_cost"]
    text = (
        "Share of the answers that equal the reference word for word. 'Blind' is the same model with every frame "
        "grey: what can be had without looking, close to guessing (dashed) if the questions give nothing away. "
        "A skill is learned as far as its bar stands above that. The thin lines are one standard error, from the "
        "number of questions alone; another seed of the training would move the bars further. Weakest here: "
        f"{weakest}, {accuracy['by_skill'][weakest]:.2f}. Merging costs {cost['accuracy']:+.3f} of accuracy "
        f"(± {cost['standard_error']:.3f}, on the same questions; negative: it gains)."
    )
    bars = {
        "accuracy (merged)": {**accuracy["by_skill"], "overall": accuracy["overall"]},
        "unmerged": {**accuracy["no_merge_by_skill"], "overall": accuracy["no_merge"]},
        "blind": {**accuracy["blind_by_skill"], "overall": accuracy["blind"]},
    }
    chance = {**report["chance"]["by_skill"], "overall": report["chance"]["overall"]}
    figure = accuracy_bars(bars, chance, {**count, "overall": report["n"]})
    return Section(
        "Accuracy by skill", [text, Picture(figure, "Accuracy by skill, with and without merging, and blind")]
    )


def _tokens(report: Report) -> Section:
    tokens, flops = report["tokens_per_layer"], report["flops"]
    text = (
        f"A mean test question, with its clip, enters as {tokens['merged'][0]:.0f} tokens; "
        f"{tokens['merged'][-1]:.0f} of them are left in the last layer. That takes the FLOPs of a prefill (tokenizer, "
        "layers, one row of output) from "
        f"{amount(flops['unmerged'], 'FLOPs')} to {amount(flops['merged'], 'FLOPs')}, "
        f"{flops['merged'] / flops['unmerged']:.0%}. Text and the marks at the start of each frame never merge: in so "
        "short a clip they are a good part of what remains. These are counts, not times: at this size a computer "
        "spends much of its time on other things than products."
    )
    figure = tokens_per_layer({"merged": tokens["merged"], "unmerged": tokens["unmerged"]})
    return Section("Tokens in each layer", [text, Picture(figure, "Tokens entering each layer, merged and unmerged")])


def _strips(examples: Sequence[tuple[Mapping[str, Any], ClipTrace]]) -> Section:
    text = (
        "The first test question of some skills, right or wrong. Above, the frames that the model is given. Below, "
        "their patches after the first merge and after the last: in an outline, a patch that now stands for several; "
        "pale in the same colour, those that were merged into it, which are the same place at a later time; without "
        "outline, a patch that stands for itself alone. Frames that make one tubelet share their patches, so they look "
        "alike. The tokens that end each row of patches merge as well and are not drawn. What was merged is averaged, "
        "not lost: by then earlier layers have let the tokens look at each other."
    )
    pictures = [
        Picture(draw_strip(trace), f"Frames and merged patches of {answer['id']}", _caption(answer), "png")
        for answer, trace in examples
    ]
    return Section("What merging does to a clip", [text, *pictures])


def _caption(answer: Mapping[str, Any]) -> str:
    question = answer["question"].replace("<video>", "").strip()
    verdict = "right" if answer["score"] else "wrong"
    said = answer["raw"] or "nothing"
    return f"{question}\nReference: {answer['answer']} · the model: {said} ({verdict})"


def _origin(report: Report) -> Section:
    made = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    steps = Table([["step", "time"], *([name, clock(s)] for name, s in report["seconds_by_step"].items())])
    return Section(
        "How this was made", [f"{report['command']} · {made}. All numbers: report.json beside this page.", steps]
    )

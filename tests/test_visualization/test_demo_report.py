"""The whole report, from a model of random weights and made-up answers."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from elva.utils.results import write_results
from elva.visualization import demo_report
from elva.visualization.demo_page import write_demo_page
from elva.visualization.demo_report import DemoFiles, show, trace_examples, write_report
from tests.test_visualization.tiny import random_clip, sample_of, tiny_model

SKILLS = ("colour", "count", "direction", "order", "shape")
RUN = {
    "seconds": 100.0,
    "seconds_by_step": {"install": 40.0, "render": 60.0},
    "peak_rss_bytes": 2**30,
    "command": "python tools/demo.py",
    "quick": False,
}


def answer(index: int, correct: bool, tokens: list[int]) -> dict[str, Any]:
    skill = SKILLS[index % 5]
    text = {"question": f"<video>\nWhat {skill}?", "answer": "red", "raw": "red" if correct else ""}
    known = {"cluster": f"{index}.mp4", "groups": {"skill": skill}, "options": ["red", "blue"], "tokens": tokens}
    return {"id": str(index), "score": float(correct), **text, **known}


@pytest.fixture(scope="module")
def tested() -> tuple[Any, list[dict[str, Any]]]:
    """A model and its test data."""
    model = tiny_model({"type": "HierarchicalTemporalMerger", "layers": (1, 2), "tau": -1.0})
    return model, [sample_of(random_clip(seed=i), id=str(i)) for i in range(10)]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, tested: tuple[Any, Any]) -> Path:
    """The folder of a report."""
    folder = tmp_path_factory.mktemp("demo")
    runs = {"merged": (8, [39, 21, 15, 15]), "no_merge": (9, [39] * 4), "blind": (3, [39, 21, 15, 15])}
    for name, (right, tokens) in runs.items():
        write_results(folder / f"{name}.json", {}, [answer(i, i < right, tokens) for i in range(10)])
    for stage, names in {"1": ["loss_gen", "loss_tube", "loss_contrast"], "2": ["loss_gen"]}.items():
        logs = folder / stage / "20260101" / "vis_data"
        logs.mkdir(parents=True)
        records = [{"step": i, **dict.fromkeys(names, 1 / i)} for i in (1, 2, 3)]
        (logs / "scalars.json").write_text("".join(json.dumps(record) + "\n" for record in records))
    files = DemoFiles(
        config="c.py",
        checkpoint="c.pth",
        predictions={name: str(folder / f"{name}.json") for name in runs},
        work_dirs={f"stage {stage}": str(folder / stage) for stage in "12"},
        out=folder / "out",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_report, "load_tested", lambda config, checkpoint: tested)
        report = write_report(files, RUN)
    assert json.loads((files.out / "report.json").read_text()) == report
    return files.out


@pytest.fixture
def report(out: Path) -> dict[str, Any]:
    """What is in report.json."""
    loaded: dict[str, Any] = json.loads((out / "report.json").read_text())
    return loaded


def test_report_json_has_what_it_promises(report: dict[str, Any]) -> None:
    assert RUN.items() <= report.items()
    assert report["accuracy"]["overall"] == 0.8
    assert report["accuracy"]["by_skill"]["order"] == 0.5
    assert report["accuracy"]["no_merge"] == 0.9
    assert report["accuracy"]["blind"] == 0.3
    assert report["chance"]["overall"] == 0.5
    assert report["tokens_per_layer"] == {"merged": [39, 21, 15, 15], "unmerged": [39] * 4}
    assert report["flops"]["merged"] < report["flops"]["unmerged"]
    assert report["flops"]["merged"] == sum(report["flops_by_part"]["merged"].values())


def test_the_page_says_what_the_numbers_say(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert "Weakest here: order, 0.50. Merging costs +0.100" in page
    assert "enters as 39 tokens; 15 of them are left" in page
    assert "1 min 40 s, 40 s of it before the first step (installation)" in page
    assert page.count("<img ") == 3 + 3  # charts, and a strip for each of three skills
    assert "Reference: red · the model: red (right)" in page
    assert 'class="warning"' not in page
    assert page.count("<td>overall</td><td>10</td><td>0.800</td><td>0.900</td><td>0.300</td>") == 1


def test_a_quick_run_says_that_its_numbers_mean_nothing(report: dict[str, Any], tmp_path: Path) -> None:
    screen = io.StringIO()
    show(report | {"quick": True}, tmp_path, Console(file=screen, width=80))
    assert "these numbers mean nothing" in screen.getvalue()
    write_demo_page(tmp_path / "page.html", report | {"quick": True}, {}, [])
    assert 'class="warning">A quick run' in (tmp_path / "page.html").read_text()


def test_the_table_fits_a_terminal_of_80_columns(report: dict[str, Any], out: Path) -> None:
    screen = io.StringIO()
    show(report, out, Console(file=screen, width=80))
    lines = [line.split() for line in screen.getvalue().splitlines()]
    assert ["skill", "questions", "accuracy", "unmerged", "blind", "chance", "over", "blind"] in lines
    assert ["overall", "10", "0.800", "0.900", "0.300", "0.500", "+0.500"] in lines
    assert "15 merged, 39 unmerged" in screen.getvalue()
    assert str(out / "report.html") in screen.getvalue()


def test_strips_take_the_first_question_of_a_skill_even_if_it_is_wrong(tested: tuple[Any, Any]) -> None:
    model, dataset = tested
    examples = trace_examples(model, dataset, [answer(i, False, [1]) for i in range(10)])
    assert [record["id"] for record, _ in examples] == ["2", "3", "1"]
    first = dataset[2]["inputs"]["clips"][0].pixels[0][0].permute(1, 2, 0).numpy()
    assert (examples[0][1].frames[0] == first).all()

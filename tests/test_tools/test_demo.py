"""The demo's plan fits the tools and configs that it calls, and it ends as it should."""

import shlex
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from elva.utils.steps import Step
from tools import demo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_file_that_a_command_names_exists(at_root: None) -> None:
    steps, _ = demo.plan(quick=False)
    assert [step.name for step in steps] == [
        "render", "llm", "stage1", "stage2", "stage3", "test_merged", "test_no_merge", "test_blind",
    ]  # fmt: skip
    for step in steps:
        assert step.command[0] == sys.executable
        files = [word for word in step.command[1:] if word.endswith(".py")]
        assert files
        assert all(Path(file).is_file() for file in files), files


def test_stages_leave_the_checkpoint_to_their_configs_and_tests_take_the_last(at_root: None) -> None:
    steps, checkpoint = demo.plan(quick=False)
    cfg = Config.fromfile("configs/elva_tiny_stage3.py")
    assert checkpoint == f"work_dirs/demo/stage3/iter_{cfg.train_cfg.max_iters}.pth"
    for step in steps:
        words = step.command
        if step.name.startswith("stage"):
            assert words[words.index("--work-dir") + 1] == Config.fromfile(words[2]).work_dir
            assert "--cfg-options" not in words
        if step.name.startswith("test"):
            assert words[3] == checkpoint


def test_a_quick_run_trains_a_few_iterations_from_one_stage_to_the_next(at_root: None) -> None:
    steps, checkpoint = demo.plan(quick=True)
    by_name = {step.name: step.command for step in steps}
    assert checkpoint == "work_dirs/demo/stage3/iter_6.pth"
    assert "train_cfg.max_iters=6" in by_name["stage1"]
    assert not any("load_from" in word for word in by_name["stage1"])
    assert "load_from=work_dirs/demo/stage2/iter_6.pth" in by_name["stage3"]


def test_runs_differ_in_merging_and_in_frames(at_root: None) -> None:
    by_name = {step.name: shlex.join(step.command) for step in demo.plan(quick=False)[0]}
    assert "model.merger.ratio=0" in by_name["test_no_merge"]
    assert "model.merger" not in by_name["test_merged"] + by_name["test_blind"]
    pipeline = Config.fromfile("configs/elva_tiny_blind.py").test_dataloader.dataset.pipeline
    assert "BlankFrames" in [transform.type for transform in pipeline]


def test_the_language_model_has_the_shape_that_the_config_expects(at_root: None) -> None:
    expected = Config.fromfile("configs/elva_tiny_stage3.py").model.llm.config
    keys = {
        "hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
        "kv-heads": "num_key_value_heads", "intermediate": "intermediate_size",
    }  # fmt: skip
    assert {keys[key]: value for key, value in demo.LLM_SHAPE.items()} == {key: expected[key] for key in keys.values()}


def test_the_start_comes_from_option_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELVA_DEMO_START", "")
    assert demo.parse_args([]).started is None
    monkeypatch.setenv("ELVA_DEMO_START", "1700000000")
    assert demo.parse_args([]).started == 1.7e9
    assert demo.parse_args(["--started", "5"]).started == 5


def fake(monkeypatch: pytest.MonkeyPatch, root: Path, *codes: str) -> None:
    """Let the demo run ``codes`` in ``root`` instead of its own steps."""
    steps = [Step(f"s{i}", f"Step {i}", (sys.executable, "-c", code), 1.0) for i, code in enumerate(codes)]
    monkeypatch.setattr(demo, "ROOT", root)
    monkeypatch.setattr(demo, "plan", lambda quick: (steps, "c.pth"))
    monkeypatch.setattr(demo.signal, "signal", lambda *_: None)  # pytest's own process keeps its handlers
    monkeypatch.chdir(root)


def test_a_failure_is_told_and_starts_from_a_clean_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, tmp_path, "import os; print(os.listdir('work_dirs'))", "raise SystemExit('my own message')")
    old = tmp_path / demo.OUT / "report.json"
    old.parent.mkdir(parents=True)
    old.write_text("of an earlier run")
    other = tmp_path / "work_dirs" / "mine"
    other.mkdir()
    assert demo.main([]) == 1
    out, err = capfd.readouterr()
    assert "my own message" in err
    assert "The demo stopped: 'Step 1' failed with exit status 1" in err
    assert "['mine']" in out
    assert "Starting afresh in" in out
    assert other.exists()
    assert not old.exists()


def test_ctrl_c_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, tmp_path)

    def interrupt(steps: list[Step]) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_steps", interrupt)
    assert demo.main([]) == 130
    assert "Interrupted after 0 s; nothing is left running." in capfd.readouterr().err


def test_a_quick_run_leaves_the_full_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, tmp_path, "import os; print('in', os.getcwd()); raise SystemExit(1)")
    full = tmp_path / demo.OUT / "report.json"
    full.parent.mkdir(parents=True)
    full.write_text("{}")
    assert demo.main(["--quick"]) == 1
    assert f"in {tmp_path / 'work_dirs' / 'demo_quick'}" in capfd.readouterr().out
    assert full.exists()

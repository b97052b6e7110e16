import json

import pytest
from mmengine.config import Config

from elva.apis.budget import calibration
from elva.apis.budget.calibration import ALLOWANCE, Calibration, key_of


def config(ratio: float = 0.5, width: int = 8) -> Config:
    return Config({"model": {"llm": {"width": width}, "merger": {"type": "ToMe", "ratio": ratio}}})


def test_times_lie_on_straight_lines_and_never_fall():
    table = Calibration(((1e9, 10.0), (2e9, 30.0), (4e9, 20.0)))
    assert table.milliseconds(1e8) == ALLOWANCE * 10
    assert table.milliseconds(1.5e9) == pytest.approx(ALLOWANCE * 20)
    assert table.milliseconds(4e9) == ALLOWANCE * 30, "a faster larger prefill was luck"
    assert table.milliseconds(8e9) == pytest.approx(ALLOWANCE * 60)


def test_a_model_is_measured_once_a_machine(tmp_path, monkeypatch):
    measured = []

    def measure(cfg: Config) -> list[tuple[float, float]]:
        measured.append(cfg.model.llm.width)
        return [(1e9, 7.0)]

    monkeypatch.setattr(calibration, "measure_prefills", measure)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for cfg in (config(), config(ratio=0.25), config(width=16)):
        assert Calibration.of(cfg).points == ((1e9, 7.0),)
    assert measured == [8, 16], "another merge ratio is no other model"
    kept = json.loads((tmp_path / "elva" / "calibration.json").read_text())
    assert set(kept) == {key_of(config()), key_of(config(width=16))}
    elsewhere = tmp_path / "elsewhere.json"
    Calibration.of(config(), elsewhere)
    assert measured == [8, 16, 8] and elsewhere.is_file()


@pytest.mark.parametrize("text", ["{oops", "[]", '{"a": 1}'])
def test_a_file_that_is_no_table_is_named(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json is no table of measured times"):
        Calibration.of(config(), tmp_path / "bad.json")


def test_several_processes_do_not_measure(tmp_path):
    cfg = config()
    cfg.launcher = "pytorch"
    with pytest.raises(ValueError, match="once in a single process"):
        Calibration.of(cfg, tmp_path / "none.json")

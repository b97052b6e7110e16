import json

import numpy as np
import pytest
import torch

from elva.utils.results import check_out, write_results

RECORDS = [{"id": "a", "prediction": "röt", "score": np.float32(0.5)}, {"id": "b", "rows": torch.tensor([3, 2])}]


def test_json_has_metrics_and_predictions(tmp_path):
    write_results(tmp_path / "new" / "out.json", {"accuracy": np.float64(0.75)}, RECORDS)
    found = json.loads((tmp_path / "new" / "out.json").read_text(encoding="utf-8"))
    assert found["metrics"] == {"accuracy": 0.75}
    assert found["predictions"][0] == {"id": "a", "prediction": "röt", "score": 0.5}
    assert found["predictions"][1]["rows"] == [3, 2]


def test_jsonl_has_a_prediction_a_line(tmp_path):
    write_results(tmp_path / "out.jsonl", {"accuracy": 0.75}, RECORDS)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]


@pytest.mark.parametrize("name", ["out.pkl", "out", "out.csv"])
def test_other_formats_are_refused(name):
    with pytest.raises(ValueError, match=rf"--out {name}: results are written as \.json or \.jsonl"):
        check_out(name)


def test_known_formats_pass():
    check_out("a.json")
    check_out("a.jsonl")


def test_what_json_cannot_hold_is_an_error(tmp_path):
    with pytest.raises(TypeError, match="a object cannot be written"):
        write_results(tmp_path / "out.json", {"x": object()}, [])

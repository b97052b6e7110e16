import json
from pathlib import Path
from typing import Any

import pytest

from elva.utils import launch
from tools.analysis_tools import compare


def write(folder: Path, scores: str, protocol: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    lines = [
        json.dumps(
            {
                "id": f"q{i}",
                "question_id": f"q{i}",
                "cluster": f"{i // 2}.mp4",
                "question": "What?",
                "options": ["x", "y"],
                "answer": "A",
                "raw": "A" if score == "1" else "B",
                "parsed": "A" if score == "1" else "B",
                "score": None if score == "-" else float(score),
                "groups": {"kind": "ab"[i % 2], "length": "short"},
            }
        )
        for i, score in enumerate(scores)
    ]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    if protocol is not None:
        (folder / "protocol.json").write_text(json.dumps(protocol))
    return folder / "predictions.jsonl"


def run(monkeypatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["compare.py", *map(str, words)])
    return launch.run(compare.main)


def test_table_json_and_changed_samples(tmp_path, monkeypatch, capsys):
    protocol = {"data": {"benchmark": "X"}, "metrics": [{"metric": "MultipleChoice"}], "frames": {"num_frames": 8}}
    one = write(tmp_path / "a", "11001100110-", protocol)
    other = write(tmp_path / "b", "111011101110", protocol | {"frames": {"num_frames": 16}})
    out, changed = tmp_path / "deep" / "out.json", tmp_path / "deep" / "changed.jsonl"
    assert run(monkeypatch, one, other, "--group", "kind", "--json", out, "--changed", changed) == 0
    said = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["overall"]["n"] == 11 and found["left_out"] == 1
    assert (found["overall"]["gained"], found["overall"]["lost"]) == (3, 0)
    assert found["overall"]["difference"] == pytest.approx(3 / 11)
    assert found["overall"]["mcnemar_p"] == 0.25
    assert set(found["groups"]) == {"kind/a", "kind/b"}
    assert found["protocol"] == {"frames.num_frames": [8, 16]}
    assert [json.loads(line)["id"] for line in changed.read_text().splitlines()] == ["q2", "q6", "q10"]
    assert "+0.273" in said and "kind: a" in said and "frames.num_frames" in said and "6 videos" in said
    assert "1 records are left out" in said


def test_no_difference_is_said(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, write(tmp_path / "a", "1100"), write(tmp_path / "b", "1010")) == 0
    said = capsys.readouterr().out
    assert "The interval holds 0" in said and "no protocol.json" in said
    assert "length: short" in said


@pytest.mark.parametrize(
    ("scores", "protocol", "message"),
    [
        ("110", None, "1 are in the first file only"),
        ("----", None, "No question has a score in both"),
        ("1100", {"data": {"benchmark": "Y"}}, "of the benchmark X, the second of Y"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, monkeypatch, capsys, scores, protocol, message):
    one = write(tmp_path / "a", "1100", {"data": {"benchmark": "X"}})
    assert run(monkeypatch, one, write(tmp_path / "b", scores, protocol)) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, tmp_path / "a.jsonl", tmp_path / "b.jsonl") == 2
    assert "a.jsonl" in capsys.readouterr().err

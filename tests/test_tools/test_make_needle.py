import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

TOOLS = Path(__file__).parents[2] / "tools"
make = runpy.run_path(str(TOOLS / "dataset_tools" / "make_needle.py"))["main"]
draw = runpy.run_path(str(TOOLS / "analysis_tools" / "needle_map.py"))["main"]


def test_from_videos_and_pictures_to_a_map(
    tmp_path: Path, clip: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 40), "white").save(tmp_path / "note.png")
    (tmp_path / "list.json").write_text(json.dumps([{"image": "note.png", "question": "Colour?", "answer": "white"}]))
    given = ["--hosts", clip("h264.mp4"), "--needles", str(tmp_path / "list.json"), "--out", str(tmp_path / "out")]
    make([*given, "--lengths", "2", "4", "--depths", "0", "1", "--fps", "25", "--size", "64", "--workers", "1"])
    assert f"{tmp_path}/out/needles.json: 4 videos in" in capsys.readouterr().out

    rows = json.loads((tmp_path / "out" / "needles.json").read_text())
    lines = []
    for row in rows:
        groups = {"length": str(row["length"]), "depth": str(row["depth"])}
        frames = [{"seconds": [0.0]}]
        score = float(row["depth"] == 0)
        record = {"id": row["id"], "question_id": row["id"], "groups": groups, "frames": frames, "score": score}
        lines.append(json.dumps(record))
    (tmp_path / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    picture = tmp_path / "map.png"
    needles = str(tmp_path / "out" / "needles.json")
    draw([str(tmp_path / "predictions.jsonl"), "--needles", needles, "--out", str(picture)])
    said = capsys.readouterr().out
    assert "2 frames" in said and "4 frames" in said and "50.0% of the needles were among the frames" in said
    with Image.open(picture) as image:
        assert image.width > 200


def test_a_misspelt_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make(["--hosts", "a.mp4", "--needles", "b.json", "--out", "x", "--dephts", "1"])
    assert "unrecognized arguments: --dephts 1" in capsys.readouterr().err

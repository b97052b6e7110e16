import json
import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "dataset_tools" / "make_moving_shapes.py"
main = runpy.run_path(str(TOOL))["main"]


def test_the_command_writes_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = ["--train", "4", "--val", "2", "--test", "5", "--order-share", "0.5"]
    main(["--out", str(tmp_path), "--size", "32", "--frames", "4", "--workers", "1", *clips])
    said = capsys.readouterr().out
    assert f"{tmp_path}/train_qa.json: 4 samples" in said and "11 clips in" in said
    assert len(json.loads((tmp_path / "train_image_caption.json").read_text())) == 2
    assert len(list((tmp_path / "videos" / "test").glob("*.mp4"))) == 5


def test_a_misspelt_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--out", "x", "--trian", "1"])
    assert "unrecognized arguments: --trian 1" in capsys.readouterr().err

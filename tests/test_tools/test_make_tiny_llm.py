import json
import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "model_tools" / "make_tiny_llm.py"
main = runpy.run_path(str(TOOL))["main"]


def test_the_command_writes_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = [{"from": "human", "value": "<video>\nHow many?"}, {"from": "gpt", "value": "two"}]
    (tmp_path / "ann.json").write_text(json.dumps([{"id": "1", "video": "a.mp4", "conversations": talk}]))
    shape = ["--hidden", "16", "--layers", "2", "--heads", "2", "--kv-heads", "1", "--intermediate", "16", "--untied"]
    main(["--out", str(tmp_path / "llm"), "--texts", str(tmp_path / "ann.json"), *shape])
    assert f"{tmp_path / 'llm'}: 0.01 M parameters" in capsys.readouterr().out
    config = json.loads((tmp_path / "llm" / "config.json").read_text())
    assert config["model_type"] == "qwen2" and config["num_hidden_layers"] == 2 and not config["tie_word_embeddings"]

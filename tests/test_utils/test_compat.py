import os
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner import checkpoint as theirs

import elva.engine  # noqa: F401  (installs what is tested)
from elva.utils import compat
from tests.test_engine.toy import toy_config, train


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def changes() -> dict:
    """What puts more than weights into a checkpoint: scaler, EMA, schedulers that hold functions."""
    return dict(
        optim_wrapper__type="MixedPrecisionOptimWrapper",
        param_scheduler=[dict(type="OneCycleLR", eta_max=0.1, total_steps=12, by_epoch=False)],
        custom_hooks=[dict(type="EMAHook")],
        train_cfg__val_interval=6,
    )


def test_checkpoint_of_a_runner_loads_with_weights_only_and_resumes_with_its_history(tmp_path):
    runner = train(toy_config(tmp_path, **changes()))
    checkpoint = torch.load(tmp_path / "iter_12.pth", weights_only=True)
    assert {"meta", "state_dict", "message_hub", "optimizer", "param_schedulers", "ema_state_dict"} <= set(checkpoint)
    history = runner.message_hub.get_scalar("train/loss_gen").data[0]
    assert len(history) == 12

    cfg = toy_config(tmp_path, **changes() | dict(resume=True, train_cfg__max_iters=15))
    cfg.param_scheduler[0].total_steps = 16
    resumed = train(cfg)
    now = resumed.message_hub.get_scalar("train/loss_gen").data[0]
    assert now[:12].tolist() == history.tolist()
    assert len(now) == 15


def test_runner_refuses_a_pickle_with_code(tmp_path):
    victim = tmp_path / "victim"
    torch.save({"state_dict": {}, "x": Evil(victim)}, tmp_path / "evil.pth")
    runner = Runner.from_cfg(toy_config(tmp_path / "run", load_from=str(tmp_path / "evil.pth")))
    with pytest.raises(ValueError, match=r"evil\.pth is refused"):
        runner.train()
    assert not victim.exists()


@pytest.mark.parametrize("path", ["s3://bucket/a.pth", "torchvision://resnet50", "open-mmlab://resnet50"])
def test_other_places_are_refused_not_unpickled(path):
    with pytest.raises(ValueError, match=r"is not read here\. Download the checkpoint"):
        CheckpointLoader.load_checkpoint(path)


def test_download_goes_through_the_cache_and_the_safe_reader(tmp_path, monkeypatch):
    victim = tmp_path / "victim"

    def download(url: str, target: str) -> None:
        assert url == "https://example.org/models/a.pth"
        torch.save({"x": Evil(victim)}, target)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(ValueError, match=r"checkpoints/a\.pth is refused"):
        CheckpointLoader.load_checkpoint("https://example.org/models/a.pth")
    assert not victim.exists()


def test_installing_twice_changes_nothing():
    before = (theirs.save_checkpoint, dict(CheckpointLoader._schemes))
    compat.install()
    assert (theirs.save_checkpoint, dict(CheckpointLoader._schemes)) == before


def test_remote_store_gets_plain_content_through_mmengine(monkeypatch):
    sent = []
    monkeypatch.setattr(compat, "_their_save", lambda content, name, **_: sent.append((content, name)))
    theirs.save_checkpoint({"n": torch.tensor(1.0).numpy()}, "s3://bucket/a.pth")
    assert sent[0][1] == "s3://bucket/a.pth"
    assert isinstance(sent[0][0]["n"], torch.Tensor)

import pytest

from elva.utils import checkpoint
from elva.utils.checkpoint import load_checkpoint
from tests.test_engine.toy import toy_config, train


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*.pth"))


def test_keeps_the_newest_also_across_a_resume(tmp_path):
    changes = dict(default_hooks__checkpoint__interval=2, default_hooks__checkpoint__max_keep_ckpts=2)
    first = toy_config(tmp_path, **changes)
    first.train_cfg.max_iters = 8
    train(first)
    assert names(tmp_path) == ["iter_6.pth", "iter_8.pth"]
    train(toy_config(tmp_path, resume=True, **changes))
    assert names(tmp_path) == ["iter_10.pth", "iter_12.pth"]
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "iter_12.pth")
    assert load_checkpoint(tmp_path / "iter_12.pth")["message_hub"]["runtime_info"]["keep_ckpt_ids"] == [10, 12]


def test_keeps_all_without_a_limit(tmp_path):
    train(toy_config(tmp_path, default_hooks__checkpoint__interval=4, default_hooks__checkpoint__max_keep_ckpts=-1))
    assert names(tmp_path) == ["iter_12.pth", "iter_4.pth", "iter_8.pth"]


def test_disk_that_is_full_is_noticed_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 50}))
    with pytest.raises(OSError, match="No space for a checkpoint"):
        train(toy_config(tmp_path))
    assert names(tmp_path) == []


def test_disk_that_fills_up_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    changes = dict(default_hooks__checkpoint__interval=4, default_hooks__checkpoint__max_keep_ckpts=1)
    save, saves = checkpoint.torch.save, []

    def fill_up(content, file) -> None:
        saves.append(file.name)
        if len(saves) == 2:
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(checkpoint.torch, "save", fill_up)
    with pytest.raises(OSError, match=r"No space for the checkpoint iter_8\.pth"):
        train(toy_config(tmp_path, **changes))
    assert names(tmp_path) == ["iter_4.pth"]
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "iter_4.pth")
    assert load_checkpoint(tmp_path / "iter_4.pth")["meta"]["iter"] == 4
    assert not list(tmp_path.glob("*.partial"))

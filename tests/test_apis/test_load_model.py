import shutil

import pytest
import torch
from mmengine.config import Config

from elva.apis.load_model import find_pretrained, load_model
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    root = tmp_path_factory.mktemp("load_model")
    make_data(root, clips=1)
    config = stage("elva_tiny_stage2", root)
    return config, random_checkpoint(config, root / "random.pth")


@pytest.fixture
def work_dir(recipe, tmp_path):
    config, checkpoint = recipe
    shutil.copy(config, tmp_path / "elva_tiny_stage2.py")
    shutil.copy(checkpoint, tmp_path / "iter_10.pth")
    (tmp_path / "last_checkpoint").write_text("/somewhere/else/iter_10.pth")
    return tmp_path


def test_the_weights_are_the_checkpoints_and_training_parts_are_left_out(recipe):
    config, checkpoint = recipe
    model = load_model(config, checkpoint, "cpu")
    saved = torch.load(checkpoint, weights_only=True)["state_dict"]
    ours = model.state_dict()
    assert ours.keys() < saved.keys()  # the checkpoint has the supervisors of stage 2 as well
    assert all(torch.equal(weight, saved[name]) for name, weight in ours.items())
    assert not model.training
    assert model.teacher is None and len(model.supervisors) == 0
    assert "teacher" in Config.fromfile(config).model  # which it had to leave out


def test_a_config_may_be_loaded_already_and_stays_as_it_is(recipe):
    cfg = Config.fromfile(recipe[0])
    before = cfg.pretty_text
    assert load_model(cfg, device="cpu").llm.depth == cfg.model.llm.config.num_hidden_layers
    assert cfg.pretty_text == before


def test_another_models_checkpoint_and_one_with_code_are_refused(recipe, tmp_path):
    torch.save({"state_dict": {"head.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not fit .* Unknown to the model: head\.weight"):
        load_model(recipe[0], tmp_path / "other.pth", "cpu")
    torch.save({"state_dict": Config({})}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="is refused: it holds more than tensors and plain values"):
        load_model(recipe[0], tmp_path / "code.pth", "cpu")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*none\.pth"):
        load_model(recipe[0], tmp_path / "none.pth", "cpu")


def test_a_copied_work_dir_is_enough(work_dir):
    assert find_pretrained(work_dir) == (work_dir / "elva_tiny_stage2.py", work_dir / "iter_10.pth")
    (work_dir / "last_checkpoint").unlink()
    assert find_pretrained(work_dir)[1] == work_dir / "iter_10.pth"


def test_what_is_missing_or_unclear_in_a_work_dir_is_said(work_dir):
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere"):
        find_pretrained(work_dir / "nowhere")
    (work_dir / "iter_10.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"last_checkpoint names iter_10\.pth, which is not there"):
        find_pretrained(work_dir)
    (work_dir / "last_checkpoint").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint \(\*\.pth\)"):
        find_pretrained(work_dir)
    for name in ("a.pth", "b.pth"):
        (work_dir / name).touch()
    with pytest.raises(ValueError, match=r"has 2 checkpoints \(a\.pth, b\.pth\)"):
        find_pretrained(work_dir)

import json

import pytest

from elva.apis.cost.survey import NOMINAL_TEXT, survey
from elva.datasets.moving_shapes import make_moving_shapes
from elva.registry import DATASETS, register_all_modules
from elva.utils.tiny_llm import make_tiny_llm


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_all_modules()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A few clips and a text tokenizer."""
    root = tmp_path_factory.mktemp("data")
    make_moving_shapes(root, {"train": 4})
    make_tiny_llm(root / "llm", [root / "train_qa.json"])
    return root


def dataset(root, ann_file="train_qa.json", **tokenize):
    load = {
        "type": "LoadVideo",
        "reader": {"type": "PyAVReader"},
        "sampler": {"type": "UniformSampler", "num_frames": 4},
        "resolution": {"type": "NativeResolution", "patch_size": 12, "max_patches": 4},
    }
    text = {"type": "TokenizeConversation", "path": str(root / "llm"), **tokenize}
    pipeline = [load, text, {"type": "PackSample"}]
    return {
        "type": "VideoTextDataset",
        "ann_file": str(root / ann_file),
        "data_root": str(root),
        "pipeline": pipeline,
    }


def test_sizes_and_text_are_those_of_the_data_sets_own_samples(data):
    (source,) = survey(dataset(data))
    samples = json.loads((data / "train_qa.json").read_text())
    assert (source.name, source.samples, source.share) == ("train_qa.json", len(samples), 1.0)
    assert all([plan.sizes for plan in shape.plans] == [((24, 24),) * 4] for shape in source.shapes)
    assert all(0 < shape.labelled < shape.text for shape in source.shapes)
    assert source.clip_basis == f"the metadata of {len(source.shapes)} of its samples"
    assert source.missing == ()


def test_no_frame_is_decoded(data, monkeypatch):
    from elva.datasets.readers import PyAVReader

    monkeypatch.setattr(PyAVReader, "read", lambda *_: pytest.fail("a frame was decoded"))
    assert survey(dataset(data))[0].missing == ()


def test_text_is_estimated_from_characters_where_the_tokenizer_is_not_there(data):
    config = dataset(data)
    config["pipeline"][1]["path"] = "nobody/nothing"
    (source,) = survey(config)
    assert source.text_basis.startswith("4 characters a token")
    assert 0 < source.mean("labelled") < source.mean("text") < 200


def test_a_test_set_has_one_row_of_logits(data):
    (source,) = survey({**dataset(data, mode="test"), "mode": "test"})
    assert source.mean("labelled") == 1


def test_what_is_not_there_is_nominal_and_named(data):
    (source,) = survey(dataset(data, ann_file="nowhere.json"))
    assert source.samples is None
    assert (source.mean("frames"), source.mean("text"), source.mean("labelled")) == (4, NOMINAL_TEXT, NOMINAL_TEXT / 2)
    assert "nominal clip of 640x360" in source.clip_basis
    assert "nowhere.json' does not exist" in source.missing[0]


def test_videos_that_cannot_be_read_are_counted(data):
    samples = json.loads((data / "train_qa.json").read_text())
    samples[0]["video"] = "gone.mp4"
    (data / "one_gone.json").write_text(json.dumps(samples))
    (source,) = survey(dataset(data, ann_file="one_gone.json"))
    assert f"1 of {len(samples)} videos cannot be read" in source.missing[0]
    assert "gone.mp4" in source.missing[0]
    assert len(source.shapes) == len(samples)


def test_a_mixture_is_looked_at_source_by_source(data):
    first, second = dataset(data), dataset(data, ann_file="train_caption.json", template="plain")
    mixture = {
        "type": "MixtureDataset",
        "datasets": {"a": {"dataset": first, "weight": 3}, "b": {"dataset": second, "weight": 1}},
    }
    assert [(s.name, s.share) for s in survey(mixture)] == [("train_qa.json", 0.75), ("train_caption.json", 0.25)]
    del mixture["datasets"]["a"]["weight"], mixture["datasets"]["b"]["weight"]
    sizes = [s.samples for s in survey(mixture)]
    assert [s.share for s in survey(mixture)] == [size / sum(sizes) for size in sizes]
    second["ann_file"] = "nowhere.json"
    assert [s.share for s in survey(mixture)] == [0.5, 0.5]


def test_a_data_set_that_would_decode_is_not_asked_for_samples(monkeypatch):
    class Decoding:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> None:
            pytest.fail("a sample was made")

    monkeypatch.setitem(DATASETS.module_dict, "Decoding", Decoding)
    (source,) = survey({"type": "Decoding"})
    assert (source.name, source.samples, source.clip_basis) == ("Decoding", 5, "no video")

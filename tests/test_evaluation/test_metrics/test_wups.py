from importlib.metadata import version
from pathlib import Path

import nltk
import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation import WUPS
from elva.registry import elva_scope
from elva.structures import VideoQASample
from tests.test_evaluation.tiny_wordnet import write_nltk_data


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(nltk.data, "path", [])
    return str(write_nltk_data(tmp_path / "nltk_data"))


def _sample(prediction: str, answer: str, kind: str = "CW") -> VideoQASample:
    meta = {"groups": {"type": kind}, "cluster": prediction}
    return VideoQASample(f"{prediction}/{answer}", "<video>\nWhat?", answer, meta=meta, prediction=prediction)


def _evaluate(samples: list[VideoQASample], **config: object) -> tuple[dict[str, float], WUPS]:
    with elva_scope():
        evaluator = Evaluator({"type": "WUPS", **config})
    evaluator.process(data_samples=samples)
    return evaluator.evaluate(len(samples)), evaluator.metrics[0]


def test_next_qas_form(data: str) -> None:
    samples = [_sample("The dog is running", "a cat ran"), _sample("dogs", "dog"), _sample("xyz", "dog")]
    results, metric = _evaluate(samples, nltk_data=data)
    assert [r["parsed"] for r in metric.records] == ["dog run", "dog", "xyz"]
    assert [r["wups"] for r in metric.records] == [[0.75, pytest.approx(0.075)], [1, 1], [0, 0]]
    assert results["wups/overall"] == pytest.approx(1.75 / 3)
    assert results["wups_at_0.9/overall"] == pytest.approx(1.075 / 3)
    assert results["wups/type/CW"] == results["wups/overall"]
    assert 0 <= results["ci95_low/overall"] < results["wups/overall"] < results["ci95_high/overall"] <= 1


def test_counting_and_yes_no_questions_are_right_or_wrong(data: str) -> None:
    samples = [_sample("dog", "cat", "DC"), _sample("the dogs", "dog", "DB"), _sample("dog", "cat", "DL")]
    _, metric = _evaluate(samples, nltk_data=data)
    assert [r["score"] for r in metric.records] == [0, 1, 0.75]
    _, metric = _evaluate(samples, nltk_data=data, exact={})
    assert [r["score"] for r in metric.records] == [0.75, 1, 0.75]


def test_the_most_similar_of_several_right_answers_counts(data: str) -> None:
    samples = [_sample("dog", "xyz"), _sample("dog", "cat", "DC")]
    for sample in samples:
        sample.meta["alternatives"] = ["the dogs"]
    _, metric = _evaluate(samples, nltk_data=data)
    assert [r["score"] for r in metric.records] == [1, 1] and metric.records[0]["alternatives"] == ["the dogs"]


def test_the_form_of_sets(data: str) -> None:
    samples = [_sample("cat, chair.", "Chair, dog"), _sample("chair, sky", "chair")]
    results, metric = _evaluate(samples, nltk_data=data, form="sets", thresholds=[0.9, 0.0])
    assert [r["parsed"] for r in metric.records] == ["cat, chair", "chair, sky"]
    assert [r["wups"] for r in metric.records] == [[pytest.approx(0.075), 0.75], [0, 0]]
    assert results["wups/overall"] == pytest.approx(0.0375)
    assert results["wups_at_0/overall"] == 0.375


def test_an_answer_without_a_word_is_unparsable(data: str) -> None:
    results, _ = _evaluate([_sample("?", "dog"), _sample("the", "dog")], nltk_data=data)
    assert results["unparsable"] == 2 and results["wups/overall"] == 0


def test_an_unpublished_reference_gives_no_score(data: str) -> None:
    sample = _sample("dogs", "")
    sample.meta["labelled"] = False
    results, metric = _evaluate([sample], nltk_data=data)
    assert results["unlabelled"] == 1 and "wups/overall" not in results
    assert metric.records[0]["parsed"] == "dog"


def test_the_protocol_tells_how_it_was_measured(data: str) -> None:
    settings = {"form": "nextqa", "thresholds": [0.0, 0.9], "exact": {"type": ["DC", "DB"]}}
    versions = {"wordnet": "3.0", "nltk": version("nltk")}
    expected = {"metric": "WUPS", "allow_missing": False} | settings | versions
    assert WUPS(nltk_data=data).protocol() == expected


def test_mistakes_are_named(data: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="form must be 'nextqa' or 'sets', got 'daquar'"):
        WUPS(form="daquar")
    with pytest.raises(ValueError, match="thresholds must be from 0 to 1"):
        WUPS(thresholds=[90])
    with pytest.raises(FileNotFoundError, match="nltk.downloader wordnet"):
        WUPS(nltk_data=str(tmp_path))

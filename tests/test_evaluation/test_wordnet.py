import shutil
from pathlib import Path

import nltk
import pytest

from elva.evaluation.wordnet import WordNet
from tests.test_evaluation.tiny_wordnet import write_nltk_data


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.data, "path", [])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_nltk_data(tmp_path / "nltk_data")


def test_similarity_is_wu_and_palmers(data: Path) -> None:
    """Entity 1, object 2, animal 3, dog 4, puppy 5."""
    wordnet = WordNet(str(data))
    assert wordnet.noun_similarity("dog", "cat") == pytest.approx(2 * 3 / (4 + 4))
    assert wordnet.noun_similarity("dog", "puppy") == pytest.approx(2 * 4 / (4 + 5))
    assert wordnet.noun_similarity("chair", "puppy") == pytest.approx(2 * 2 / (4 + 5))
    assert wordnet.noun_similarity("run", "dog") == 0  # no noun in this WordNet
    assert wordnet.noun_similarity("xyz", "dog") == 0


def test_the_first_meaning_of_a_word_is_a_noun_if_there_is_one(data: Path) -> None:
    wordnet = WordNet(str(data))
    assert wordnet.first_similarity("play", "object") == wordnet.noun_similarity("play", "object") > 0
    assert 0 < wordnet.first_similarity("run", "move") < 1
    assert wordnet.first_similarity("run", "xyz") == 0


def test_lemmas_follow_the_tagged_part_of_speech(data: Path) -> None:
    wordnet = WordNet(str(data))
    assert wordnet.lemmatise("The dogs ran playing") == ["the", "dog", "run", "play"]
    assert wordnet.lemmatise("a chair, 2 tables") == ["a", "chair", ",", "2", "table"]
    assert wordnet.lemmatise("Xyzzy") == ["xyzzy"]


def test_a_zipped_database_is_read(data: Path) -> None:
    corpora = data / "corpora"
    shutil.make_archive(str(corpora / "wordnet"), "zip", corpora, "wordnet")
    shutil.rmtree(corpora / "wordnet")
    assert WordNet(str(data)).noun_similarity("dog", "cat") == 0.75


def test_what_is_missing_is_named_with_what_to_do(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="WordNet 3.0.*nltk.downloader wordnet.*NLTK_DATA"):
        WordNet(str(tmp_path))
    shutil.rmtree(data / "taggers")
    with pytest.raises(FileNotFoundError, match="tagger.*nltk.downloader averaged_perceptron_tagger_eng"):
        WordNet(str(data)).lemmatise("a dog")

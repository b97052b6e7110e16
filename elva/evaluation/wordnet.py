"""WordNet through nltk: words to lemmas, and how alike two words are."""

import importlib.metadata
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

_DATA = {"corpora/wordnet": "WordNet 3.0", "taggers/averaged_perceptron_tagger_eng": "nltk's English tagger"}
_PARTS = {"NN": "n", "JJ": "a", "VB": "v", "RB": "r"}
"""WordNet's part of speech for the first two letters of a Penn tag; others are taken for nouns."""


class WordNet:
    """The reader of a WordNet database, with what WUPS asks of it.

    Args:
        nltk_data: Folder in nltk's layout, with ``corpora/wordnet`` (or ``corpora/wordnet.zip``) and, to lemmatise,
            ``taggers/averaged_perceptron_tagger_eng``. Default: where nltk looks (``NLTK_DATA``, ``~/nltk_data``, ...).

    Raises:
        FileNotFoundError: If the database is not there.
        ValueError: If nltk is not installed.

    Attributes:
        version: Of the database and of nltk, which decide the similarities.
    """

    def __init__(self, nltk_data: str | None = None) -> None:
        _use_data(nltk_data)
        from nltk.corpus.reader.wordnet import WordNetCorpusReader

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is in English alone, which nltk warns of
            self._reader: Any = WordNetCorpusReader(_find("corpora/wordnet"), None)
        self.noun_similarity = lru_cache(maxsize=1 << 18)(self._noun_similarity)
        self.first_similarity = lru_cache(maxsize=1 << 18)(self._first_similarity)
        self._tagger: Any = None
        self.version = {"wordnet": self._reader.get_version(), "nltk": importlib.metadata.version("nltk")}

    def lemmatise(self, text: str) -> list[str]:
        """The words of ``text`` in lower case and in their base form, by their tagged part of speech.

        A word that WordNet does not know in its base form is stemmed if it knows the stem, as pywsd does it.

        Raises:
            FileNotFoundError: If the tagger's data are not there.
        """
        from nltk.stem import PorterStemmer
        from nltk.tag import PerceptronTagger
        from nltk.tokenize import NLTKWordTokenizer

        if self._tagger is None:
            self._tagger = PerceptronTagger(loc=_find("taggers/averaged_perceptron_tagger_eng"))
        tagged = self._tagger.tag(NLTKWordTokenizer().tokenize(text))
        lemmas = []
        for word, tag in tagged:
            known = self._reader._morphy(word.lower(), _PARTS.get(tag[:2], "n"))
            lemma = min(known, key=len) if known else word.lower()
            stem = PorterStemmer().stem(word.lower())
            lemmas.append(stem if not self._reader.synsets(lemma) and self._reader.synsets(stem) else lemma)
        return lemmas

    def _noun_similarity(self, one: str, other: str) -> float:
        """Wu and Palmer's similarity of the nouns, of the two meanings that are most alike; 0 without a noun."""
        pairs = ((a, b) for a in self._reader.synsets(one, "n") for b in self._reader.synsets(other, "n"))
        return max((a.wup_similarity(b) or 0.0 for a, b in pairs), default=0.0)

    def _first_similarity(self, one: str, other: str) -> float:
        """The same of the first meaning of each word, whatever its part of speech; 0 where there is no path."""
        first, second = self._reader.synsets(one)[:1], self._reader.synsets(other)[:1]
        return (first[0].wup_similarity(second[0]) or 0.0) if first and second else 0.0


def _use_data(folder: str | None) -> None:
    """Have nltk look in ``folder`` first; it opens nothing outside of the folders that it looks in."""
    try:
        import nltk
    except ImportError as error:
        raise ValueError("WUPS reads WordNet with nltk: pip install 'elva[wups]'") from error
    path = None if folder is None else str(Path(folder).expanduser().resolve())
    if path is not None and path not in nltk.data.path:
        nltk.data.path.insert(0, path)


def _find(name: str) -> Any:
    """A folder of data, zipped or not, as nltk points to it."""
    import nltk

    package = name.rpartition("/")[2]
    for place in (name, f"{name}.zip/{package}/"):
        try:
            return nltk.data.find(place)
        except LookupError:
            continue
    raise FileNotFoundError(
        f"WUPS needs {_DATA[name]}, which is in none of {', '.join(nltk.data.path)}. Fetch it with `python -m "
        f"nltk.downloader {package}`; where it lies elsewhere, name the nltk_data folder in the environment variable "
        "NLTK_DATA or in the metric's nltk_data."
    )

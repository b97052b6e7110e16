"""A WordNet of a few words, written as the files of a WordNet database, and a tagger that knows as many."""

import json
from collections.abc import Mapping
from pathlib import Path

NOUNS = {
    "entity": None,
    "object": "entity",
    "animal": "object",
    "dog": "animal",
    "puppy": "dog",
    "cat": "animal",
    "furniture": "object",
    "chair": "furniture",
    "table": "furniture",
    "play": "object",
}
"""Each noun and the one above it."""

VERBS = {"move": None, "run": "move", "play": "move", "be": None}
EXCEPTIONS = {"noun": {"mice": "mouse"}, "verb": {"ran": "run", "is": "be", "was": "be"}}
TAGS = {
    "dogs": "NNS",
    "dog": "NN",
    "is": "VBZ",
    "playing": "VBG",
    "running": "VBG",
    "ran": "VBD",
    "the": "DT",
    "a": "DT",
}
FILES = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


def write_nltk_data(root: Path) -> Path:
    """Write ``corpora/wordnet`` and the tagger below ``root``; returns it."""
    folder = root / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    (folder / "lexnames").write_text("".join(f"{n:02d}\tname{n}\t1\n" for n in range(4)))
    for name in ("cntlist.rev", "index.sense"):
        (folder / name).write_text("")
    for name, pos in FILES.items():
        above = {"noun": NOUNS, "verb": VERBS}.get(name, {})
        _write_part(folder, name, pos, above)
        lines = [f"{form} {lemma}\n" for form, lemma in EXCEPTIONS.get(name, {}).items()]
        (folder / f"{name}.exc").write_text("".join(lines))
    _write_tagger(root / "taggers" / "averaged_perceptron_tagger_eng")
    return root


def _write_part(folder: Path, name: str, pos: str, above: Mapping[str, str | None]) -> None:
    """``data.<name>`` and ``index.<name>``: a synset a word, at its offset in the file."""
    licence = "  1 A licence.\n" if name != "adj" else "  1 WordNet 3.0 Copyright 2006.\n"
    offsets, at = {}, len(licence)
    for word in above:  # lines have the same length whatever the offsets in them are
        offsets[word] = at
        at += len(_line(word, above[word], offsets | {above[word]: 0}, pos))
    lines = [_line(word, parent, offsets, pos) for word, parent in above.items()]
    (folder / f"data.{name}").write_text(licence + "".join(lines))
    index = [
        f"{word} {pos} 1 {1 if above[word] else 0} {'@ ' if above[word] else ''}1 0 {offsets[word]:08d}  \n"
        for word in sorted(above)
    ]
    (folder / f"index.{name}").write_text(licence + "".join(index))


def _line(word: str, parent: str | None, offsets: Mapping[str | None, int], pos: str) -> str:
    pointers = f"001 @ {offsets[parent]:08d} {pos} 0000" if parent else "000"
    frames = " 00" if pos == "v" else ""
    return f"{offsets[word]:08d} 03 {pos} 01 {word} 0 {pointers}{frames} | what {word} means  \n"


def _write_tagger(folder: Path) -> None:
    folder.mkdir(parents=True)
    stem = folder.name
    weights = {"bias": {"NN": 1.0}}
    (folder / f"{stem}.weights.json").write_text(json.dumps(weights))
    (folder / f"{stem}.tagdict.json").write_text(json.dumps(TAGS))
    (folder / f"{stem}.classes.json").write_text(json.dumps(sorted({"NN", *TAGS.values()})))

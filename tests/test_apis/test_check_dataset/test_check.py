import json
import os
import signal

import numpy as np
import pytest

from elva.apis.check_dataset import CheckOptions, DatasetCheck, Findings, summary, write_report, write_skip_list
from elva.datasets import SkipLog, collate_samples
from elva.datasets.readers import PyAVReader
from elva.registry import DATASETS, MODELS, VIDEO_READERS
from tests.test_apis.test_check_dataset.conftest import BAD, GOOD
from tests.test_apis.test_check_dataset.data import LOAD, config, dataset, row, write_rows


@pytest.fixture
def check(clips, llm, tmp_path):
    """A function from rows (or the config of a data set) to a check of them."""

    def make(rows, model=None, load=None, tokenize=None, **options) -> DatasetCheck:
        if isinstance(rows, list):
            rows = dataset(write_rows(tmp_path / "a.jsonl", rows), clips, llm, load, **tokenize or {})
        options = {"workers": 2, "timeout": 20.0, **options}
        return DatasetCheck(config(rows, llm, **model or {}), tmp_path / "out", CheckOptions(**options))

    return make


def errors(findings: Findings) -> dict[str, tuple[str, str]]:
    """Kind and words of the first error of each sample, by its id."""
    out: dict[str, tuple[str, str]] = {}
    for found in findings.errors:
        out.setdefault(found.problem.id, (found.problem.kind, found.problem.message))
    return out


MIXED = [
    row("one"),
    row("two", ["h264.mp4", "vp9.webm"], "<video> and <video>?", "They differ in some way."),
    row("turned", "rotated_90.mp4", "What is <video>?"),
    {"id": "text", "conversations": row("a", question="And?")["conversations"]},
]


@pytest.mark.parametrize("tokenize", [{}, {"mode": "test"}, {"vision_marks": False}])
@pytest.mark.parametrize(
    "model",
    [{}, {"reducers": [{"type": "SpatialPool", "k": 2}]}, {"merger": {"type": "FastV", "layer": 1, "ratio": 0.5}}],
)
def test_lengths_are_those_of_the_assembled_sequences(check, model, tokenize):
    checked = check(MIXED, model, tokenize=tokenize)
    findings = checked.run()
    built = MODELS.build(checked.cfg.model)
    samples = [DATASETS.build(checked.cfg.train_dataloader.dataset)[i] for i in range(len(MIXED))]
    inputs = built.data_preprocessor(collate_samples(samples))["inputs"]
    state = built.assemble(inputs)[0].state
    assert findings.length.tolist() == state.lengths.tolist()
    assert findings.visual.tolist() == (state.visual & state.valid).sum(1).tolist()
    assert findings.frames.tolist() == [4, 8, 4, 0]
    if inputs["labels"] is not None:
        assert findings.answer.tolist() == (inputs["labels"] >= 0).sum(1).tolist()
    assert not findings.problems


def test_every_bad_sample_is_named_with_its_line(check, clips):
    rows = [row(f"good {name}", name) for name in GOOD] + [row(name, name) for name in BAD]
    rows += ["{no json", row("tags", question="<video><video>"), row("mute", answer=""), {"id": "bare"}]
    rows += [row("again", BAD[1]), row("turns", conversations=[{"from": "gpt", "value": "I begin."}])]
    findings = check(rows).run()
    found = errors(findings)
    assert {name for name in found if name in BAD} == set(BAD)
    assert all(found[name][0] == "video" and str(clips / name) in found[name][1] for name in BAD)
    assert found["again"] == found[BAD[1]]
    others = {"a-14", "tags", "mute", "bare", "again", "turns"}
    assert set(found) == set(BAD) | {f"a-{len(GOOD) + len(BAD)}"} | (others - {"a-14"})
    lines = {p.problem.id: p.problem.where.rsplit(" ", 1)[1] for p in findings.errors}
    assert lines == {name: str(1 + index) for index, name in enumerate(_ids(rows)) if name in found}
    assert findings.bad.tolist() == [name in found for name in _ids(rows)]
    assert "expected" not in found["tags"][1] and "2 <image>/<video> tags, but 1 videos" in found["tags"][1]


def _ids(rows: list) -> list[str]:
    return [f"a-{i}" if isinstance(r, str) else r["id"] for i, r in enumerate(rows)]


def test_a_file_that_hangs_stops_nothing(check, clips):
    slow = {**LOAD, "reader": {"type": "PyAVReader", "timeout": 0.5}}
    findings = check([row("pipe", "pipe.mp4"), row("good"), row("pipe too", "pipe.mp4")], load=slow).run()
    assert set(errors(findings)) == {"pipe", "pipe too"}
    assert "not read within 0.5 s" in errors(findings)["pipe"][1]


@VIDEO_READERS.register_module()
class ReaderThatDies(PyAVReader):
    """Crashes at one file and holds on to the interpreter at another, as C code may."""

    def probe(self, path):
        if path.endswith("vp9.webm"):
            os.kill(os.getpid(), signal.SIGKILL)
        if path.endswith("variable.mp4"):
            signal.pause()
        return super().probe(path)


def test_a_crash_and_a_hang_of_the_whole_process_are_the_files_own(check):
    load = {**LOAD, "reader": {"type": "ReaderThatDies"}}
    findings = check([row(name, name) for name in GOOD], load=load, timeout=1.0).run()
    found = errors(findings)
    assert set(found) == {"vp9.webm", "variable.mp4"}
    assert "died of SIGKILL" in found["vp9.webm"][1]
    assert "more than 1 s" in found["variable.mp4"][1]
    assert findings.length[0] > 0


def test_each_file_is_looked_at_once_and_never_again(check, monkeypatch):
    rows = [row(f"{name} {i}", name) for name in GOOD for i in range(3)]
    first = check(rows)
    first.run()
    assert (first.fresh_files, len(first.table)) == (len(GOOD), len(GOOD))
    second = check(rows)
    monkeypatch.setattr("elva.apis.check_dataset.media.FileCheck.__call__", lambda *_: pytest.fail("read again"))
    assert np.array_equal(second.run().length, first.conclude(first.scan()).length)
    assert second.fresh_files == 0
    assert "4 were known from before" in second.words()


def test_another_way_of_reading_looks_again(check):
    rows = [row("a"), row("b", "vp9.webm")]
    check(rows).run()
    more = {**LOAD, "sampler": {"type": "UniformSampler", "num_frames": 5}}
    other = check(rows, load=more)
    findings = other.run()
    assert other.fresh_files == 2
    assert findings.frames.tolist() == [5, 5]
    deeper = check(rows, level="full")
    deeper.run()
    assert deeper.fresh_files == 2


def test_bad_files_are_remembered_until_asked_again(check):
    rows = [row("a"), row("b", "cut.mp4")]
    assert set(errors(check(rows).run())) == {"b"}
    again = check(rows)
    assert set(errors(again.run())) == {"b"}
    assert again.fresh_files == 0
    retried = check(rows, retry=True)
    assert set(errors(retried.run())) == {"b"}
    assert retried.fresh_files == 1


def test_warnings_do_not_make_a_sample_bad_and_only_a_few_are_kept(check):
    findings = check([row("same", question="<video> <audio>")] * 30).run()
    assert not findings.bad.any()
    assert findings.counts[0, "duplicate id"] == 29
    assert findings.counts[0, "tag"] == 30
    kept = [found.problem.kind for found in findings.problems]
    assert (kept.count("duplicate id"), kept.count("tag")) == (20, 20)


def test_long_samples_are_bad_if_a_limit_is_set(check):
    lengths = check(MIXED).run().length
    findings = check(MIXED, max_tokens=int(lengths[0])).run()
    assert findings.bad.tolist() == (lengths > lengths[0]).tolist()
    assert findings.bad[1] and not findings.bad[3]
    assert errors(findings)["two"][0] == "tokens"
    refused = check([row("a"), row("long", answer="long " * 99)], tokenize={"max_length": 60}).run()
    assert errors(refused)["long"][0] == "text"
    assert "max_length is 60" in errors(refused)["long"][1]


def test_without_decoding_files_are_there_or_not(check, tmp_path):
    checked = check([row("cut", "cut.mp4"), row("gone", "gone.mp4"), row("empty", "empty.mp4")], level="none")
    findings = checked.run()
    assert set(errors(findings)) == {"gone", "empty"}
    assert (findings.text > 0).all() and (findings.length < 0).all()
    assert not (tmp_path / "out" / "journal.jsonl").exists()


def test_sources_of_a_mixture_are_told_apart(check, clips, llm, tmp_path):
    good = dataset(write_rows(tmp_path / "good.jsonl", [row("a"), row("b")]), clips, llm)
    bad = dataset(write_rows(tmp_path / "bad.jsonl", [row("a", "cut.mp4"), row("c")]), clips, llm)
    mixture = {"type": "MixtureDataset", "datasets": {"x": {"dataset": good}, "y": {"dataset": bad, "weight": 3}}}
    checked = check(mixture)
    findings = checked.run()
    assert [(p.source, p.problem.where) for p in findings.errors] == [(1, f"{tmp_path / 'bad.jsonl'}: line 1")]
    assert len(checked.table) == 2
    numbers = summary(findings)
    assert [(s["name"], s["samples"], s["bad"]) for s in numbers["sources"]] == [
        ("good.jsonl", 2, 0),
        ("bad.jsonl", 2, 1),
    ]


def test_one_file_read_in_two_ways_is_two(check, clips, llm, tmp_path):
    load = {**LOAD, "reader": {"type": "PyAVReader", "timeout": 11}}
    one = dataset(write_rows(tmp_path / "one.jsonl", [row("a")]), clips, llm)
    two = dataset(write_rows(tmp_path / "two.jsonl", [row("a")]), clips, llm, load)
    checked = check({"type": "MixtureDataset", "datasets": {"x": {"dataset": one}, "y": {"dataset": two}}})
    checked.run()
    assert len(checked.table) == 2


def test_numbers_of_the_summary(check):
    rows = [row("a"), row("b", "cut.mp4"), row("c", question="<video> <audio>"), row("c"), row("d", "vp9.webm")]
    findings = check(rows).run()
    numbers = summary(findings)
    assert (numbers["samples"], numbers["bad"]) == (5, 1)
    assert numbers["errors"] == {"video": 1}
    assert numbers["warnings"] == {"tag": 1, "duplicate id": 1}
    files = numbers["files"]
    assert (files["different"], files["named"], files["bad"]) == (3, 5, 1)
    assert (files["codecs"], files["sizes"]) == ({"h264": 1, "vp9": 1}, {"64x48": 2})
    assert files["hours"] == pytest.approx((40 / 25 + 40 / 30) / 3600, rel=1e-3)
    assert numbers["frames"]["sum"] == 16
    assert numbers["length"]["sum"] == findings.length[~findings.bad].sum()
    assert numbers["length"]["max"] == findings.length[2]
    json.dumps(numbers)


def test_the_skip_list_is_a_skip_log(check, tmp_path):
    findings = check([row("a"), row("b", ["cut.mp4", "empty.mp4"], "<video><video>"), row("c", answer="")]).run()
    path = tmp_path / "skip.jsonl"
    assert write_skip_list(path, findings) == 2
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["id"], r["index"], r["kind"]) for r in records] == [("b", 1, "video"), ("c", 2, "annotation")]
    assert [r["where"] for r in records] == [f"{tmp_path / 'a.jsonl'}: line {line}" for line in (2, 3)]
    assert [os.path.basename(video) for video in records[0]["video"]] == ["cut.mp4", "empty.mp4"]
    log = SkipLog(tmp_path / "other.jsonl")
    (tmp_path / "other.jsonl").write_bytes(path.read_bytes())
    assert set(log.errors(records[0]["source"])) == {"b", "c"}


def test_the_page_tells_what_is_wrong_and_shows_the_rest(check, tmp_path):
    findings = check([row("a"), row("<b>", "cut.mp4")]).run()
    write_report(tmp_path / "report.html", summary(findings), findings, "Data")
    page = (tmp_path / "report.html").read_text()
    assert "1 of 2 samples cannot be used" in page
    assert "a.jsonl: line 2" in page and "&lt;b&gt;" in page and "<b>" not in page
    assert page.count("data:image/svg+xml") == 3


def test_what_cannot_be_counted_is_said(check, clips, llm, tmp_path):
    data = dataset(write_rows(tmp_path / "a.jsonl", [row("a")]), clips, str(tmp_path / "no tokenizer"))
    checked = check(data)
    checked.cfg.pop("model")
    findings = checked.run()
    assert [note.split(":")[1].strip() for note in findings.notes] == ["text is not counted", "the config has no model"]
    assert not findings.bad.any()
    assert summary(findings)["length"] is None


@DATASETS.register_module()
class PartsDataset(DATASETS.get("VideoTextDataset")):
    """Each sample looks at the part of its video that its annotation names."""

    def raw(self, index):
        item = super().raw(index)
        return item | {"bounds": [tuple(item["meta"]["part"]) if item["meta"]["part"] else None]}


def test_parts_of_videos(check, clips, llm, tmp_path):
    parts = [None, (0.4, 0.8), (0.0, 0.04), (7.0, 8.0)]
    rows = [row(str(part), part=part) for part in parts]
    data = dataset(write_rows(tmp_path / "a.jsonl", rows), clips, llm) | {"type": "PartsDataset"}
    checked = check(data)
    findings = checked.run()
    assert len(checked.table) == 1
    assert findings.frames.tolist() == [4, 4, 1, -1]
    kind, words = errors(findings)[str(parts[3])]
    assert kind == "part"
    assert words.startswith(f"{clips / 'h264.mp4'}: the part from 7 s to 8 s")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"level": "all"}, "--decode all"), ({"timeout": 0}, "--timeout 0"), ({"max_tokens": 0}, "--max-tokens 0")],
)
def test_options_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        CheckOptions(**options)


def test_a_split_that_is_not_there(check):
    with pytest.raises(ValueError, match=r"no val_dataloader .*it has: train"):
        check([row("a")], split="val")


def test_subtitles_are_said_not_to_be_counted(check):
    checked = check([row("a")])
    checked.sources[0].dataset.subtitles = "frames"
    assert "subtitles are not counted" in checked.run().notes[0]

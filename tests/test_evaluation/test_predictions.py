import pytest

from elva.evaluation.predictions import PredictionParts, read_predictions, write_predictions


def _record(name: str) -> dict:
    return {"id": name, "cluster": "v", "groups": {}, "raw": "ü", "score": 1.0}


def test_answers_of_several_processes_are_read_together(tmp_path) -> None:
    parts = PredictionParts(tmp_path / "parts")
    assert parts.read() == {}
    parts.append(0, [(0, _record("a")), (2, _record("c"))])
    parts.append(1, [(1, _record("b"))])
    parts.append(0, [(3, _record("d"))])
    assert {index: record["id"] for index, record in parts.read().items()} == {0: "a", 1: "b", 2: "c", 3: "d"}
    parts.remove()
    assert not parts.folder.exists()


def test_only_empty_folders_are_removed(tmp_path) -> None:
    one, other = (PredictionParts(tmp_path / "evaluation" / name) for name in ("a", "b"))
    one.append(0, [(0, _record("a"))])
    other.append(0, [(0, _record("a"))])
    one.remove()
    assert other.read()
    other.remove()
    assert not list(tmp_path.iterdir())


def test_an_answer_counts_more_than_a_failure_whoever_wrote_first(tmp_path) -> None:
    parts = PredictionParts(tmp_path / "parts")
    failed = _record("a") | {"error": "a.mp4: is broken"}
    parts.append(0, [(0, failed), (1, _record("b")), (2, failed)])
    parts.append(1, [(0, _record("a")), (1, failed)])
    assert ["error" in record for record in parts.read().values()] == [False, False, True]


@pytest.mark.parametrize("kept", range(0, 40, 7))
def test_a_line_that_a_kill_cut_off_is_passed_over_and_does_not_spoil_the_next(tmp_path, kept: int) -> None:
    parts = PredictionParts(tmp_path / "parts")
    parts.append(0, [(0, _record("a"))])
    whole = (parts.folder / "part-0.jsonl").read_bytes()
    (parts.folder / "part-0.jsonl").write_bytes(whole + whole.replace(b"0", b"1", 1)[:kept])
    assert list(parts.read()) == [0]
    parts.append(0, [(2, _record("c"))])
    assert sorted(parts.read()) == [0, 2]


def test_predictions_come_back_as_they_were_written(tmp_path) -> None:
    records = [_record("a"), _record("line\u2028separator")]
    write_predictions(tmp_path / "deep" / "predictions.jsonl", records)
    assert read_predictions(tmp_path / "deep" / "predictions.jsonl") == records
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["predictions.jsonl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "cluster": "v", "groups": {}, "raw": "", "score": 1}\n{"id"', "line 2 is not JSON"),
        ('{"id": "a"}', "line 1 .* no cluster, groups, raw, score"),
        ("3", "line 1 .* no cluster, groups, id, raw, score"),
    ],
)
def test_what_is_no_prediction_is_named(tmp_path, text: str, message: str) -> None:
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_predictions(tmp_path / "p.jsonl")


def test_missing_predictions_are_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="There are no predictions"):
        read_predictions(tmp_path / "p.jsonl")

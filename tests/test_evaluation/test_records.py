from elva.evaluation.records import record_of
from elva.structures import FramePlan, VideoQASample


def test_a_record_has_what_was_seen_asked_and_said() -> None:
    plan = FramePlan((0.0, 1 / 3), ((32, 48), (16, 24)))
    sample = VideoQASample(
        "q1#2",
        "<video>\nWhat?",
        "B",
        ("v/a.mp4",),
        (plan,),
        meta={"question_id": "q1", "cluster": "a", "options": ["x", "y"], "groups": {"task": "t"}, "rotation": 2},
        prediction="(B)",
        stats={"tokens_per_layer": [9, 5], "option_logits": [0.5, 1.0]},
    )
    assert record_of(sample) == {
        "id": "q1#2",
        "question_id": "q1",
        "cluster": "a",
        "videos": ["v/a.mp4"],
        "question": "<video>\nWhat?",
        "options": ["x", "y"],
        "answer": "B",
        "raw": "(B)",
        "groups": {"task": "t"},
        "frames": [{"seconds": [0.0, 0.333333], "sizes": [[32, 48], [16, 24]]}],
        "tokens": [9, 5],
        "rotation": 2,
        "option_logits": [0.5, 1.0],
    }


def test_annotations_without_groups_are_divided_by_the_keys_that_are_asked_for() -> None:
    sample = VideoQASample("s", videos=("a.mp4",), meta={"skill": "count", "level": 3, "other": 1})
    record = record_of(sample, ("skill", "level", "missing"))
    assert record["groups"] == {"skill": "count", "level": "3"}
    assert record["question_id"] == "s" and record["cluster"] == "a.mp4" and record["raw"] == ""


def test_an_unpublished_answer_is_none_and_an_error_is_kept() -> None:
    sample = VideoQASample("s", answer="", meta={"labelled": False}, stats={"error": "a.mp4: is empty"})
    record = record_of(sample)
    assert record["answer"] is None and record["error"] == "a.mp4: is empty" and record["cluster"] == "s"

import pytest

from elva.datasets import parse_sample
from elva.datasets.conversation import named


def _talk(question: str = "<video>\nWhat?", answer: str = "This.") -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def _sample(**keys: object) -> dict:
    return {"id": "s1", "video": "a.mp4", "conversations": _talk()} | keys


def test_llava_sample_becomes_the_raw_item() -> None:
    item = parse_sample(_sample(skill="count", options=["one"]), "/data")
    assert item == {
        "id": "s1",
        "videos": ["/data/a.mp4"],
        "conversations": [
            {"role": "user", "content": "<video>\nWhat?"},
            {"role": "assistant", "content": "This."},
        ],
        "meta": {"skill": "count", "options": ["one"]},
    }


@pytest.mark.parametrize("key", ["video", "image"])
@pytest.mark.parametrize("tag", ["<video>", "<image>"])
def test_both_tags_mean_the_one_kind_that_is_named(key: str, tag: str) -> None:
    sample = {"id": 7, key: ["a", "b"], "conversations": _talk(f"{tag} and {tag}: which?")}
    item = parse_sample(sample)
    assert item["id"] == "7" and item["videos"] == ["a", "b"]
    assert item["conversations"][0]["content"] == "<video> and <video>: which?"


def test_images_and_videos_together_follow_their_tags() -> None:
    sample = _sample(image=["1.png", "2.png"], conversations=_talk("<image> <video> <image> same?"))
    assert parse_sample(sample)["videos"] == ["1.png", "a.mp4", "2.png"]


def test_roles_and_content_are_accepted_too() -> None:
    turns = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "<video> What?"},
        {"role": "assistant", "content": "This."},
    ]
    assert parse_sample(_sample(conversations=turns))["conversations"] == turns


def test_text_alone_has_no_videos() -> None:
    assert parse_sample({"id": "t", "conversations": _talk("Hello?")})["videos"] == []


def test_parts_follow_the_tags() -> None:
    sample = _sample(image="1.png", video=["a.mp4", "b.mp4"], bounds=[None, [1, 2]])
    item = parse_sample(sample | {"conversations": _talk("<video><image><video>")})
    assert item["videos"] == ["a.mp4", "1.png", "b.mp4"] and item["bounds"] == [None, None, (1.0, 2.0)]
    assert item["meta"] == {}
    assert "bounds" not in parse_sample(_sample(bounds=[None]))


def test_file_urls_are_paths() -> None:
    assert parse_sample(_sample(video="file:///v/a.mp4"), "/data")["videos"] == ["/v/a.mp4"]


def test_absolute_paths_stay() -> None:
    assert parse_sample(_sample(video="/else/a.mp4"), "/data")["videos"] == ["/else/a.mp4"]


def test_a_tag_in_an_answer_is_text() -> None:
    item = parse_sample(_sample(conversations=_talk(answer="write <video>")))
    assert item["conversations"][1]["content"] == "write <video>"


def test_an_id_that_is_null_or_empty_is_none() -> None:
    assert named({"id": 0}, "a-0") == {"id": 0}
    assert [named(sample, "a-0")["id"] for sample in ({}, {"id": None}, {"id": ""})] == ["a-0"] * 3


def test_the_answer_may_be_missing_only_where_that_is_allowed() -> None:
    sample = _sample(conversations=_talk()[:1])
    assert parse_sample(sample, answered=False)["conversations"][-1]["role"] == "user"
    with pytest.raises(ValueError, match="last turn must be an answer"):
        parse_sample(sample)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"id": "s1"}, "no 'conversations'"),
        ({"conversations": _talk()}, "no 'id'"),
        (_sample(conversations=[]), "conversation is empty"),
        (_sample(conversations=None), "'conversations' must be a list of turns, got None"),
        (_sample(conversations="hi"), "'conversations' must be a list of turns, got 'hi'"),
        (_sample(id={"a": 1}), "'id' must be a text or a number, got {'a': 1}"),
        (_sample(conversations=_talk("no tag")), "0 <image>/<video> tags, but 1 videos"),
        (_sample(conversations=_talk("<video><video>")), "2 <image>/<video> tags, but 1 videos"),
        (_sample(image="b.jpg", conversations=_talk("<video><video>")), "0 <image> and 2 <video> tags"),
        (_sample(video=None), "1 <image>/<video> tags, but 0 videos"),
        (_sample(video="a.JPG"), "'video' names the image file 'a.JPG'"),
        (_sample(video=None, image="a.mp4"), "'image' names the video file 'a.mp4'"),
        (_sample(video=[3]), "must be a path"),
        (_sample(video=3), "must be a path"),
        (_sample(video=b"0" * 999), r"must be a path or a list of paths, got b'0+\.\.\.0+'$"),
        (_sample(video=[["1.jpg", "2.jpg"]]), "must be a path"),
        (_sample(video="https://x.org/a.mp4"), r"'video' is no path but 'https.*write it to a file"),
        (_sample(video="data:video/mp4;base64,AAAA"), r"\(data: is not read\)"),
        (_sample(bounds=[[2, 1]]), "the part from 2 to 1 is empty"),
        (_sample(conversations=_talk()[::-1]), "turns must be user, assistant"),
        (_sample(conversations=_talk(answer=" ")), "that is not empty"),
        (_sample(conversations=_talk(answer="") + _talk("And?")), "turn 1 is an empty answer"),
        (_sample(conversations=["hi"]), "turn 0 is a str"),
        (_sample(conversations=[{"from": "bot", "value": "x"}]), "turn 0 is from 'bot', expected one of human"),
        (_sample(conversations=[{"from": ["human"], "value": "x"}]), r"turn 0 is from \['human'\], expected one of"),
        (_sample(conversations=[{"from": "human"}]), "turn 0 has no text"),
    ],
)
def test_bad_annotations_are_explained(sample: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_sample(sample)

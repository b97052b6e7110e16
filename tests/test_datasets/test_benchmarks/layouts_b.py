"""Small benchmarks in their published layouts: each function writes one below ``root``, its videos copies of a clip."""

from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.test_datasets.test_benchmarks.layouts_a import copy_clip, write_json


def write_pair(root: Path, questions: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
    """Questions and answers in two files."""
    write_json(root / "test_q.json", questions)
    write_json(root / "test_a.json", answers)


def write_activitynet_qa(root: Path, clip: str) -> None:
    """The second question's answer stands first."""
    questions = [
        {"video_name": "1QIUV7WYKXg", "question": "is the athlete wearing trousers", "question_id": "v_1QIUV7WYKXg_3"},
        {"video_name": "9eniCub7u60", "question": "what happens after the jump", "question_id": "v_9eniCub7u60_2"},
    ]
    answers = [
        {"answer": "he falls", "type": 2, "question_id": "v_9eniCub7u60_2"},
        {"answer": "yes", "type": 3, "question_id": "v_1QIUV7WYKXg_3"},
    ]
    write_pair(root, questions, answers)
    copy_clip(clip, root / "all_test/v_1QIUV7WYKXg.mkv", root / "all_test/v_9eniCub7u60.mp4")


def write_msvd_qa(root: Path, clip: str) -> None:
    rows = [
        {"id": 30933, "video_id": 1, "question": "who pours liquid?", "answer": "someone"},
        {"id": 30934, "video_id": 2, "question": "what is a man slicing?", "answer": "onion"},
    ]
    write_json(root / "test_qa.json", rows)
    (root / "youtube_mapping.txt").write_text("-4wsuPCjDBc_5_15 vid1\n-7KMZQEsJW4_205_208 vid2\n\n")
    copy_clip(clip, *(root / f"YouTubeClips/{name}.avi" for name in ("-4wsuPCjDBc_5_15", "-7KMZQEsJW4_205_208")))


def write_msrvtt_qa(root: Path, clip: str) -> None:
    row = {"id": 158581, "video_id": 6513, "category_id": 14, "question": "how many kids are there?", "answer": "two"}
    write_json(root / "test_qa.json", [row])
    copy_clip(clip, root / "videos/all/video6513.mp4")


def write_zero_shot(root: Path, clip: str, video: str) -> None:
    """``video``: path of the one video, from ``root``; the questions name it without folder and suffix."""
    name = Path(video).stem
    questions = [
        {"video_name": name, "question_id": f"v_{name}_0", "question": "what is a cat doing?"},
        {"video_name": name, "question_id": f"v_{name}_1", "question": "Is it asleep?"},
    ]
    answers = [{"answer": answer, "question_id": f"v_{name}_{i}"} for i, answer in ((1, "no"), (0, "play"))]
    write_pair(root, questions, answers)
    copy_clip(clip, root / video)


def write_gif(path: Path) -> None:
    """Ten frames at 10 frames per second, each brighter than the last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="gif") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        for number in range(10):
            frame = np.full((48, 64, 3), 20 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="rgb8")))
        out.mux(stream.encode(None))


TGIF_FILES = {
    "frameqa": [
        "gif_name\tquestion\tanswer\ttype\tvid_id\tkey\tdescription",
        "tumblr_a\twhat is the color of the shirt ?\tblack\t2\tFRAMEQA4460\t87751\ta man in a black shirt .",
    ],
    "count": [
        "gif_name\tquestion\tanswer\tvid_id\tkey",
        "tumblr_a\tHow many times does the man adjust waistband ?\t3\tCOUNT12\t52",
        "tumblr_b\tHow many times does the man step up ?\t10\tCOUNT46\t168",
    ],
    "action": [
        "gif_name\tquestion\ta1\ta2\ta3\ta4\ta5\tanswer\tvid_id\tkey",
        "tumblr_a\tWhat does the man do 3 times ?\tstep\treact\tface\tadjust waistband\tsway\t3\tACTION12\t52",
    ],
    "transition": [
        "gif_name\tquestion\ta1\ta2\ta3\ta4\ta5\tanswer\tvid_id\tkey",
        "tumblr_a\tWhat does the man do before sing ?\ttilt head\ttip hat\tdance\twink\tsit\t0\tTRANS24\t23",
    ],
}


def write_tgif_qa(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for task, lines in TGIF_FILES.items():
        (root / f"Test_{task}_question.csv").write_text("\n".join(lines) + "\n")
    write_gif(root / "gifs/tumblr_a.gif")


def write_perception_test(root: Path, clip: str) -> None:
    asked = {
        "id": 0,
        "question": "Is the camera moving or static?",
        "options": ["static or shaking", "I don't know", "moving"],
        "answer_id": 2,
        "area": "semantics",
        "reasoning": "descriptive",
        "tag": ["motion"],
    }
    other = asked | {"id": 1, "question": "What happens next?", "answer_id": 0, "area": "physics"}
    metadata = {"split": "valid", "video_id": "video_7"}
    hidden = {"video_8": {"metadata": metadata, "mc_question": [{k: asked[k] for k in ("id", "question", "options")}]}}
    write_json(root / "mc_question_valid.json", {"video_7": {"metadata": metadata, "mc_question": [asked, other]}})
    write_json(root / "mc_question_test.json", hidden)
    copy_clip(clip, root / "videos/video_7.mp4")


TEMP_COMPASS = {
    "multi-choice": {
        "question": "What is the man doing?\nA. dunking a basketball\nB. dribbling a basketball",
        "answer": "B. dribbling a basketball",
    },
    "yes_no": {"question": "Is the man dunking?", "answer": "no"},
    "caption_matching": {
        "question": "Which description matches the video?\nOption 1: He runs.\nOption 2: He: stops.",
        "answer": "Option 2: He: stops.",
    },
    "captioning": {
        "question": "Generate a caption.\nInformation A: {'subject': 'man'}\nGenerated Caption:",
        "answer": "A. dunking a basketball",
    },
}


def write_temp_compass(root: Path, clip: str) -> None:
    for task, row in TEMP_COMPASS.items():
        content = {"1034": {"action": [row, row], "speed": [row]}, "1034_reverse": {"direction": [row]}}
        write_json(root / "questions" / f"{task}.json", content)
    copy_clip(clip, root / "videos/1034.mp4", root / "videos/1034_reverse.mp4")

"""Small benchmarks in their published layouts: each function writes one below ``root``, its videos copies of a clip."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from PIL import Image
from pyarrow import parquet

Rows = Sequence[dict[str, Any]]

PIPELINE = [
    {
        "type": "LoadVideo",
        "reader": {"type": "PyAVReader"},
        "sampler": {"type": "UniformSampler", "num_frames": 4},
        "resolution": {"type": "FixedResolution", "size": (16, 32)},
    }
]
"""The part of a model's pipeline that reads videos."""


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_csv(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


def copy_clip(clip: str, *paths: Path) -> None:
    """A copy of ``clip`` at each of ``paths``."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, path)


VIDEO_MME: list[dict[str, Any]] = [
    {
        "video_id": "001",
        "duration": "short",
        "domain": "Knowledge",
        "sub_category": "Humanity & History",
        "url": "https://www.youtube.com/watch?v=fFjv93ACGo8",
        "videoID": "fFjv93ACGo8",
        "question_id": "001-1",
        "task_type": "Counting Problem",
        "question": "How many birds fly off?",
        "options": ["A. Apples.", "B. Candles.", "C. Berries.", "D. The three kinds are of the same number."],
        "answer": "C",
    },
    {
        "video_id": "601",
        "duration": "long",
        "domain": "Film & Television",
        "sub_category": "Animation",
        "url": "https://www.youtube.com/watch?v=N1cdUjctpG8",
        "videoID": "N1cdUjctpG8",
        "question_id": "601-1",
        "task_type": "Object Reasoning",
        "question": "Who pays?",
        "options": ["A. The host.", "B. Nobody.", "C. The guests.", "D. A stranger."],
        "answer": "A",
    },
]
SRT = """1
00:00:00,000 --> 00:00:00,400
<font color="white" size=".72c">good evening</font>

2
00:00:00,400 --> 00:00:01,000
<font color="white" size=".72c">to everybody</font>
"""


def write_video_mme(root: Path, clip: str, rows: Rows = VIDEO_MME) -> None:
    """The first video has subtitles, the second has none and is a ``.MP4``."""
    write_parquet(root / "videomme/test-00000-of-00001.parquet", rows)
    copy_clip(clip, root / "data/fFjv93ACGo8.mp4", root / "data/N1cdUjctpG8.MP4")
    (root / "subtitle").mkdir(exist_ok=True)
    (root / "subtitle/fFjv93ACGo8.srt").write_text(SRT)


MVBENCH: dict[str, tuple[str, dict[str, Any]]] = {
    "action_sequence": ("video/star/Charades_v1_480", {"video": "ZS9XR.mp4", "start": 0.2, "end": 0.6}),
    "moving_count": ("video/data0613/clevrer/video_validation", {"video": "video_10009.mp4"}),
    "episodic_reasoning": (
        "video/tvqa/frames_fps3_hq",
        {"video": "friends_s03e09_seg02_clip_07", "start": 1.0, "end": 2.0, "fps": 3},
    ),
}
"""Of some of the tasks, where its video is and what is particular to its row."""


def write_mvbench(root: Path, clip: str) -> None:
    """All 20 tasks, one question each; those not in ``MVBENCH`` are about videos that are not there."""
    from elva.datasets.benchmarks.mvbench import TASKS

    for task in TASKS:
        folder, special = MVBENCH.get(task, ("", {"video": "gone.mp4", "start": 0.0, "end": 1.0}))
        row = {"question": "What happened?", "candidates": ["a jump", "a fall", "nothing"], "answer": "a fall"}
        write_json(root / f"json/{task}.json", [row | special])
        if task == "episodic_reasoning":
            write_frames(root / folder / special["video"], count=9)
        elif folder:
            copy_clip(clip, root / folder / special["video"])


def write_frames(folder: Path, count: int) -> None:
    """A folder of frames, each brighter than the last by 20."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (64, 48), (20 * number,) * 3).save(folder / f"{number + 1:05d}.jpg", quality=95)


_NEXT = {"frame_count": 1058, "width": 640, "height": 360}
NEXT_QA: list[dict[str, Any]] = [
    {
        "video": 4010069381,
        **_NEXT,
        "question": "how do the two man play the instrument",
        "answer": 0,
        "qid": 6,
        "type": "CH",
        "a0": "roll the handle",
        "a1": "tap their feet",
        "a2": "strum the string",
        "a3": "hit with sticks",
        "a4": "pat, with a hand",
    },
    {
        "video": 4010069381,
        **_NEXT,
        "question": "what did he do before he sat",
        "answer": 4,
        "qid": 7,
        "type": "TP",
        "a0": "sing",
        "a1": "run",
        "a2": "wave",
        "a3": "bow",
        "a4": "stand",
    },
]
NEXT_OE: list[dict[str, Any]] = [
    {"video": 4010069381, **_NEXT, "question": "how many men are there", "answer": "two", "qid": 1, "type": "DC"},
    {"video": 4010069381, **_NEXT, "question": "why does he sit", "answer": "to play", "qid": 2, "type": "CW"},
]


def write_next_qa(root: Path, clip: str) -> None:
    """Multiple choice and open-ended, about one video."""
    write_csv(root / "test.csv", NEXT_QA)
    write_csv(root / "open_ended/test.csv", NEXT_OE)
    write_json(root / "open_ended/add_reference_answer_test.json", {"4010069381": {"2": "rest", "9": "unasked"}})
    write_json(root / "map_vid_vidorID.json", {"4010069381": "1164/4010069381"})
    copy_clip(clip, root / "NExTVideo/1164/4010069381.mp4")


EGOSCHEMA: list[dict[str, Any]] = [
    {
        "q_uid": uid,
        "google_drive_id": "1s3vfw0vc",
        "question": "What is the main activity of C?",
        **{f"option {number}": f"C does thing {number}." for number in range(5)},
    }
    for uid in ("0074f737-11cb", "00b9a0de-c59e", "00faf954-74f7")
]


def write_egoschema(root: Path, clip: str) -> None:
    """Three questions, of which the second has a published answer."""
    write_json(root / "questions.json", EGOSCHEMA)
    write_json(root / "subset_answers.json", {EGOSCHEMA[1]["q_uid"]: 3})
    copy_clip(clip, *(root / f"videos/{row['q_uid']}.mp4" for row in EGOSCHEMA))


LONG_VIDEO_BENCH: list[dict[str, Any]] = [
    {
        "video_id": "86CxyhFV9MI",
        "question": "What is on the screen when the subtitle says 'run away'?",
        "question_wo_referring_query": "What is on the screen?",
        "candidates": ["A tree", "A car", "A boy"],
        "correct_choice": 1,
        "position": [854, 1119],
        "topic_category": "NP-News-Programs",
        "question_category": "T2E",
        "level": "L1-Perception",
        "id": "86CxyhFV9MI_0",
        "video_path": "86CxyhFV9MI.mp4",
        "subtitle_path": "86CxyhFV9MI_en.json",
        "duration_group": 600,
        "starting_timestamp_for_subtitles": 0,
        "duration": 1.6,
        "view_count": 203091,
    },
    {
        "video_id": "vid2",
        "question": "What follows?",
        "question_wo_referring_query": "What follows?",
        "candidates": ["A song", "A talk", "A walk", "A fight", "Nothing"],
        "correct_choice": 4,
        "position": [12],
        "topic_category": "KA-Knowledge-Art",
        "question_category": "E3E",
        "level": "L2-Relation",
        "id": "vid2_1",
        "video_path": "vid2.mp4",
        "subtitle_path": "vid2.json",
        "duration_group": 15,
        "starting_timestamp_for_subtitles": 30,
        "duration": 1.6,
        "view_count": 7,
    },
]


def write_long_video_bench(root: Path, clip: str, tables: bool = False) -> None:
    """Both splits, of the same questions; the two subtitle files have the two forms."""
    hidden = [{k: v for k, v in row.items() if k != "correct_choice"} for row in LONG_VIDEO_BENCH]
    if tables:
        write_parquet(root / "validation-00000-of-00001.parquet", [_flat(row) for row in LONG_VIDEO_BENCH])
        write_parquet(root / "test-00000-of-00001.parquet", [_flat(row) for row in hidden])
    else:
        write_json(root / "lvb_val.json", LONG_VIDEO_BENCH)
        write_json(root / "lvb_test_wo_gt.json", hidden)
    published = [
        {"start": "00:00:00.100", "end": "00:00:00.500", "line": "run away"},
        {"start": "00:00:00.900", "end": "00:00:01.300", "line": "<i>and</i> back"},
    ]
    recognised = [{"timestamp": [30.1, 30.9], "text": "la la"}, {"timestamp": [31.0, None], "text": "the end"}]
    write_json(root / "subtitles/86CxyhFV9MI_en.json", published)
    write_json(root / "subtitles/vid2.json", recognised)
    copy_clip(clip, root / "videos/86CxyhFV9MI.mp4", root / "videos/vid2.mp4")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table, whose options are columns."""
    options = [*row["candidates"], *["N/A"] * 5][:5]
    return {k: v for k, v in row.items() if k != "candidates"} | {f"option{n}": text for n, text in enumerate(options)}


MLVU = {
    "1_plotQA": "movie101_66.mp4",
    "2_needle": "needle_32.mp4",
    "3_ego": "ego_35.mp4",
    "4_count": "count_126.mp4",
    "5_order": "order_186.mp4",
    "6_anomaly_reco": "surveil_8.mp4",
    "7_topic_reasoning": "AWA-6.mp4",
    "8_sub_scene": "subPlot_new_all_1.mp4",
    "9_summary": "217.mp4",
}
"""Of each file of questions a video."""


def write_mlvu(root: Path, clip: str) -> None:
    """One question a task."""
    for task, video in MLVU.items():
        row: dict[str, Any] = {
            "video": video,
            "duration": 480.0,
            "question": "What colour is it?",
            "question_type": task,
        }
        if task[0] in "89":
            row |= {"answer": "A long text.", "scoring_points": ["long"] if task[0] == "8" else None}
        else:
            row |= {"candidates": ["Yellow", "Red", "Green", "Blue"], "answer": "Red"}
        write_json(root / f"json/{task}.json", [row])
        copy_clip(clip, root / f"video/{task}/{video}")

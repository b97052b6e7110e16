"""lmms-eval tasks about rendered clips: what a task's author writes, on data that lies on this disk."""

import json
from pathlib import Path

UTILS = """
from PIL import Image

def process_docs(docs):
    return docs.map(lambda doc: {"question": doc["question"].strip()})

def visual(doc):
    return [doc["video"]]

def still(doc):
    return [Image.open(doc["image"])]

def text(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]
"""

COMMON = """
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
  cache_dir: {cache}
test_split: test
process_docs: !function utils.process_docs
doc_to_visual: !function utils.visual
doc_to_text: !function utils.text
"""

GENERATE = """
doc_to_target: answer
output_type: generate_until
generation_kwargs:
  max_new_tokens: 6
  temperature: 0
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""

CHOOSE = """
output_type: multiple_choice
doc_to_choice: options
doc_to_target: correct
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


def make_tasks(root: Path, data: Path) -> list[dict]:
    """Write ``shapes`` (text is generated), ``shapes_image`` (stills) and ``shapes_choice`` (an option is chosen).

    Args:
        root: Where the task files go.
        data: A folder of ``make_moving_shapes``.

    Returns:
        The documents.
    """
    root.mkdir()
    docs = []
    for row in json.loads((data / "test_qa.json").read_text()):
        question, answer = (turn["value"] for turn in row["conversations"])
        image = min((data / "images").rglob("*.png"))
        options = row["options"]
        paths = {"video": str(data / row["video"]), "image": str(image)}
        question = question.removeprefix("<video>\n")
        asked = {"question": f" {question}", "answer": answer, "options": options, "correct": options.index(answer)}
        docs.append(paths | asked)
    (root / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (root / "utils.py").write_text(UTILS)
    common = COMMON.format(data=root / "docs.jsonl", cache=root / "cache")
    (root / "shapes.yaml").write_text(f"task: shapes{common}{GENERATE}")
    still = common.replace("utils.visual", "utils.still")
    (root / "shapes_image.yaml").write_text(f"task: shapes_image{still}{GENERATE}")
    (root / "shapes_choice.yaml").write_text(f"task: shapes_choice{common}{CHOOSE}")
    return docs

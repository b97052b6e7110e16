"""The words that go with a MovingShapes scene: captions at two levels of detail, and questions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .scene import COLOURS, COUNTS, DIRECTIONS, KINDS, Labels, Scene, Shape

SKILLS = ("colour", "shape", "count", "direction", "order")


@dataclass(frozen=True)
class Question:
    """A question with one right answer among ``options``, each of which is right equally often."""

    skill: str
    text: str
    answer: str
    options: tuple[str, ...]


def questions(scene: Scene, labels: Labels) -> list[Question]:
    """Return every question that ``scene`` answers.

    Answers are independent of the questions' words, and of the other questions of the scene.
    """
    if labels.ordered:
        ways = [_direction(f"the {mover.name}", mover) for mover in scene.movers]
        return [_order(scene, labels.named_first), *ways]
    mover = scene.movers[0]
    return [
        Question("colour", "What colour is the moving shape?", mover.colour, tuple(COLOURS)),
        _shape(mover),
        Question("count", "How many shapes are there?", COUNTS[labels.count - 1], COUNTS),
        _direction("the moving shape", mover),
    ]


def side_questions(scene: Scene) -> list[Question]:
    """Return a question about a shape that stands still, if one does; it is asked in training alone."""
    return [_shape(shape) for shape in scene.still[:1]]


def recaption(scene: Scene) -> str:
    """Return a caption that names every attribute in a fixed order."""
    first = scene.movers[0]
    if len(scene.movers) == 1:
        motion = [f"A {first.name} moves {first.direction}."]
    else:
        second = scene.movers[1]
        motion = [
            f"A {first.name} enters first and moves {first.direction}.",
            f"A {second.name} enters second and moves {second.direction}.",
        ]
    rest = [f"{_listed(scene.still)} {'stands' if len(scene.still) == 1 else 'stand'} still."] if scene.still else []
    return " ".join([_count(scene), *motion, *rest])


def recaption_still(scene: Scene) -> str:
    """Return a caption of one frame in which every shape is visible: no motion, everything else."""
    return f"{_count(scene)} {_listed(scene.shapes)}."


def original_caption(scene: Scene, rng: np.random.Generator) -> str:
    """Return what the alternative text of a page might say: vague, and sometimes not about the video at all."""
    shape = scene.shapes[rng.integers(len(scene.shapes))]
    vague = [f"a {shape.name}", f"{shape.colour} thing", f"{shape.kind}s", "some shapes", "shapes on grey", "untitled"]
    return str(rng.choice(vague))


def conversation(tag: str, turns: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Return LLaVA's ``conversations`` of ``(prompt, reply)`` turns about the one ``tag`` (``'<video>'``)."""
    lines = []
    for index, (prompt, reply) in enumerate(turns):
        lines.append({"from": "human", "value": f"{tag}\n{prompt}" if index == 0 else prompt})
        lines.append({"from": "gpt", "value": reply})
    return lines


def qa_sample(asked: list[Question]) -> dict[str, Any]:
    """Return the annotation keys of one sample; a single question has plain keys, several have lists of them."""
    turns = [(question.text, question.answer) for question in asked]
    if len(asked) == 1:
        keys: dict[str, Any] = {"skill": asked[0].skill, "options": list(asked[0].options)}
    else:
        keys = {"skills": [q.skill for q in asked], "options": [list(q.options) for q in asked]}
    return {"conversations": conversation("<video>", turns), **keys}


def _shape(shape: Shape) -> Question:
    return Question("shape", f"What shape is the {shape.colour} one?", shape.kind, KINDS)


def _direction(subject: str, mover: Shape) -> Question:
    return Question("direction", f"Which way does {subject} move?", mover.direction, tuple(DIRECTIONS))


def _order(scene: Scene, named_first: bool) -> Question:
    first, second = (mover.colour for mover in scene.movers)
    options = (first, second) if named_first else (second, first)
    return Question("order", f"Which shape enters first, the {options[0]} or the {options[1]} one?", first, options)


def _count(scene: Scene) -> str:
    number = len(scene.shapes)
    return f"{COUNTS[number - 1].capitalize()} shape{'s' if number > 1 else ''}."


def _listed(shapes: tuple[Shape, ...]) -> str:
    """Such as ``'A red circle, a blue square and a green cross'``, in the order of the palette."""
    palette = list(COLOURS)
    names = [f"a {shape.name}" for shape in sorted(shapes, key=lambda shape: palette.index(shape.colour))]
    text = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return text[0].upper() + text[1:]

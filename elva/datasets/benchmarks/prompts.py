"""What a model is asked, given a question of a benchmark."""

from abc import ABC, abstractmethod

from elva.registry import PROMPTS
from elva.structures import Question

LETTER = "Answer with the option's letter from the given choices directly."
SHORT = "Answer the question using a single word or phrase."


class Prompt(ABC):
    """Writes the text that follows the video."""

    @abstractmethod
    def write(self, question: Question, subtitles: str = "") -> str:
        """Return the text.

        Args:
            question: The question.
            subtitles: What is said in the video; empty where no subtitles are used.
        """


@PROMPTS.register_module()
class MultipleChoicePrompt(Prompt):
    """Subtitles, the question, its options one a line, and how to answer; the wording of lmms-eval.

    Args:
        before: A line in front of the question. Default: none.
        before_subtitled: The same where there are subtitles. Default: ``before``.
        question: How the question is written, with the field ``text``. Default: ``'{text}'``.
        after: The last line. Default: asks for the letter alone.
        option: How an option is written, with the fields ``letter`` and ``text``. Default: ``'{letter}. {text}'``.
        subtitles: How subtitles are introduced, with the field ``text``.
    """

    def __init__(
        self,
        before: str = "",
        after: str = LETTER,
        option: str = "{letter}. {text}",
        subtitles: str = "This video's subtitles are listed below:\n{text}",
        before_subtitled: str | None = None,
        question: str = "{text}",
    ) -> None:
        self.before = {False: before, True: before if before_subtitled is None else before_subtitled}
        self.after = after
        self.question, self.subtitles = _form("question", question), _form("subtitles", subtitles)
        self.option = _form("option", option, "letter")

    def write(self, question: Question, subtitles: str = "") -> str:
        options = [
            self.option.format(letter=letter, text=text)
            for letter, text in zip(question.letters, question.options, strict=True)
        ]
        said = self.subtitles.format(text=subtitles) if subtitles else ""
        lines = (said, self.before[bool(said)], self.question.format(text=question.text), *options, self.after)
        return "\n".join(line for line in lines if line)


@PROMPTS.register_module()
class OpenPrompt(Prompt):
    """Subtitles, the question, and how to answer.

    Args:
        before: A line in front of the question. Default: none.
        after: The last line. Default: asks for a word or a phrase.
        subtitles: How subtitles are introduced, with the field ``text``.
    """

    def __init__(
        self,
        before: str = "",
        after: str = SHORT,
        subtitles: str = "This video's subtitles are listed below:\n{text}",
    ) -> None:
        self.before, self.after, self.subtitles = before, after, _form("subtitles", subtitles)

    def write(self, question: Question, subtitles: str = "") -> str:
        said = self.subtitles.format(text=subtitles) if subtitles else ""
        return "\n".join(line for line in (said, self.before, question.text, self.after) if line)


def _form(argument: str, form: str, *others: str) -> str:
    """``form``, which has the field ``text``, and may have ``others``.

    Raises:
        ValueError: If it has other fields, or not this one.
    """
    try:
        filled = form.format(text="\0", **dict.fromkeys(others, ""))
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"prompt: {argument}={form!r} can have the fields {', '.join(['text', *others])} (other braces are "
            f"doubled): {error}"
        ) from error
    if "\0" not in filled:
        raise ValueError(f"prompt: {argument}={form!r} has no field {{text}}")
    return form

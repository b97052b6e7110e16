"""How much of a benchmark can be asked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Coverage:
    """Which of a benchmark's files are there.

    Attributes:
        videos: How many different videos its questions are about.
        missing: Paths of those that are not there, as the questions name them.
        questions: How many questions there are.
        unanswerable: How many of them lack their video, or the subtitles that they are asked with.
        subtitles: How many different subtitle files the questions name, whether they are used or not.
        missing_subtitles: Paths of those that are not there.
        needed: Whether a question cannot be asked without its subtitle file.
    """

    videos: int
    missing: tuple[str, ...]
    questions: int
    unanswerable: int
    subtitles: int = 0
    missing_subtitles: tuple[str, ...] = ()
    needed: bool = False

    @property
    def lacking(self) -> tuple[str, ...]:
        """Paths of the files without which some questions cannot be asked."""
        return self.missing + (self.missing_subtitles if self.needed else ())

    @property
    def share(self) -> float:
        """Share of the questions whose video is there."""
        return 1 - self.unanswerable / self.questions

    def words(self) -> str:
        """One line for people."""
        videos = f"{len(self.missing)} of {self.videos} videos"
        spoken = f" and {len(self.missing_subtitles)} of {self.subtitles} subtitle files" if self.needed else ""
        return (
            f"{videos}{spoken} are missing: {self.questions - self.unanswerable} of {self.questions} questions "
            f"({self.share:.2%}) can be asked"
        )

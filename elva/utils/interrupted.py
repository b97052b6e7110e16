"""How a training that was ended by a signal tells its caller."""

from pathlib import Path


class Interrupted(KeyboardInterrupt):
    """Training was ended by a signal, after a checkpoint was saved.

    Attributes:
        checkpoint: Where it is.
        signum: Number of the signal.
    """

    def __init__(self, checkpoint: Path, signum: int) -> None:
        super().__init__(f"interrupted; saved {checkpoint}")
        self.checkpoint, self.signum = checkpoint, signum

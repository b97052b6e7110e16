"""What every supervisor promises."""

from abc import abstractmethod

from torch import Tensor, nn

from elva.structures import VideoTokens


class Supervisor(nn.Module):
    """A loss that guides the visual hidden states while the model learns; it is not part of the trained product."""

    @abstractmethod
    def forward(self, student: VideoTokens, teacher_VThwC: Tensor, frames_VT: Tensor) -> dict[str, Tensor]:
        """Compare the student's hidden states with the teacher's features.

        Args:
            student: The tokens that went into the language model, ``x`` replaced by the last hidden state of the row
                that each ended in; ``valid`` is false where a token was dropped.
            teacher_VThwC: (V, T, h, w, Ct) the teacher's features of every frame of the V videos, without gradient.
            frames_VT: (V, T) long, the value of ``student.frame`` that each teacher frame belongs to; -1 on padding.

        Returns:
            Named losses; each name starts with ``loss_``.
        """

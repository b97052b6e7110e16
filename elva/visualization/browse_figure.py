"""The frames of a sample as a Matplotlib figure."""

from matplotlib.figure import Figure

from .browse_sample import SampleView

COLUMNS = 8


def frames_figure(view: SampleView, figure: Figure | None = None) -> Figure:
    """Draw all frames of all videos of a sample, with their times and sizes.

    Args:
        view: A sample with a video.
        figure: Drawn into. Default: a new one.
    """
    frames = [(video, frame) for video in view.videos for frame in range(len(video.frames))]
    rows = -(-len(frames) // COLUMNS)
    figure = figure or Figure(layout="constrained")
    figure.set_size_inches(12, 1.9 * rows + 0.5)
    figure.suptitle(f"{view.id}: {view.words()}", fontsize=10)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for ax in axes:
        ax.axis("off")
    for ax, (video, frame) in zip(figure.axes, frames, strict=False):
        pixels = video.frames[frame]
        ax.imshow(pixels, interpolation="nearest")
        ax.set_title(f"{video.seconds[frame]:.2f} s, {pixels.shape[0]}x{pixels.shape[1]}", fontsize=7)
    return figure

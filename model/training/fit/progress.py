"""Progress of a training: a bar for who watches, a line for each epoch, and curves as a picture."""

import io
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from matplotlib.figure import Figure
from tqdm import tqdm

from model.training.errors import CheckpointError
from model.training.fit.run import read_history

CURVES = "curves.png"


class Progress:
    """Shows the reports of `Trainer.fit` while it is entered."""

    def __init__(self, folder: Path, steps: int) -> None:
        """Of the training in `folder`, of so many steps in all."""
        self._folder = folder
        # Without a terminal only the lines of the epochs are printed.
        self._bar = tqdm(total=steps, unit="step", disable=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def show(self, line: dict[str, Any]) -> None:
        """One report; at the end of an epoch the curves are drawn anew.

        Raises CheckpointError when they cannot be written.
        """
        self._bar.update(line["step"] - self._bar.n)
        self._bar.set_postfix_str(f"{line['size']} px, loss {line['loss']:.3f}")
        if "accuracy" in line:
            self._bar.write(
                f"step {line['step']}/{self._bar.total}  {line['size']} px  loss {line['loss']:.3f}"
                f"  {line['seconds']:.0f} s  tuning accuracy {line['accuracy']:.4f}"
            )
            draw_curves(self._folder)


def draw_curves(folder: Path) -> None:
    """Write loss and tuning accuracy by step as `curves.png`; raises CheckpointError."""
    history = read_history(folder)
    steps = [line["step"] for line in history]
    figure = Figure(figsize=(6.4, 6.4), dpi=120, layout="constrained")
    losses, accuracies = figure.subplots(2, 1, sharex=True)
    losses.plot(steps, [line["loss"] for line in history], marker="o")
    losses.set(ylabel="loss, mean of the epoch", title=f"Training {folder.name}")
    accuracies.plot(steps, [line["accuracy"] for line in history], marker="o")
    accuracies.set(xlabel="step", ylabel="accuracy on the images held out")
    for axes in (losses, accuracies):
        axes.grid(color="0.9")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    try:
        (folder / CURVES).write_bytes(picture.getvalue())
    except OSError as error:
        raise CheckpointError(f"cannot write {folder / CURVES}: {error}") from error

"""Picture of what was heard, what was to be expected, and how far the two differ."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skasd.inspection._explanation import Explanation, explain
from skasd.inspection._matplotlib import import_pyplot

_TICKS_HZ = np.array([250, 500, 1000, 2000, 4000, 8000, 16000, 32000])


class ErrorMapDisplay:
    """Draw the spectrogram of a clip, its prediction and the error, one above the other.

    Without autoencoders, these are the spectrogram, the usual levels, and how unusual each cell is.
    Boxes in the last one show the spans and bands of the explanation.

    Parameters
    ----------
    explanation : Explanation
        Explanation of the clip.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The picture.
    axes_ : ndarray of 3 matplotlib Axes
        Spectrogram, prediction and error.

    See Also
    --------
    explain : The same in words.

    Examples
    --------
    >>> from skasd import make_iaeo3
    >>> from skasd.datasets import make_machine_sounds
    >>> from skasd.inspection import ErrorMapDisplay
    >>> clips, y = make_machine_sounds("fan", n_normal=12, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_iaeo3(openl3=False, random_state=0)
    >>> detector.fit(clips[y == 1])  # doctest: +SKIP
    >>> display = ErrorMapDisplay.from_estimator(detector, clips[-1])  # doctest: +SKIP
    >>> display.figure_.savefig("odd.png")  # doctest: +SKIP
    """

    def __init__(self, explanation: Explanation):
        self.explanation = explanation

    @classmethod
    def from_estimator(
        cls, detector: BaseEstimator, clip: Any, *, axes: Sequence | None = None, **analysis: Any
    ) -> Self:
        """Explain a clip and draw it.

        Parameters
        ----------
        detector, clip
            See `explain`.
        axes : sequence of 3 matplotlib Axes or None, default=None
            Where to draw; a new figure if None.
        **analysis
            See `explain`: `sample_rate`, `hop_length`, `fmin` and `fmax` of a spectrogram.

        Returns
        -------
        display : ErrorMapDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        import_pyplot()
        return cls(explain(detector, clip, **analysis)).plot(axes=axes)

    def plot(self, *, axes: Sequence | None = None) -> Self:
        """Draw the three maps.

        Parameters
        ----------
        axes : sequence of 3 matplotlib Axes or None, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : ErrorMapDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If there are not three axes.
        """
        plt = import_pyplot()
        if axes is None:
            _, axes = plt.subplots(
                3, 1, figsize=(8, 8), sharex=True, sharey=True, layout="constrained"
            )
        self.axes_ = np.asarray(axes, dtype=object).ravel()
        if len(self.axes_) != 3:
            raise ValueError(f"axes holds {len(self.axes_)} axes. Pass three, or None.")
        self.figure_ = self.axes_[0].figure
        explanation = self.explanation
        levels = np.concatenate([explanation.spectrogram, explanation.prediction])
        span_of_levels = np.quantile(levels, [0.01, 0.999])
        expected = "Mean level of each band" if explanation.of_statistics else "Prediction"
        self._draw_levels(self.axes_[0], explanation.spectrogram, span_of_levels, "Spectrogram")
        self._draw_levels(self.axes_[1], explanation.prediction, span_of_levels, expected)
        unusual, side = explanation.excess, "above"
        if explanation.easier_than_usual:
            unusual, side = -unusual, "below"
        limits = 0, max(np.quantile(unusual, 0.999), np.finfo(np.float32).eps)
        title, label = f"Squared error {side} its mean in training", "error in dB²"
        if explanation.of_statistics:
            title, label = "Distance from healthy clips", "share of what is unusual"
        self._draw(self.axes_[2], unusual, limits, title, label, "magma")
        self._draw_boxes(self.axes_[2])
        self.axes_[2].set_xlabel("time in s")
        return self

    def _draw_levels(self, ax: Any, levels: np.ndarray, limits: Any, title: str) -> None:
        self._draw(ax, levels, limits, title, "level in dB", "viridis")

    def _draw(self, ax: Any, values: Any, limits: Any, title: Any, label: Any, colors: Any) -> None:
        from librosa import hz_to_mel, mel_to_hz

        frequencies = self.explanation.frequencies
        image = ax.pcolormesh(
            self.explanation.times,
            frequencies / 1000,
            values.T,
            vmin=limits[0],
            vmax=limits[1],
            cmap=colors,
            shading="nearest",
            rasterized=True,
        )
        self.figure_.colorbar(image, ax=ax, label=label)
        ax.set_yscale(
            "function",
            functions=(
                lambda kilohertz: hz_to_mel(1000 * kilohertz),
                lambda mels: mel_to_hz(mels) / 1000,
            ),
        )
        ticks = _TICKS_HZ[(frequencies[0] <= _TICKS_HZ) & (frequencies[-1] >= _TICKS_HZ)]
        ax.set_yticks(ticks / 1000, [f"{hertz / 1000:g}" for hertz in ticks])
        ax.minorticks_off()
        ax.set(ylabel="frequency in kHz", ylim=(frequencies[0] / 1000, frequencies[-1] / 1000))
        ax.set_title(title, loc="left")

    def _draw_boxes(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle

        for (start, end), (low, high) in product(self.explanation.spans, self.explanation.bands):
            corner, size = (start, low / 1000), (end - start, (high - low) / 1000)
            ax.add_patch(Rectangle(corner, *size, fill=False, color="white", linewidth=0.8))

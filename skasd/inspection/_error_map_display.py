"""A picture of what was heard, what was expected, and how far the two differ."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skasd.features._mel_bands import hertz_to_mel, mel_to_hertz
from skasd.inspection._explanation import Explanation, explain
from skasd.inspection._matplotlib import import_pyplot, ticks_with_ends

_TICKS_HZ = np.array([250, 500, 1000, 2000, 4000, 8000, 16000, 32000])


class ErrorMapDisplay:
    """Draw the spectrogram of a clip, its prediction and the error, one above the other.

    Without autoencoders, these are the spectrogram, the usual levels, and how unusual each cell is.
    Boxes in the first and the last picture mark the time spans and bands of the explanation.

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
            figure, axes = plt.subplots(
                3, 1, figsize=(8, 8), sharex=True, sharey=True, layout="constrained"
            )
            figure.suptitle(self._title(), fontsize="medium")
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
        image = self._draw(self.axes_[2], unusual, limits, title, label, "magma")
        if explanation.of_statistics:
            # A cell's share is too small to say anything as a number.
            image.colorbar.set_ticks(limits, labels=["none", "most"])
        for ax in self.axes_[[0, 2]]:
            self._draw_boxes(ax)
        self.axes_[2].set_xlabel("time in s")
        return self

    def _title(self) -> str:
        explanation = self.explanation
        verdict = "Anomalous" if explanation.is_anomalous else "Normal"
        numbers = f"score {explanation.anomaly_score:.4g}, threshold {explanation.threshold:.4g}"
        if not np.isnan(explanation.p_value):
            numbers += f", p-value {explanation.p_value:.2g}"
        return f"{verdict} clip: {numbers}\n{explanation.location}"

    def _draw_levels(self, ax: Any, levels: np.ndarray, limits: Any, title: str) -> None:
        self._draw(ax, levels, limits, title, "level in dB", "viridis")

    def _draw(self, ax: Any, values: Any, limits: Any, title: Any, label: Any, colors: Any) -> Any:
        mels = _edges(hertz_to_mel(self.explanation.frequencies), beyond=1)
        times = _edges(self.explanation.times, beyond=0.5)
        image = ax.pcolormesh(
            times,
            mel_to_hertz(mels) / 1000,
            values.T,
            vmin=limits[0],
            vmax=limits[1],
            cmap=colors,
            rasterized=True,
        )
        self.figure_.colorbar(image, ax=ax, label=label)
        ax.set_yscale(
            "function",
            functions=(
                lambda kilohertz: hertz_to_mel(1000 * kilohertz),
                lambda mels: mel_to_hertz(mels) / 1000,
            ),
        )
        ticks = mel_to_hertz(ticks_with_ends(mels[0], mels[-1], hertz_to_mel(_TICKS_HZ))) / 1000
        ax.set_yticks(ticks, [_rounded(kilohertz) for kilohertz in ticks])
        ax.minorticks_off()
        ax.set(ylabel="frequency in kHz", ylim=(ticks[0], ticks[-1]))
        ax.set_xlim(times[0], times[-1])
        seconds = ticks_with_ends(times[0], times[-1], ax.xaxis.get_major_locator()())
        ax.set_xticks(seconds, [_rounded(each) for each in seconds])
        ax.set_title(title, loc="left")
        return image

    def _draw_boxes(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle

        for (start, end), (low, high) in product(self.explanation.spans, self.explanation.bands):
            corner, size = (start, low / 1000), (end - start, (high - low) / 1000)
            ax.add_patch(Rectangle(corner, *size, fill=False, color="white", linewidth=0.8))
        ax.set_title("boxes: what is unusual", loc="right", fontsize="small")


def _edges(middles: np.ndarray, *, beyond: float) -> np.ndarray:
    """Return the edges of cells; the outermost lie `beyond` steps past their middles, or at 0."""
    step = np.diff(middles).mean() if len(middles) > 1 else middles[0]
    ends = np.maximum([middles[0] - beyond * step, middles[-1] + beyond * step], 0)
    return np.concatenate([ends[:1], (middles[1:] + middles[:-1]) / 2, ends[1:]])


def _rounded(value: float) -> str:
    return f"{round(value, 2):g}"

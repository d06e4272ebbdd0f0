"""
An encoder of your own
======================

If an encoder is at hand, such as a pretrained network, it becomes a step of a detector: a subclass
of `ClipTransformer` says what it makes of one clip. The base class reads, resamples and checks the
clips.
"""

# %%
# A class of a few lines
# ----------------------
#
# Mean and spread of the cepstrum stand in for an encoder here.

import numpy as np
from scipy.fft import dct
from sklearn.pipeline import make_pipeline

from skasd import (
    ClipTransformer,
    LogMelSpectrogram,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
)
from skasd.datasets import make_machine_sounds
from skasd.inspection import ScoreDistributionDisplay
from skasd.metrics import auc, pauc


class CepstrumEncoder(ClipTransformer):
    """Clips → mean and standard deviation of 20 cepstral coefficients."""

    def transform_clip(self, samples):
        """Return the features of one clip."""
        levels = LogMelSpectrogram(self.sample_rate).transform_clip(samples)
        cepstrum = dct(levels, norm="ortho")[:, :20]
        return np.concatenate([cepstrum.mean(axis=0), cepstrum.std(axis=0)])


# %%
# A detector with verdicts
# ------------------------
#
# `NearestNeighborsDetector` judges the features. Each member of the `RepeatedSeedEnsemble` around
# both leaves out a share of the clips, so that the threshold comes from clips that are new to it.

clips, y = make_machine_sounds(
    "fan", n_normal=80, n_anomalous=20, duration=4.0, snr_db=10, random_state=0
)
detector = RepeatedSeedEnsemble(make_pipeline(CepstrumEncoder(), NearestNeighborsDetector()))
detector.fit(clips[:60])

test, y = clips[60:], y[60:]
scores = detector.anomaly_score(test)
is_anomalous = detector.predict(test) == -1
print(f"AUC {auc(y, scores):.3f}, pAUC {pauc(y, scores):.3f}")
print(f"{is_anomalous[y == -1].sum()} of 20 faulty clips found")
print(f"{is_anomalous[y == 1].sum()} of 20 healthy clips called anomalous")
ScoreDistributionDisplay.from_scores(y, scores, threshold=-detector.offset_)

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skasd import GaussianMixtureDetector, LogMelSpectrogram
from skasd.datasets import make_machine_sounds

MACHINES = ["fan", "pump", "slider", "valve"]


@pytest.mark.parametrize("machine", MACHINES)
def test_shapes_and_labels(machine):
    clips, y = make_machine_sounds(
        machine, n_normal=3, n_anomalous=2, duration=1.5, sample_rate=8000, random_state=0
    )
    assert clips.shape == (5, 12000)
    assert clips.dtype == np.float32
    assert y.tolist() == [1, 1, 1, -1, -1]
    assert 0 < np.abs(clips).max() < 1


@pytest.mark.parametrize("machine", MACHINES)
def test_seed_decides(machine):
    def make(seed):
        return make_machine_sounds(
            machine, n_normal=1, n_anomalous=1, duration=1.0, random_state=seed
        )[0]

    np.testing.assert_array_equal(make(0), make(0))
    assert not np.array_equal(make(0), make(1))


def test_snr_is_that_of_the_machine_over_the_noise():
    """At -60 dB only noise is left; 20 dB more machine is 20 dB more level above it."""
    level = {
        snr: np.mean(
            make_machine_sounds(
                "fan", n_normal=8, n_anomalous=0, duration=3.0, snr_db=snr, random_state=0
            )[0]
            ** 2
        )
        for snr in (-20, 0, 60)
    }
    machine = level[60]
    assert 10 * np.log10((level[0] - machine) / machine) == pytest.approx(0, abs=1.5)
    assert 10 * np.log10((level[-20] - machine) / machine) == pytest.approx(20, abs=1.5)


def test_fan_turns_in_its_spectrum():
    """The loudest line of an unbalanced fan is its turn; that of a sound one is its blades'."""
    clips, y = make_machine_sounds(
        "fan", n_normal=1, n_anomalous=1, duration=20.0, snr_db=40, random_state=0
    )
    normal, unbalanced = np.abs(np.fft.rfft(clips * np.hanning(clips.shape[1]))) ** 2
    hertz = np.fft.rfftfreq(clips.shape[1], 1 / 16000)
    low = (hertz > 15) & (hertz < 35)
    turn = hertz[low][unbalanced[low].argmax()]
    blades = hertz[normal.argmax()]
    assert y.tolist() == [1, -1]
    assert blades / turn == pytest.approx(round(blades / turn), abs=0.1)


@pytest.mark.parametrize("machine", MACHINES)
def test_faults_can_be_heard(machine):
    clips, y = make_machine_sounds(
        machine, n_normal=60, n_anomalous=12, duration=3.0, snr_db=12, random_state=0
    )
    features = [spectrogram.mean(axis=0) for spectrogram in LogMelSpectrogram().transform(clips)]
    detector = GaussianMixtureDetector(1, reg_covar=0.1).fit(features[:40])
    assert roc_auc_score(y[40:] == -1, detector.anomaly_score(features[40:])) > 0.7


@pytest.mark.parametrize(
    "parameters",
    [{"machine": "lathe"}, {"n_normal": -1}, {"duration": 0.0}, {"sample_rate": 4000}],
)
def test_wrong_parameters(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        make_machine_sounds(**parameters)

"""What a pretrained encoder adds, and what it costs: ``python -m benchmarks.encoders``.

    python -m benchmarks.encoders --model mn04_as_mAP_432.pt --recordings FOLDER [--json FILE]

The encoder is EfficientAT's mn04: its weights, or an ONNX file, of which ``--middle`` and
``--last`` name the outputs. ``FOLDER`` holds ``mimii-fan/normal``, ``mimii-fan/anomaly`` and
``dcase2020/<machine>/train`` and ``test``.

========  =========================================================================================
part      what is measured
========  =========================================================================================
accuracy  AUC of the encoder, of the levels of its own front end and of skasd's, averaged over time,
          all with the same nearest neighbors, and of the default system without and with it. Every
          normal clip is scored by a detector of the others, every anomalous one by a detector of
          all normal clips. Intervals of 95 % are of other test clips, and so are those of
          differences, which are of the same clips
hop       how far averaged features move if windows of 1 s are 1.0 s apart rather than 0.1 s, in
          units of the mean distance between clips: of the encoder, and of OpenL3 with weights that
          are made up
speed     clips of 10 s in a second: onnxruntime alone, our step, and from files
memory    peak above what there was before, for a clip of 60 s
========  =========================================================================================
"""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.measure import command_line, cost, seconds_of, table_head, table_line
from skasd import (
    LogMelSpectrogram,
    OpenL3Embedding,
    SpectrogramStatistics,
    make_encoder,
    make_encoder_neighbors,
    make_views_detector,
)
from skasd.audio import check_clips
from skasd.exceptions import CalibrationWarning
from skasd.features import FRONT_ENDS
from skasd.metrics import auc, confidence_interval

N_RESAMPLES = 2000

OPENL3 = Path(__file__).parents[1] / "tests" / "data" / "openl3_audio_mel128_golden.h5.gz"

SYSTEMS = {
    "middle": "the encoder's block 8, 8 bands of 32 channels",
    "last": "the encoder's last layer",
    "own": "levels of the encoder's own front end",
    "levels": "levels of `LogMelSpectrogram()`",
    "views": "`make_views_detector()`",
    "views_middle": "the same with `encoder=`",
}


def make_systems(arguments, channel: int) -> dict:
    """Make the systems by name, not fitted; two of features alone share what computes them."""

    def encoder(output: str) -> Pipeline:
        return make_encoder(
            "efficientat-mn04",
            weights=arguments.model,
            output=output,
            channel=channel,
            cache=None,
        )

    def levels(**settings) -> Pipeline:
        return make_pipeline(
            LogMelSpectrogram(**settings, channel=channel), SpectrogramStatistics()
        )

    return {
        "middle": make_encoder_neighbors(encoder(arguments.middle)),
        "last": make_encoder_neighbors(encoder(arguments.last)),
        "own": make_encoder_neighbors(levels(**FRONT_ENDS["efficientat"])),
        "levels": make_encoder_neighbors(levels()),
        "views": make_views_detector(channel=channel),
        "views_middle": make_views_detector(channel=channel, encoder=encoder(arguments.middle)),
    }


def leave_one_out(system, normal: list, anomalous: list) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and anomaly scores: of normal clips by the others, of anomalous ones by all."""
    if isinstance(system, Pipeline):
        # Encoders learn nothing: one pass will do.
        features = system[:-1].fit_transform([*normal, *anomalous])
        normal, anomalous = features[: len(normal)], features[len(normal) :]
        system = system[-1:]

    def scores(train, test):
        return -clone(system).fit(train).score_samples(test)

    every = range(len(normal))
    of_normal = [scores([normal[j] for j in every if j != i], normal[i : i + 1])[0] for i in every]
    y = np.repeat([1, -1], [len(normal), len(anomalous)])
    return y, np.concatenate([of_normal, scores(normal, anomalous)])


def interval_of_difference(y, one, other) -> list[float]:
    """Return the interval of the difference of two AUCs of the same clips, by the bootstrap."""
    rng = np.random.default_rng(0)

    def wins(scores):
        above = scores[y == -1][:, np.newaxis] - scores[y == 1]
        return (above > 0) + (above == 0) / 2

    n_anomalous, n_normal = (int((y == label).sum()) for label in (-1, 1))
    of_anomalous, of_normal = (
        rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES) / n for n in (n_anomalous, n_normal)
    )
    differences = np.einsum("ra,an,rn->r", of_anomalous, wins(one) - wins(other), of_normal)
    return np.quantile(differences, [0.025, 0.975]).round(3).tolist()


def machines(folder: Path) -> Iterator[tuple[str, int, list, list]]:
    """Yield the name, channel, normal and anomalous clips of each machine."""
    fan = folder / "mimii-fan"
    for channel in (0, 1):
        yield (
            f"MIMII fan, microphone {channel + 1}",
            channel,
            sorted(fan.glob("normal/*")),
            sorted(fan.glob("anomaly/*")),
        )
    for machine in ("slider", "ToyCar"):
        place = folder / "dcase2020" / machine
        normal = [*sorted(place.glob("train/*")), *sorted(place.glob("test/normal*"))]
        yield machine, 0, normal, sorted(place.glob("test/anomaly*"))


def accuracy(arguments) -> dict:
    """Measure the AUC of every system on every machine."""
    results = {}
    for machine, channel, normal, anomalous in machines(arguments.recordings):
        found, of_machine = {}, {}
        for name, system in make_systems(arguments, channel).items():
            normal_clips, anomalous_clips = (list(check_clips(c)) for c in (normal, anomalous))
            # Its views learn: a fit for each clip takes too long for many, and needs some.
            if name.startswith("views") and not 9 <= len(normal) <= 40:
                continue
            y, scores = leave_one_out(system, normal_clips, anomalous_clips)
            found[name] = scores
            interval = confidence_interval(auc, y, scores, n_resamples=N_RESAMPLES, random_state=0)
            of_machine[name] = {
                "auc": round(auc(y, scores), 3),
                "interval": np.round(interval, 3).tolist(),
            }
            print(machine, name, of_machine[name], flush=True)
        for one, other in (("middle", "own"), ("middle", "levels"), ("views_middle", "views")):
            if one in found:
                difference = interval_of_difference(y, found[one], found[other])
                of_machine[f"{one} - {other}"] = {"interval": difference}
                print(machine, f"{one} - {other}", difference, flush=True)
        results[machine] = {"clips": [len(normal), len(anomalous)], **of_machine}
    return results


def hop(arguments) -> dict:
    """Measure how far averages of fewer windows are from those of all."""
    _, _, normal, anomalous = next(machines(arguments.recordings))
    clips = [*normal[:6], *anomalous[:6]]
    windows = {"output": arguments.middle, "window_length": 100, "cache": None}
    encoders = {
        "block 8, windows of 1 s": [
            make_encoder("efficientat-mn04", weights=arguments.model, hop_length=length, **windows)
            for length in (10, 100)
        ],
        "OpenL3, made-up weights": [
            OpenL3Embedding("mel128", weights=str(OPENL3), hop_size=seconds, cache=None)
            for seconds in (0.1, 1.0)
        ],
    }
    results = {}
    for name, pair in encoders.items():
        few = clips if name.startswith("block") else clips[4:8]
        seconds = []
        features = []
        for encoder in pair:
            encoder.fit(few[:1])
            with cost() as taken:
                features.append(encoder.transform(few))
            seconds.append(taken.seconds)
        dense, sparse = features
        apart = np.linalg.norm(dense[:, np.newaxis] - dense, axis=2)
        between = apart[np.triu_indices(len(few), 1)].mean()
        moved = np.linalg.norm(dense - sparse, axis=1)
        results[name] = {
            "clips": len(few),
            "moved": round(float(moved.mean() / between), 4),
            "farthest": round(float(moved.max() / between), 4),
            "times as long": round(seconds[0] / seconds[1], 1),
        }
    return results


def speed(arguments) -> dict:
    """Measure clips of 10 s a second."""
    clips = next(machines(arguments.recordings))[2]
    encoder = make_encoder(
        "efficientat-mn04", weights=arguments.model, output=arguments.middle, cache=None
    ).fit(clips[:1])
    spectrograms = encoder[0].transform(clips)
    step = encoder[-1]
    network = step._load_reader().network

    def alone():
        for spectrogram in spectrograms:
            # Bands before frames, which whoever has a spectrogram has to see to.
            each = np.ascontiguousarray(spectrogram.T[np.newaxis, np.newaxis])
            network.session.run([arguments.middle], {network.input_name: each})

    # In turns, so that whatever else this machine does slows all of them alike.
    calls = {
        "onnxruntime alone": alone,
        "ONNXEncoder": lambda: step.transform(spectrograms),
        "LogMelSpectrogram and ONNXEncoder, from files": lambda: encoder.transform(clips),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(15):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call))
    typical = {name: float(np.median(each)) for name, each in seconds.items()}
    return {
        name: {
            "clips a second": round(len(clips) / each, 1),
            "of onnxruntime alone": round(typical["onnxruntime alone"] / each, 3),
        }
        for name, each in typical.items()
    }


def memory(arguments) -> dict:
    """Measure what a clip of 60 s takes, whole and in windows of 10 s."""
    samples = soundfile.read(next(machines(arguments.recordings))[2][0])[0][:, 0]
    results = {}
    for name, length in (("in windows of 10 s", 1000), ("whole", None)):
        encoder = make_encoder(
            "efficientat-mn04",
            weights=arguments.model,
            output=arguments.middle,
            window_length=length,
            batch_size=1,
            cache=None,
            input_sample_rate=16000,
        ).fit([samples])
        with cost() as taken:
            encoder.transform([np.tile(samples, 6)])
        results[name] = {"MB": round(taken.megabytes), "s": round(taken.seconds, 2)}
    return results


PARTS = {"accuracy": accuracy, "hop": hop, "speed": speed, "memory": memory}


def table(results: dict) -> str:
    """Return the Markdown table of the accuracy."""
    lines = [table_head(["", *results])]
    for name, what in SYSTEMS.items():
        cells = []
        for of_machine in results.values():
            each = of_machine.get(name)
            cells.append(
                "{auc:.3f} ({interval[0]:.2f} to {interval[1]:.2f})".format(**each) if each else ""
            )
        lines.append(table_line([what, *cells]))
    return "\n".join(lines)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--middle", default="block8")
    parser.add_argument("--last", default="last")
    parser.add_argument("--only", action="append", choices=PARTS, help="This part; repeatable.")
    parser.add_argument("--json", type=Path, help="Where to write the figures.")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", CalibrationWarning)
    results = {}
    for part in arguments.only or PARTS:
        results[part] = PARTS[part](arguments)
        print(json.dumps({part: results[part]}, indent=1), flush=True)
        if arguments.json:
            before = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
            arguments.json.write_text(json.dumps({**before, **results}, indent=1) + "\n")
    if "accuracy" in results:
        print(table(results["accuracy"]))


if __name__ == "__main__":
    main()

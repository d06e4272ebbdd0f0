"""One table of every system over all data at hand: ``python -m benchmarks.quality``.

    python -m benchmarks.quality --toycar FOLDER --mimii FOLDER --splits 5 --quick --json FILE
    python -m benchmarks.quality --only views --only gaussian --splits 5    # synthetic ones alone
    python -m benchmarks.quality --splits 0 --json benchmarks/quality.json    # the table alone

==========  =======================================================================================
machines    runs
==========  =======================================================================================
toy cars    ``--toycar``, as in `benchmarks.toycar`: log-mel spectrograms of two cars, five splits
real fan    ``--mimii``, a folder with ``normal`` and ``anomaly``, recordings of two channels. Each
            microphone by itself; a fourth of the normal clips, permuted, is left out in turn, and
            tests with all anomalous ones
synthetic   fan, pump, slider and valve of `skasd.datasets.make_machine_sounds`, 4 s, each split
            another machine: 6 and 0 dB above the factory's noise; 20, 60 and 200 clips train, 40
            normal and 40 anomalous ones test
==========  =======================================================================================

Systems are as they are by default, with seed 0 where they have one. Each view alone is that member
of the fitted views. ``--quick`` measures those that train networks in the first split only, and on
synthetic machines with 60 clips and 6 dB. Regret is what a system's AUC on a machine lacks to that
of the best system that was measured in the same runs, itself included.

``--json FILE`` adds figures to those that FILE holds, and does not measure again what is there.
"""

import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks import peers, toycar, verdicts
from benchmarks.accuracy import Accuracy, accuracy, anomaly_scores
from benchmarks.measure import MACHINES, table_head, table_line
from benchmarks.runs import SIZES, SNRS, all_runs, is_quick
from benchmarks.toycar import NEED_PYOD, Split, read_results, splits_parser
from skasd import (
    FusionDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
    SpectrogramStatistics,
    TimeWeightedPooling,
    make_iaeo3,
    make_views_detector,
)

VIEWS = [name for name, _ in make_views_detector().detectors]
SPECTROGRAM = make_views_detector().get_params()["level__spectrogram"]
"""The same analysis for all, so that clips remember one spectrogram, and one of the fast views."""

TRIAL_VIEWS = ("level", "spread", "flux", "dynamics")

SYSTEMS = {
    "views": "`make_views_detector()`",
    "views_iae": "the same, the autoencoder's mean error one more view",
    "trial": "four views alike: level, spread, flux, dynamics",
    **{f"view_{view}": f"view `{view}` alone" for view in VIEWS},
    "view_iae": "the autoencoder's mean error alone",
    "gaussian": "averaged levels, one shrunk Gaussian",
    "neighbors": "averaged levels, nearest neighbors",
    "plus": "`make_iaeo3_plus()`",
    "iaeo3": "`make_iaeo3(openl3=False)`",
    "baseline": "`make_baseline()`",
    **{name: f"averaged levels, PyOD's `{detector}`" for name, detector in NEED_PYOD.items()},
    "embedding_od": "PyOD's `EmbeddingOD.for_audio()`: 74 features, `KNN`",
    "audio_ae": "PyOD's `AudioAE`",
}
MEMBERS = {"views": VIEWS, "views_iae": ["iae"]}
"""Systems whose members are lines of the table as well."""

NETWORKS = ("views_iae", "plus", "iaeo3", "baseline", "audio_ae")
NEED_CLIPS = ("embedding_od", "audio_ae")
NEEDS = {
    **dict.fromkeys(NETWORKS, ("keras",)),
    **dict.fromkeys(NEED_PYOD, ("pyod",)),
    "embedding_od": ("pyod", "librosa"),
    "audio_ae": ("pyod", "librosa", "torch"),
}
CHOICES = {name: what for name, what in SYSTEMS.items() if not name.startswith("view_")}


def make_views(input: str, *, iae: bool) -> FusionDetector:
    """Make the default system, where asked for with an autoencoder among the views."""
    views = make_views_detector(input=input)
    if not iae:
        return views
    member = make_iaeo3(openl3=False, score="mean", n_repeats=1, input=input, random_state=0)
    return views.set_params(
        detectors=[*views.detectors, ("iae", member)], weights=[*views.weights, 1]
    )


def make_system(name: str) -> Any:
    """Make the system of that name, of spectrograms, not fitted."""
    match name:
        case "trial":
            neighbors = NearestNeighborsDetector(1, density_neighbors=16, shrinkage="oas", log=True)
            detectors = [
                (view, make_pipeline(SpectrogramStatistics(view), neighbors))
                for view in TRIAL_VIEWS
            ]
            return FusionDetector(detectors, aggregation="soft_max")
        case "gaussian":
            return make_pipeline(TimeWeightedPooling(), GaussianMixtureDetector(1))
        case "neighbors":
            return make_pipeline(TimeWeightedPooling(), NearestNeighborsDetector())
        case "iforest":
            return toycar.make_system(name, None).set_params(iforest__random_state=0)
        case _ if name in NEED_PYOD:
            return toycar.make_system(name, None)
        case _:
            return verdicts.make_system(name)


def make_embedding_od() -> Any:
    from pyod.models.embedding import EmbeddingOD

    return EmbeddingOD.for_audio(encoder=audio_features)


def audio_features(clips: list) -> np.ndarray:
    """Return PyOD's 74 features, which clips remember."""
    from pyod.utils.encoders.audio import AudioFeatureEncoder

    encode = AudioFeatureEncoder().encode
    return np.array(
        [
            clip.analyze("audio_features", lambda clip=clip: encode([(clip.source, 16000)])[0])
            for clip in clips
        ]
    )


def measure(name: str, split: Split) -> Iterator[tuple[str, Accuracy]]:
    """Fit a system once; yield how good it is, and how good those of its members are."""
    has_clips = isinstance(split.train, list)
    train, test = split.train, split.test
    if name in MEMBERS:
        system = make_views("clips" if has_clips else "spectrograms", iae=name == "views_iae")
    elif name == "embedding_od":
        system = make_embedding_od()
    elif name == "audio_ae":
        system = peers.make_audio_ae()
        train, test = ([clip.source for clip in clips] for clips in (train, test))
    else:
        system = make_system(name)
        if has_clips:
            train, test = (SPECTROGRAM.transform(clips) for clips in (train, test))
    system.fit(train)
    yield name, accuracy(split.y, anomaly_scores(system, test))
    if name in MEMBERS:
        members = zip(system.named_estimators_, system.member_scores(test).T, strict=True)
        for member, scores in members:
            if member in MEMBERS[name]:
                yield f"view_{member}", accuracy(split.y, scores)


def mean_auc(runs: dict, names: Iterable[str]) -> float | None:
    """Return the mean AUC of the runs of these names, None without them."""
    areas = [runs[name][0] for name in names if name in runs]
    return float(np.mean(areas)) if areas else None


def regrets(results: dict, system: str) -> dict[str, float]:
    """Return the regret of a system on each machine that it has been measured on."""
    result = {}
    for machine, own in results[system].items():
        others = [by_machine.get(machine, {}) for by_machine in results.values()]
        best = max(mean_auc(runs, own) for runs in others if own.keys() <= runs.keys())
        result[machine] = best - mean_auc(own, own)
    return result


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][machine][run]``, AUC and pAUC."""
    results = {name: results[name] for name in SYSTEMS if name in results}
    runs: dict[str, set] = {}
    for by_machine in results.values():
        for machine, names in by_machine.items():
            runs.setdefault(machine, set()).update(names)
    parts = [f"{n} clips" for n in SIZES] + [f"{snr_db} dB" for snr_db in SNRS]
    ends = ("mean", "mean regret", "worst regret")
    lines = [table_head(("system", *runs, *parts, *ends))]
    for name, by_machine in results.items():
        is_short = any(len(own) < len(runs[machine]) for machine, own in by_machine.items())
        cells = [SYSTEMS[name] + r" \*" * is_short]
        cells += [machine_cell(machine, by_machine.get(machine, {})) for machine in runs]
        cells += [part_cell(part, by_machine) for part in parts]
        regret = regrets(results, name)
        worst = max(regret, key=regret.__getitem__)
        mean = np.mean([mean_auc(own, own) for own in by_machine.values()])
        cells += [f"{mean:.3f}", f"{np.mean(list(regret.values())):.3f}"]
        lines.append(table_line((*cells, f"{regret[worst]:.3f} ({worst})")))
    return "\n".join(lines)


def machine_cell(machine: str, runs: dict) -> str:
    """Return the mean AUC of a machine, and for cars pAUC."""
    means = np.mean(list(runs.values()), axis=0) if runs else ()
    return " / ".join(f"{mean:.3f}" for mean in means[: 2 if machine.startswith("car") else 1])


def part_cell(part: str, by_machine: dict) -> str:
    """Return the mean AUC over the synthetic machines in the runs with that many clips or dB."""
    runs = {
        (machine, name): figures
        for machine in MACHINES
        for name, figures in by_machine.get(machine, {}).items()
        if part in name.split(", ")
    }
    mean = mean_auc(runs, runs)
    return "" if mean is None else f"{mean:.3f}"


def only_quick(results: dict) -> dict:
    """Return the results of the runs that networks are measured in by ``--quick``."""
    return {
        system: {
            machine: {name: figures for name, figures in runs.items() if is_quick(name)}
            for machine, runs in by_machine.items()
            if any(map(is_quick, runs))
        }
        for system, by_machine in results.items()
    }


def write_results(path: Path, results: dict) -> None:
    """Write results as JSON, a line for each system."""
    lines = [f"{json.dumps(system)}: {json.dumps(results[system])}" for system in results]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def chosen_systems(only: list[str] | None) -> list[str]:
    """Return the systems to measure; say which cannot be."""
    names = []
    for name in only or CHOICES:
        missing = [package for package in NEEDS.get(name, ()) if not find_spec(package)]
        if missing:
            print(f"{SYSTEMS[name]} is left out: {', '.join(missing)} not installed", flush=True)
        else:
            names.append(name)
    return names


def main() -> None:
    parser = splits_parser(__doc__, CHOICES)
    parser.add_argument("--toycar", type=Path, help="Toy cars; see benchmarks.toycar.")
    parser.add_argument("--mimii", type=Path, help="Recordings of the fan.")
    parser.add_argument("--quick", action="store_true", help="Networks in few runs.")
    arguments = parser.parse_args()
    results = read_results(arguments.json)
    names = chosen_systems(arguments.only) if arguments.splits else []
    for run in all_runs(arguments.toycar, arguments.mimii, arguments.splits):
        for name in names:
            is_left_out = arguments.quick and name in NETWORKS and not is_quick(run.name)
            is_there = run.name in results.get(name, {}).get(run.machine, {})
            if is_left_out or is_there or (name in NEED_CLIPS and run.machine.startswith("car")):
                continue
            for system, figures in measure(name, run.load()):
                rounded = [round(float(figure), 5) for figure in figures]
                results.setdefault(system, {}).setdefault(run.machine, {})[run.name] = rounded
                print(f"{run.machine}, {run.name}, {system}: {rounded}", flush=True)
            if arguments.json:
                write_results(arguments.json, results)
    print(table(results))
    if arguments.quick:
        print("\nThe runs alone that networks are measured in:\n")
        print(table(only_quick(results)))


if __name__ == "__main__":
    main()

"""Does `explain` name the fault? ``python -m benchmarks.explain [--system views|iae]``.

Faults are planted in held-out normal clips of synthetic machines, at a known time and in a known
band: a tone, a burst of noise, a train of clicks, and a band that is damped, each for 0.3 to 0.8 s
of 5 s, half an octave wide but for the tone, in three strengths. A fault counts where its clip
scores above 95 % of other held-out normal clips. It is named where the strongest span and the
strongest band both overlap what was planted. "Throughout" and "in all bands" name nothing, and are
counted apart. By chance: how often the same words name the fault of another clip.

And the other way round: is a fault that lasts placed where it is not? The same tone or noise
through the whole clip, and held-out clips without a fault, should be unusual "throughout".
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from benchmarks.measure import MACHINES, command_line, table_head, table_line
from skasd import make_iaeo3, make_views_detector
from skasd.datasets import make_machine_sounds
from skasd.inspection import explain

STRENGTHS_DB = {
    "tone": (-20, -10, 0),
    "noise": (-15, -5, 5),
    "clicks": (-10, 0, 10),
    "damped": (10, 20, 40),
}
"""Level against the machine's; for the last one, by how much the band is damped."""
SAMPLE_RATE, SECONDS, MACHINE_LEVEL = 16000, 5.0, 0.03
N_TRAIN, N_HELD_OUT, N_BASE, CLIPS_EACH = 60, 40, 40, 10
LASTING_DB = -15
"""Level of the faults that last, against the machine's."""


def band_of(samples, low, high):
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(samples) * ((frequencies >= low) & (frequencies <= high))
    return np.fft.irfft(spectrum, len(samples))


def plant(clip, fault, decibels, rng, *, lasts=False):
    """Return the clip with a fault, and the fault's span in s and band in Hz."""
    time = np.arange(len(clip)) / SAMPLE_RATE
    seconds = rng.uniform(0.3, 0.8)
    start = rng.uniform(0.3, SECONDS - 0.3 - seconds)
    end = start + seconds
    if lasts:
        start, end = 0.0, SECONDS
    fade = np.clip(np.minimum(time - start, end - time) / 0.01, 0, 1)
    middle = np.exp(rng.uniform(np.log(600), np.log(5000)))
    half_width = 2 ** (1 / 12 if fault == "tone" else 1 / 4)
    band = middle / half_width, middle * half_width
    level = MACHINE_LEVEL * 10 ** (decibels / 20)
    if fault == "tone":
        added = np.sqrt(2) * level * np.sin(2 * np.pi * middle * time)
    elif fault == "noise":
        noise = band_of(rng.normal(size=len(clip)), *band)
        added = level * noise / noise.std()
    elif fault == "clicks":
        since = (time - start) % 0.06
        added = np.sqrt(8) * level * np.sin(2 * np.pi * middle * since) * np.exp(-since / 0.005)
    else:
        added = (10 ** (-decibels / 20) - 1) * band_of(clip, *band)
    return (clip + added * fade).astype(np.float32), (start, end), band


def overlap(named, planted):
    return named[0] < planted[1] and named[1] > planted[0]


def has_place(explanation):
    """Say whether an explanation names a part of the clip, and some of the bands."""
    text = explanation.location
    return "throughout" not in text and "in all bands" not in text


def names(explanation, span, band):
    """Say whether the strongest span and band of an explanation are those of the fault."""
    if not has_place(explanation):
        return False
    return overlap(explanation.spans[0], span) and overlap(explanation.bands[0], band)


@dataclass
class Outcome:
    """What the explanation of a detected fault says."""

    fault: str
    named: bool
    without_place: bool
    by_chance: float
    """The share of other faults of this kind whose words would name it."""


def views(seed):
    """Return the default system."""
    return make_views_detector()


def autoencoders(seed, epochs=10):
    """Return IAEO3 without OpenL3."""
    detector = make_iaeo3(openl3=False, epochs=epochs, n_repeats=2, random_state=seed)
    # So few clips take more steps than ten epochs of 512 windows have.
    return detector.set_params(
        estimator__detector__n_components=1,
        estimator__features__iae__autoencoder__batch_size=64,
    )


SYSTEMS = {"views": views, "iae": autoencoders}


def measure(machine, *, system="views", clips_each=CLIPS_EACH, seed=0):
    """Return an outcome for each detected fault, and what is "throughout" as it should be."""
    clips, _ = make_machine_sounds(
        machine,
        n_normal=N_TRAIN + N_HELD_OUT + N_BASE,
        n_anomalous=0,
        duration=SECONDS,
        random_state=seed,
    )
    train, held_out, base = np.split(clips, [N_TRAIN, N_TRAIN + N_HELD_OUT])
    detector = SYSTEMS[system](seed).fit(train)
    threshold = np.quantile(detector.anomaly_score(held_out), 0.95)
    rng = np.random.default_rng(seed)
    results = []
    for fault, strengths in STRENGTHS_DB.items():
        found = []
        for i, decibels in enumerate(np.repeat(strengths, clips_each)):
            clip, span, band = plant(base[i % N_BASE], fault, decibels, rng)
            explanation = explain(detector, clip)
            if explanation.anomaly_score > threshold:
                found.append((explanation, span, band))
        for i, (explanation, span, band) in enumerate(found):
            others = [names(explanation, *other[1:]) for other in found[:i] + found[i + 1 :]]
            results.append(
                Outcome(
                    fault=fault,
                    named=names(explanation, span, band),
                    without_place=not has_place(explanation),
                    by_chance=np.mean(others),
                )
            )
    throughout = {"no fault": [], "tone": [], "noise": []}
    for clip in base[:clips_each]:
        lasting = {
            fault: plant(clip, fault, LASTING_DB, rng, lasts=True)[0] for fault in ("tone", "noise")
        }
        for fault, changed in {"no fault": clip, **lasting}.items():
            throughout[fault].append("throughout" in explain(detector, changed).location)
    return results, throughout


def count_named(outcomes: list[Outcome]) -> str:
    return f"{sum(outcome.named for outcome in outcomes)} of {len(outcomes)}"


def share(values) -> str:
    return f"{np.mean(list(values)):.0%}"


def row(machine: str, outcomes: list[Outcome]) -> str:
    """Return a line of the table."""
    by_fault = [
        [outcome for outcome in outcomes if outcome.fault == fault] for fault in STRENGTHS_DB
    ]
    return table_line(
        (
            machine,
            *map(count_named, by_fault),
            f"{count_named(outcomes)} ({share(outcome.named for outcome in outcomes)})",
            share(outcome.without_place for outcome in outcomes),
            share(outcome.by_chance for outcome in outcomes),
        )
    )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--system", choices=SYSTEMS, default="views")
    parser.add_argument("--seed", type=int, default=0, help="Of the machines and the faults.")
    arguments = parser.parse_args()
    start = perf_counter()
    measured = {
        machine: measure(machine, system=arguments.system, seed=arguments.seed)
        for machine in MACHINES
    }
    by_machine = {machine: outcomes for machine, (outcomes, _) in measured.items()}
    planted = CLIPS_EACH * len(STRENGTHS_DB["tone"])
    print(f"Faults that are named, of those that are detected, of {planted} planted each:\n")
    print(table_head(("machine", *STRENGTHS_DB, "all", "without a place", "by chance")))
    for machine, outcomes in by_machine.items():
        print(row(machine, outcomes))
    print(row("all", [outcome for outcomes in by_machine.values() for outcome in outcomes]))
    print(f'\nUnusual "throughout", of {CLIPS_EACH} clips each, with faults that last:\n')
    print(table_head(("machine", "no fault", "tone", "noise")))
    for machine, (_, throughout) in measured.items():
        print(table_line((machine, *(str(sum(said)) for said in throughout.values()))))
    print(f"\n{perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

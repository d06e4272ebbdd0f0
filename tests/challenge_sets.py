"""Small sets of synthetic machines in the layout of each year's challenge."""

import csv

import numpy as np
import soundfile
from scipy.signal import resample

from skasd.datasets import make_machine_sounds

RATE = 16000

SECTIONS = {
    2020: {"fan": ["00", "02"], "valve": ["04"]},
    2021: {"fan": ["00", "01"], "gearbox": ["00"]},
    2022: {"fan": ["03", "04"], "bearing": ["03"]},
    2023: {"bandsaw": ["00"], "grinder": ["00"]},
    2024: {"3DPrinter": ["00"], "RoboticArm": ["00"]},
    2025: {"AutoTrash": ["00"], "Polisher": ["00"]},
    2026: {"ToyDrone": ["00"], "Sander": ["00"], "ToothBrush": ["00"]},
}
"""Machine types and their sections in each year's set."""

KEYS = {year: [(m, s) for m, own in SECTIONS[year].items() for s in own] for year in SECTIONS}

SECONDS = {2026: (0.6, 1.0, 1.6)}
"""Length of the clips of each machine type, a tenth of the real one; 0.6 otherwise."""

HIDES_LABELS = (2022, 2023, 2024, 2025)
"""Years whose set here is the evaluation set, whose names hide what the list beside it says."""


def make_set(root, year, seed=0):
    """Write a year's set into a folder; return the label and domain of each test clip by name."""
    known, lines = {}, []
    for number, (machine, sections) in enumerate(SECTIONS[year].items()):
        seconds = SECONDS.get(year, (0.6, 0.6, 0.6))[number]
        lines.append([machine])
        for section in sections:
            sounds = _sounds(seconds, seed + 10 * number + int(section))
            for index, (split, domain, label, sound) in enumerate(sounds):
                full, name = _names(year, section, split, domain, label, index)
                if split == "test":
                    known[machine, name] = (label, domain)
                    lines.append([name, full])
                folder = f"{domain}_test" if (year, split) == (2021, "test") else split
                _write(root / machine / folder / name, sound, year)
        if year >= 2025:
            _write(root / machine / "supplemental" / "section_00_noise_0000_.wav", sound, year)
    if year in HIDES_LABELS:
        with open(root / f"eval_data_list_{year}.csv", "w", newline="") as file:
            csv.writer(file).writerows(lines)
    return known


def _sounds(seconds, seed):
    """Return clips of a machine; in the target domain it turns faster, in more noise."""
    rng = np.random.default_rng(seed)
    settings = {"duration": seconds, "random_state": seed}
    normal, _ = make_machine_sounds("fan", n_normal=18, n_anomalous=0, **settings)
    both, _ = make_machine_sounds("fan", n_normal=0, n_anomalous=8, **settings)
    plan = [("train", "source", "normal")] * 6 + [("train", "target", "normal")] * 4
    plan += [("test", domain, "normal") for domain in ("source", "target") for _ in range(4)]
    clips = list(zip(plan, normal, strict=True))
    clips += [
        (("test", ("source", "target")[i % 2], "anomaly"), clip) for i, clip in enumerate(both)
    ]
    for (split, domain, label), clip in clips:
        if domain == "target":
            slower = resample(clip, int(len(clip) * 1.25))[: len(clip)]
            clip = slower + rng.normal(0, 0.02, len(clip))
        yield split, domain, label, clip


def _names(year, section, split, domain, label, index):
    """Return the full name of a clip, and the one that it has in its folder."""
    if year == 2020:
        return (f"{label}_id_{section}_{index:08}.wav",) * 2
    attributes = "noAttribute" if year >= 2024 else "vel_12"
    full = f"section_{section}_{domain}_{split}_{label}_{index:04}_{attributes}.wav"
    if split == "test" and year in HIDES_LABELS:
        middle = "_test" if year == 2025 else ""
        return full, f"section_{section}{middle}_{index:04}.wav"
    return full, full


def _write(path, sound, year):
    path.parent.mkdir(parents=True, exist_ok=True)
    if year == 2026:
        far = np.random.default_rng(len(path.name)).normal(0, 0.05, len(sound))
        sound = np.column_stack([sound, 0.3 * sound + far])
    soundfile.write(path, sound, RATE)

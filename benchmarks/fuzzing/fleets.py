"""Fleets: a folder with a list and a file for each machine."""

import contextlib
import random
from pathlib import Path

import numpy as np

import skasd
from benchmarks.fuzzing.kind import (
    Files,
    Kind,
    MistakenError,
    is_same_json,
    save_honest,
    saved,
    write,
)
from benchmarks.fuzzing.models import KEY
from benchmarks.fuzzing.mutations import change_bytes, change_json_or_text

LIST = "fleet.json"


class Fleets(Kind):
    """Folders of fleets, one with a key and one without.

    If a machine's file was changed and the list was not, that machine must be refused; with a key,
    any change must be noticed.
    """

    name = "fleets"
    share = 2
    most_megabytes = 200

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Save two fleets."""
        features = np.random.default_rng(0).normal(size=(60, 4))
        machines = np.repeat(["fan", "pump", "../hall 2"], 20)
        fleet = skasd.FleetDetector(skasd.FeatureDetector()).fit(features, machine_label=machines)
        skasd.save(fleet, folder / "open")
        skasd.save(fleet, folder / "signed", key=KEY)
        save_honest([skasd.FeatureDetector().fit(features)], folder)

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._honest = {name: saved(folder / name, "*") for name in ("open", "signed")}
        self._foreign = saved(folder, "*.skasd")["00.skasd"]

    def make(self, rng: random.Random) -> Files:
        """Return the files of a fleet: one or two changed, swapped, or of another save."""
        fleet = rng.choice(list(self._honest))
        files = dict(self._honest[fleet])
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice([LIST, LIST, *files])
            if name == LIST:
                files[name] = change_json_or_text(files[name] or b"{}", rng)
            else:
                other = rng.choice(list(files))
                files[name] = rng.choice(
                    (files[other], self._foreign, change_bytes(files[name], rng, head=200))
                )
        return {"which": fleet.encode(), **files}

    def read(self, files: Files, folder: Path) -> None:
        """Load a fleet, and each of its detectors."""
        which = files["which"].decode()
        honest = self._honest[which]
        write({name: content for name, content in files.items() if name != "which"}, folder)
        key = KEY if which == "signed" else None
        fleet = skasd.load(folder, key=key)
        is_same_list = is_same_json(files[LIST], honest[LIST])
        if key is not None and not is_same_list:
            raise MistakenError("a list that was changed without the key")
        for machine in fleet.detectors_:
            # A list may name a machine that has no file.
            with contextlib.suppress(FileNotFoundError):
                fleet.detectors_[machine].predict(np.zeros((1, 4)))
        if is_same_list and any(files[name] != honest[name] for name in honest if name != LIST):
            raise MistakenError("a file that its list does not mean")

"""Folders as they are: which of their files are recordings, and which are of a healthy machine."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skasd.audio._folders import SUFFIXES, find_clips, find_healthy_clips, says_anomalous

NO_SUFFIX_OF_ITS_OWN = {"RAW", "MAT4", "MAT5", "SD2", "XI", "WVE", "MPC2K", "SDS", "HTK", "PVF"}
"""Formats of libsndfile that no recorder writes, or that name no rate."""


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root, clips):
    return [Path(clip).relative_to(root).as_posix() for clip in clips]


def test_hidden_files_are_passed_over(tmp_path):
    touch(tmp_path, "b.WAV", "a/1.flac", "._b.wav", ".git/c.wav", "a/.hidden.wav", "notes.txt")
    touch(tmp_path, "__MACOSX/._b.wav", "c.wav.part", "d.m4a")
    (tmp_path / "folder.wav").mkdir()
    assert names(tmp_path, find_clips([tmp_path])) == ["a/1.flac", "b.WAV", "d.m4a"]
    # What is named is taken as it is.
    assert find_clips([tmp_path / "._b.wav"]) == [str(tmp_path / "._b.wav")]


def test_names_are_those_that_were_passed(tmp_path, monkeypatch):
    touch(tmp_path, "a.wav", "sub/b.wav")
    monkeypatch.chdir(tmp_path)
    assert find_clips([Path(".")]) == ["a.wav", os.path.join("sub", "b.wav")]
    assert find_clips([Path("sub"), Path("a.wav")]) == [os.path.join("sub", "b.wav"), "a.wav"]


@pytest.mark.posix
def test_links_are_followed_and_folders_listed_once(tmp_path):
    root = tmp_path / "fan"
    touch(tmp_path, "fan/real/0.wav", "elsewhere/1.wav", "elsewhere/deep/2.wav", "file")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root / "real")
    (root / "real" / "loop").symlink_to(root)
    (tmp_path / "elsewhere" / "back").symlink_to("../fan")
    (root / "of_a_file.wav").symlink_to(tmp_path / "file")
    expected = ["linked/1.wav", "linked/deep/2.wav", "of_a_file.wav", "real/0.wav"]
    assert names(root, find_clips([root])) == expected
    (tmp_path / "door").symlink_to(root)
    assert names(tmp_path / "door", find_clips([tmp_path / "door"])) == expected


@pytest.mark.posix
def test_links_that_lead_nowhere_are_listed(tmp_path):
    (tmp_path / "annexed.wav").symlink_to("/nowhere/annexed")
    (tmp_path / "more").symlink_to("/nowhere/folder")
    (tmp_path / "labels.csv").symlink_to("/nowhere/labels.csv")
    (tmp_path / ".more").symlink_to("/nowhere/hidden")
    (tmp_path / "self.wav").symlink_to("self.wav")
    assert names(tmp_path, find_clips([tmp_path])) == ["annexed.wav", "more", "self.wav"]


@pytest.mark.posix
def test_what_is_no_file_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ValueError, match=r"holds no recording.*It holds 1 \.wav files"):
        find_clips([tmp_path])


def test_folder_without_recordings_says_what_it_holds(tmp_path):
    with pytest.raises(ValueError, match=r"holds no recording.*It holds no other file"):
        find_clips([tmp_path])
    touch(tmp_path, "a.mp4", "b.mp4", "c.csv", "sub/d", ".wav")
    with pytest.raises(ValueError, match=r"\.wav, .*It holds 2 \.mp4, 1 \.csv, 1 unnamed files"):
        find_clips([tmp_path])


def test_suffixes_of_all_formats_that_say_their_rate(tmp_path):
    """What libsndfile writes under its own names is found again, and read."""
    for name in sorted(soundfile.available_formats().keys() - NO_SUFFIX_OF_ITS_OWN):
        suffix = {"WAVEX": "wav", "NIST": "sph", "IRCAM": "sf", "SVX": "iff"}.get(name, name)
        path = tmp_path / f"{name}.{suffix.lower()}"
        if path.suffix in SUFFIXES:
            soundfile.write(path, np.zeros(16000), 16000, format=name)
        else:
            assert name in {"AVR", "IRCAM", "PAF", "SVX"}
    found = [Path(clip).stem for clip in find_clips([tmp_path])]
    assert found == sorted(
        ["AIFF", "AU", "CAF", "FLAC", "MP3", "NIST", "OGG", "RF64", "VOC", "W64", "WAV", "WAVEX"]
    )


@pytest.mark.parametrize(
    "odd",
    [
        "test/anomaly_id_00_00000000.wav",
        "test/section_00_source_test_anomaly_0001_noAttribute.wav",
        "id_00/abnormal/00000000.wav",
        "case1/AnomalousSound_IND/1_1.wav",
        "ABNORMAL/1.wav",
        "2024-05 faulty/1.wav",
        "engine2_unhealthy/pure_1.wav",
        "good/defect3.wav",
    ],
)
def test_anomalous_clips_are_refused(tmp_path, odd):
    fine = [f"train/normal_id_00_{i}.wav" for i in range(3)]
    touch(tmp_path, odd, *fine)
    with pytest.raises(ValueError, match="1 of 4 clips") as caught:
        find_healthy_clips([tmp_path])
    assert str(tmp_path / odd) in str(caught.value)
    assert f"such as {tmp_path / 'train'}; --all takes" in str(caught.value)
    assert len(find_healthy_clips([tmp_path], take_all=True)) == 4
    assert len(find_healthy_clips([tmp_path / "train"])) == 3


def test_files_that_are_passed_go_by_their_own_names(tmp_path):
    paths = [tmp_path / "anomalous sounds" / f"{name}.wav" for name in ("normal_1", "anomaly_2")]
    with pytest.raises(ValueError, match=r"1 of 2 clips .*anomaly_2\.wav"):
        find_healthy_clips(paths)


@pytest.mark.parametrize("folder", ["abnormal", "anomaly", "Faulty"])
def test_folder_of_nothing_but_anomalous_clips(tmp_path, folder):
    touch(tmp_path / folder, *(f"{i}.wav" for i in range(5)))
    for passed in ([tmp_path / folder], sorted((tmp_path / folder).iterdir())):
        with pytest.raises(ValueError, match=r"5 of 5 clips.* and 2 more") as caught:
            find_healthy_clips(passed)
        assert "such as" not in str(caught.value)


def test_folders_above_do_not_count(tmp_path):
    place = tmp_path / "anomaly" / "anomalous-sounds" / "fan"
    touch(place, "normal_1.wav", "no_fault_found.wav", "faultless/1.wav", "broken.wav")
    assert len(find_healthy_clips([place])) == 4
    assert not says_anomalous("nonanomalous")
    assert not says_anomalous("fault-free_3.wav")


def test_clips_to_test_on_are_refused(tmp_path):
    touch(tmp_path, "train/0.wav", "train/1.wav", "test/section_00_0000.wav")
    for passed in ([tmp_path], [tmp_path / "train", tmp_path / "test"]):
        with pytest.raises(ValueError, match="1 of 3 clips are not of a healthy machine, or are t"):
            find_healthy_clips(passed)
    # Nothing says that these are not healthy.
    assert len(find_healthy_clips([tmp_path / "test"])) == 1

"""Names and lists of every year: made ones, and all that the challenge has published."""

import csv
from collections import Counter

import pytest

from skasd.datasets import DatasetError, GroundTruth, load_dcase, read_ground_truth

N_CLIPS = {2020: 7103, 2021: 8635, 2022: 4200, 2023: 1400, 2024: 1800, 2025: 1600}
"""Test clips of the evaluation sets, as the README of the lists and `wc` count them."""


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def published(shared, year):
    """Yield the lines of a list by the machine type above them."""
    with open(shared / "dcase-ground-truth" / f"eval_data_list_{year}.csv", newline="") as file:
        for row in csv.reader(file):
            if len(row) == 1:
                machine = row[0]
            else:
                yield machine, row


@pytest.mark.parametrize("year", N_CLIPS)
def test_every_published_line_is_joined(shared, year):
    truth = read_ground_truth(shared / "dcase-ground-truth", year)
    assert truth.not_joined == {}
    n_clips = 0
    for machine, (name, full, *label) in published(shared, year):
        clip = truth.clips[machine, name]
        words = full.removesuffix(".wav").split("_")
        assert clip.label == ("anomaly" if "anomaly" in words else "normal")
        if year == 2020:
            assert label == [str(int(clip.label == "anomaly"))]
            assert [clip.domain, clip.attributes] == [None, None]
            assert clip.machine_id == words[2]
        else:
            assert clip.domain == ("target" if "target" in words else "source")
            assert clip.machine_id == words[1]
            attributes = "_".join(words[words.index(clip.label) + 2 :])
            assert clip.attributes == attributes or attributes == "noAttribute"
        n_clips += 1
    assert n_clips == N_CLIPS[year]


@pytest.mark.parametrize("year", [2024, 2025])
def test_every_hidden_attribute_is_found(shared, year):
    folder = shared / "dcase-ground-truth"
    truth = read_ground_truth(folder, year)
    lists = (folder / "ground_truth_attributes" / f"dcase{year}t2").rglob("*.csv")
    found = Counter()
    for path in lists:
        with open(path, newline="") as file:
            for source, hidden in list(csv.reader(file))[1:]:
                assert truth.clips[path.parent.name, hidden].name == source
                found[path.parent.name] += 1
    assert set(found.values()) <= {1000, 1200}
    assert not any(clip.attributes == "noAttribute" for clip in truth.clips.values())


@pytest.mark.parametrize("year", [2020, 2021, 2022, 2023, 2024, 2025])
def test_evaluation_sets_are_loaded_with_their_labels(shared, tmp_path, year):
    rows = [(machine, *row) for machine, row in published(shared, year)]
    machine = rows[0][0]
    own = {row[1]: row[2] for row in rows if row[0] == machine}
    for name in own:
        folder = f"{name.split('_')[2]}_test" if year == 2021 else "test"
        touch(tmp_path / machine / folder / name)
    parameters = {"year": year, "ground_truth": shared / "dcase-ground-truth"}
    clips = load_dcase(tmp_path, machine, split="test", **parameters)
    assert clips.names == sorted(own)
    assert clips.y.tolist() == [-1 if "anomaly" in own[name] else 1 for name in clips.names]
    if year > 2020:
        target = load_dcase(tmp_path, machine, split="test", domain="target", **parameters)
        assert target.names == [name for name in clips.names if "_target_" in own[name]]


@pytest.mark.parametrize(
    ("name", "section", "y", "domain", "attributes"),
    [
        ("section_00_0000.wav", "00", None, None, ""),
        ("section_00_test_0000.wav", "00", None, None, ""),
        ("section_00_source_normal_0035_weight15_BckgF.wav", "00", 1, "source", "weight15_BckgF"),
        ("section_00_source_test_anomaly_0001_ac_0.03_.wav", "00", -1, "source", "ac_0.03_"),
        (
            "section_05_target_test_anomaly_0004_vel_10_f-n_D.wav",
            "05",
            -1,
            "target",
            "vel_10_f-n_D",
        ),
        ("section_00_target_test_normal_0001_noAttribute.wav", "00", 1, "target", "noAttribute"),
        ("anomaly_id_06_00000001.wav", "06", -1, None, None),
        ("id_06_00000001.wav", "06", None, None, None),
    ],
)
def test_names(tmp_path, name, section, y, domain, attributes):
    touch(tmp_path / "fan" / "test" / name)
    clips = load_dcase(tmp_path, "fan", split="test")
    fields = [clips.machine_ids, clips.y, clips.domains, clips.attributes]
    expected = [section, y, domain, attributes]
    assert [None if field is None else field[0] for field in fields] == expected
    assert clips.attribute_values == [{}]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("section_05_target_train_normal_0004_vel_10_f-n_D.wav", "fan_05_vel_10_f-n_D"),
        ("section_00_source_train_normal_0001_noAttribute.wav", "fan_00"),
        ("section_00_source_train_normal_0001.wav", "fan_00"),
        ("normal_id_06_00000001.wav", "fan_06"),
    ],
)
def test_classes_join_machine_section_and_attributes(tmp_path, name, label):
    touch(tmp_path / "fan" / "train" / name)
    assert load_dcase(tmp_path, "fan").classes.tolist() == [label]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("section_00_machine_0001_.wav", "machine"),
        ("section_00_noise_0001_bkg_A.wav", "noise"),
        ("section_00_supplemental_0001.wav", ""),
    ],
)
def test_supplemental_clips(tmp_path, name, kind):
    touch(tmp_path / "AutoTrash" / "supplemental" / name)
    clips = load_dcase(tmp_path, "AutoTrash", split="supplemental")
    assert [clips.names, clips.kinds.tolist(), clips.y] == [[name], [kind], None]
    assert clips.classes is None


def test_attributes_of_the_machine_types_folder(tmp_path):
    names = [f"section_00_source_train_normal_000{i}_vel_6_mic_pos_A.wav" for i in (0, 1)]
    for name in names:
        touch(tmp_path / "fan" / "train" / name)
    header = "file_name,d1p,d1v,d2p,d2v\n"
    (tmp_path / "fan" / "attributes_00.csv").write_text(
        f"{header}fan/train/{names[0]},vel,6,mic_pos,A\n{names[1]},vel,6,,\n"
    )
    clips = load_dcase(tmp_path, "fan")
    assert clips.attribute_values == [{"vel": "6", "mic_pos": "A"}, {"vel": "6"}]
    (tmp_path / "fan" / "attributes_00.csv").write_text("name,d1p\n")
    with pytest.raises(DatasetError, match="without file_name"):
        load_dcase(tmp_path, "fan")


def test_hidden_attributes_beside_the_clips(tmp_path):
    hidden = "section_00_source_train_normal_0033_noAttribute.wav"
    touch(tmp_path / "dev_data" / "ToyTrain" / "train" / hidden)
    lists = tmp_path / "ground_truth_attributes" / "dcase2024t2" / "dev_data" / "ToyTrain"
    lists.mkdir(parents=True)
    (lists / "attributes_00_train_correspondence.csv").write_text(
        "source_file_name,target_file_name\n"
        f"section_00_source_train_normal_0033_car_B1_spd_7.wav,{hidden}\n"
    )
    clips = load_dcase(tmp_path / "dev_data", "ToyTrain", year=2024)
    assert clips.attributes.tolist() == ["car_B1_spd_7"]
    assert load_dcase(tmp_path / "dev_data", "ToyTrain", year=2025).attributes == ["noAttribute"]


FULL = "section_00_target_test_anomaly_0007_vel_12.wav"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([f"section_00_0007.wav,{FULL}"], "no line before it names a machine type"),
        (["fan", "section_00_0007.wav,section_00_0008.wav"], "is not the full name of a clip"),
        (["fan", f"clip7.wav,{FULL}"], "'clip7.wav' is not the name of a clip"),
        (["fan", f"section_01_0007.wav,{FULL}"], "do not belong to the same clip"),
        (["fan", f"section_00_source_test_0007.wav,{FULL}"], "do not belong to the same clip"),
        (["fan", f"section_00_0007.wav,{FULL},0"], "has the label '0'"),
        (
            [
                "fan",
                f"section_00_0007.wav,{FULL.replace('vel_12', 'vel_9')}",
                f"section_00_0007.wav,{FULL}",
            ],
            "in another line",
        ),
    ],
)
def test_lines_that_cannot_be_joined_are_listed(tmp_path, lines, reason):
    (tmp_path / "eval_data_list_2023.csv").write_text("".join(f"{line}\n" for line in lines))
    truth = read_ground_truth(tmp_path, 2023)
    (place,) = truth.not_joined
    assert place == f"eval_data_list_2023.csv:{len(lines)}"
    assert reason in truth.not_joined[place]


def test_lists_that_are_missing_or_damaged(tmp_path):
    with pytest.raises(DatasetError, match=r"holds neither eval_data_list_2023\.csv nor"):
        read_ground_truth(tmp_path, 2023)
    (tmp_path / "eval_data_list_2023.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_ground_truth(tmp_path, 2023)


def test_a_clip_is_found_with_or_without_test_in_its_name(tmp_path):
    (tmp_path / "eval_data_list_2025.csv").write_text(f"fan\nsection_00_0007.wav,{FULL}\n")
    truth = read_ground_truth(tmp_path, 2025)
    names = ("section_00_0007.wav", "section_00_test_0007.wav", "section_00_0008.wav")
    found = [truth.find("fan", name) for name in names]
    assert [clip and clip.name for clip in found] == [FULL, FULL, None]
    assert GroundTruth(2025).find("fan", names[0]) is None

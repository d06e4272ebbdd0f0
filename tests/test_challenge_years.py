"""Every year's challenge from end to end, on small synthetic sets in its layout."""

import csv

import numpy as np
import pytest
from challenge_sets import KEYS, SECTIONS, make_set
from processes import run_script
from scipy.stats import hmean
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd.challenge._evaluation
import skasd.challenge._machine_task as machine_task
from skasd import (
    GaussianMixtureDetector,
    LogMelSpectrogram,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
)
from skasd.challenge import PUBLISHED_SCORES, EvaluationError, evaluate_dcase
from skasd.challenge._result_csv import result_csv
from skasd.cli import app
from skasd.datasets import DatasetError
from skasd.datasets._years import find_year
from skasd.metrics import official_score

every_year = pytest.mark.parametrize("year", sorted(SECTIONS))

SETTINGS = {"n_mels": 16}
"""Of a system that fits in no time."""


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Return the folder of a year's set, and what is known about its test clips."""
    made = {}

    def get(year):
        if year not in made:
            root = tmp_path_factory.mktemp("sets") / f"set of {year}"
            made[year] = (root, make_set(root, year))
        return made[year]

    return get


def run(root, out, **parameters):
    return evaluate_dcase(root, out, "views", settings=SETTINGS, **parameters)


@pytest.fixture
def small_system(monkeypatch):
    """Evaluate the level of the bands alone, whatever the system."""

    def make(name, machine, **settings):
        steps = [LogMelSpectrogram(n_mels=8), SpectrogramStatistics("level")]
        member = make_pipeline(*steps, GaussianMixtureDetector(1))
        return RepeatedSeedEnsemble(member, n_repeats=1, cv=None, random_state=0)

    monkeypatch.setattr(skasd.challenge._evaluation, "make_system", make)


def read_numbers(folder, pattern):
    numbers = {}
    for path in sorted(folder.glob(pattern)):
        with open(path, newline="") as file:
            numbers.update({name: float(number) for name, number in csv.reader(file)})
    return numbers


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Killed(BaseException):
    """What ends an evaluation in the middle of its files."""


@every_year
def test_killed_and_started_again(sets, tmp_path, monkeypatch, small_system, year):
    root, known = sets(year)
    assert find_year(root) == year
    write, writes = machine_task.write_text, iter(range(4))

    def write_or_die(path, text):
        if next(writes, None) is None:
            raise Killed
        write(path, text)

    monkeypatch.setattr(machine_task, "write_text", write_or_die)
    with pytest.raises(Killed):
        run(root, tmp_path / "out")
    assert not (tmp_path / "out" / "result.csv").exists()
    monkeypatch.setattr(machine_task, "write_text", write)
    evaluation = run(root, tmp_path / "out")
    assert evaluation.complete
    assert sorted(evaluation.results) == sorted(KEYS[year])
    run(root, tmp_path / "uninterrupted")
    assert contents(tmp_path / "out") == contents(tmp_path / "uninterrupted")
    check_scores(tmp_path / "out", evaluation, known, year)


def check_scores(out, evaluation, known, year):
    """Compute every number anew with scikit-learn, from the files and what is known."""
    counted = []
    for (machine, section), result in evaluation.results.items():
        word = "id" if year == 2020 else "section"
        name = f"{machine}_{word}_{section}"
        scores, judged = (
            read_numbers(out, f"{kind}_{name}*.csv")
            for kind in ("anomaly_score", "decision_result")
        )
        own = [key for key in known if key[0] == machine and f"{word}_{section}_" in key[1]]
        assert sorted(scores) == sorted(judged) == sorted(clip for _, clip in own)
        labels, domains = np.array([known[key] for key in own]).T
        y_true = labels == "anomaly"
        y_score, verdict = (np.array([of[clip] for _, clip in own]) for of in (scores, judged))
        if year == 2020:
            assert result.scores["auc"] == roc_auc_score(y_true, y_score)
            assert result.scores["pauc"] == roc_auc_score(y_true, y_score, max_fpr=0.1)
            continue
        for domain in ("source", "target"):
            own_clips = domains == domain
            area = own_clips if year == 2021 else own_clips | y_true
            auc = roc_auc_score(y_true[area], y_score[area])
            assert result.scores[f"auc_{domain}"] == auc
            counted.append(auc)
            if year == 2021:
                counted.append(roc_auc_score(y_true[area], y_score[area], max_fpr=0.1))
                assert result.scores[f"pauc_{domain}"] == counted[-1]
            expected = precision_recall_fscore_support(
                y_true[own_clips], verdict[own_clips], average="binary", zero_division=0
            )
            found = [
                result.scores[f"{metric}_{domain}"] for metric in ("precision", "recall", "f1")
            ]
            assert found == pytest.approx(expected[:3])
        if year > 2021:
            counted.append(roc_auc_score(y_true, y_score, max_fpr=0.1))
            assert result.scores["pauc"] == counted[-1]
    rows = list(csv.reader((out / "result.csv").open()))
    if year == 2020:
        assert [row[0] for row in rows if row].count("Average") == len(SECTIONS[year])
    else:
        assert rows[-1][:2] == ["official score", ""]
        assert float(rows[-1][2]) == pytest.approx(hmean(counted))


FILES = {
    2020: ["fan_id_00", "fan_id_02", "valve_id_04"],
    2021: [
        *("fan_section_00_source_test", "fan_section_00_target_test"),
        *("fan_section_01_source_test", "fan_section_01_target_test"),
        *("gearbox_section_00_source_test", "gearbox_section_00_target_test"),
    ],
    2022: ["bearing_section_03_test", "fan_section_03_test", "fan_section_04_test"],
    2024: ["3DPrinter_section_00_test", "RoboticArm_section_00_test"],
}
"""Names that the evaluators of these years read, as their READMEs list them."""


@pytest.mark.parametrize("year", FILES)
def test_files_are_those_of_the_years_evaluator(sets, tmp_path, small_system, year):
    run(sets(year)[0], tmp_path)
    for kind in ("anomaly_score", "decision_result"):
        found = sorted(path.name for path in tmp_path.glob(f"{kind}_*"))
        assert found == [f"{kind}_{name}.csv" for name in FILES[year]]


def test_a_model_learns_from_all_sections_or_from_one(sets, tmp_path, small_system):
    """As the baselines of 2021 and 2022 learn from all."""
    root, _ = sets(2022)
    run(root, tmp_path / "as the year", machines=["fan"])
    assert [path.name for path in (tmp_path / "as the year" / "finished").iterdir()] == ["fan.json"]
    run(root, tmp_path / "section", machines=["fan"], fit_on="section")
    names = sorted(path.name for path in (tmp_path / "section" / "finished").iterdir())
    assert names == ["fan_section_03.json", "fan_section_04.json"]
    together, alone = (
        read_numbers(tmp_path / folder, "anomaly_score_*") for folder in ("as the year", "section")
    )
    assert together.keys() == alone.keys()
    assert together != alone
    with pytest.raises(EvaluationError, match="fit_on was section, but is now machine"):
        run(root, tmp_path / "section", machines=["fan"])


def test_evaluation_set_without_its_list(sets, tmp_path, small_system):
    root, known = sets(2023)
    copy = tmp_path / "copy"
    for path in root.rglob("*.wav"):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(path)
    evaluation = run(copy, tmp_path / "out")
    assert evaluation.complete
    assert all(result.scores is None for result in evaluation.results.values())
    assert not (tmp_path / "out" / "result.csv").exists()
    given = run(copy, tmp_path / "out", ground_truth=root)
    check_scores(tmp_path / "out", given, known, 2023)
    text = (root / "eval_data_list_2023.csv").read_text()
    (copy / "eval_data_list_2023.csv").write_text(
        text.replace("section_00_0015", "section_00_0999")
    )
    lacking = run(copy, tmp_path / "out")
    reason = lacking.not_evaluated["bandsaw", "00"]
    assert "section_00_0015.wav: is not in the list of labels of 2023" in reason


KILLED_AT_WRITE = """
import os, signal
import skasd.challenge._machine_task as machine_task
from skasd.challenge import evaluate_dcase

write, writes = machine_task.write_text, iter(range(4))

def write_or_die(path, text):
    if next(writes, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)

machine_task.write_text = write_or_die
evaluate_dcase({root!r}, {out!r}, "views", settings={settings!r})
"""


@pytest.mark.posix
def test_killed_by_the_system(sets, tmp_path):
    """With the default system, in a process of its own."""
    root, _ = sets(2024)
    out = tmp_path / "out"
    script = KILLED_AT_WRITE.format(root=str(root), out=str(out), settings=SETTINGS)
    process = run_script(script)
    assert process.returncode == -9, process.stderr
    run(root, out)
    run(root, tmp_path / "uninterrupted")
    assert contents(out) == contents(tmp_path / "uninterrupted")


def test_shell_shows_published_scores_beside_the_own(sets, tmp_path):
    root, _ = sets(2024)
    arguments = ["evaluate", str(root), "--out", str(tmp_path), "--system", "views"]
    shown = CliRunner().invoke(app, [*arguments, "--set", "n_mels=16", "--year", "2024"])
    assert shown.exit_code == 0, shown.stderr
    assert "79.1 / 48.0 / 49.4" in shown.stdout
    assert "75.4 / 42.4 / 50.8" in shown.stdout
    (official,) = [line for line in shown.stdout.splitlines() if " score  " in line]
    assert "covers these machine types alone" in " ".join(shown.stdout.split())
    assert official.split()[-2:] == ["56.51", "56.49"]
    own = (tmp_path / "result.csv").read_text().splitlines()[-1].split(",")[-1]
    assert f" {100 * float(own):.2f} " in official


@pytest.mark.parametrize("system", ["MSE", "Mahalanobis"])
@pytest.mark.parametrize("year", PUBLISHED_SCORES)
def test_published_official_scores_are_those_of_the_sections(year, system):
    """The evaluators' own harmonic means of what they have published of each machine type."""
    published = PUBLISHED_SCORES[year][system]
    names = ("auc_source", "auc_target", "pauc")
    scores = {
        key: dict(zip(names, np.divide(triple, 100).tolist(), strict=True))
        for key, triple in published.sections.items()
    }
    assert 100 * official_score(scores) == pytest.approx(published.official_score, abs=0.006)


FAN_2021 = """
03,source,0.6669,0.5273684210526316,0.6458333333333334,0.31,0.41891891891891897
04,source,0.7014,0.52,0.6097560975609756,0.25,0.3546099290780142
05,source,0.5834,0.5352631578947369,0.6041666666666666,0.29,0.3918918918918919
03,target,0.5229,0.49315789473684213,0.44680851063829785,0.21,0.2857142857142857
04,target,0.5357,0.5063157894736842,0.5925925925925926,0.32,0.41558441558441556
05,target,0.448452380952381,0.4805764411027569,0.25,0.2833333333333333,0.265625
arithmetic mean,,0.5764587301587302,0.5104469507101085,0.524859533465311,0.27722222222222226,0.35539074019792105
harmonic mean,,0.5634700058286667,0.5097204125946903,0.46988231547812126,0.27161121188342247,0.3442384874315228
"""  # noqa: E501
"""What the evaluator of 2021 shows in its README."""

PRINTER_2024 = """
00,0.6354,0.7912,0.47959999999999997,0.4942105263157895,0.717391304347826,0.5180722891566265,0.66,0.86,0.6875,0.6466165413533834
arithmetic mean,,0.6354,0.4942105263157895,0.6177317967522262,0.76,0.6670582706766917
harmonic mean,,0.5971978596159899,0.49421052631578954,0.6016535933856264,0.746842105263158,0.666431842197957
source harmonic mean,,0.7912,0.49421052631578954,0.717391304347826,0.66,0.6875
target harmonic mean,,0.47959999999999997,0.49421052631578954,0.5180722891566265,0.86,0.6466165413533834
"""  # noqa: E501
"""What the evaluator of 2024 shows in its README."""


def rows_of(text):
    """Return the numbers of each line by the words that it begins with."""
    rows = {}
    for row in csv.reader(text.splitlines()):
        words = [cell for cell in row if "." not in cell]
        rows[tuple(filter(None, words))] = [float(cell) for cell in row if "." in cell]
    return rows


def assert_rows_in(expected, text):
    found = rows_of(text)
    for words, numbers in rows_of(expected).items():
        assert found[words] == pytest.approx(numbers, rel=1e-12)


def test_means_of_2021_are_those_of_its_evaluator():
    metrics = ("auc", "pauc", "precision", "recall", "f1")
    scores = {}
    for (section, domain), numbers in list(rows_of(FAN_2021.strip()).items())[:6]:
        own = scores.setdefault(("fan", section), {})
        own |= {f"{name}_{domain}": number for name, number in zip(metrics, numbers, strict=True)}
    assert_rows_in(FAN_2021, result_csv(2021, scores))


def test_means_of_2024_are_those_of_its_evaluator():
    names = ["auc", "auc_source", "auc_target", "pauc"]
    names += [f"{m}_{d}" for m in ("precision", "recall", "f1") for d in ("source", "target")]
    scores = dict(zip(names, rows_of(PRINTER_2024)[("00",)], strict=True))
    assert_rows_in(PRINTER_2024, result_csv(2024, {("3DPrinter", "00"): scores}))


def test_official_score_on_the_ground_truth(shared):
    """Of made-up scores of every clip whose label is published."""
    from skasd.datasets import read_ground_truth
    from skasd.metrics import evaluate_domains

    for year in range(2021, 2026):
        truth = read_ground_truth(shared / "dcase-ground-truth", year)
        groups = {}
        for (machine, name), clip in truth.clips.items():
            if "_train_" not in clip.name and "_test" not in name.replace("section", "", 1)[:9]:
                groups.setdefault((machine, clip.machine_id), []).append(clip)
        rng = np.random.default_rng(year)
        scores, areas = {}, []
        for key, clips in groups.items():
            y_true = np.array([clip.label == "anomaly" for clip in clips])
            domains = np.array([clip.domain for clip in clips])
            made_up = rng.normal(size=len(clips)) + y_true
            anomalies = "domain" if year == 2021 else "all"
            scores[key] = evaluate_domains(
                np.where(y_true, -1, 1), made_up, domains, anomalies=anomalies, n_resamples=0
            )
            for domain in ("source", "target"):
                own = domains == domain
                area = own if year == 2021 else own | y_true
                areas.append(roc_auc_score(y_true[area], made_up[area]))
                if year == 2021:
                    areas.append(roc_auc_score(y_true[area], made_up[area], max_fpr=0.1))
            if year > 2021:
                areas.append(roc_auc_score(y_true, made_up, max_fpr=0.1))
        assert official_score(scores) == pytest.approx(hmean(areas), rel=1e-12)


@pytest.mark.parametrize(
    ("machines", "message"),
    [
        (["fan"], "may be of 2023 or 2024 or 2025 or 2026"),
        (["lathe"], "are of no known year: lathe"),
    ],
)
def test_year_that_cannot_be_told(tmp_path, machines, message):
    for machine in machines:
        for split in ("train", "test"):
            path = tmp_path / machine / split / f"section_00_source_{split}_normal_0000_vel_1.wav"
            path.parent.mkdir(parents=True)
            path.touch()
    with pytest.raises(DatasetError, match=message):
        find_year(tmp_path)


@pytest.mark.parametrize(
    ("hidden", "year"),
    [
        ((), 2023),
        (("ToyTrain", "gearbox", "slider"), 2024),
        (("ToyTrain", "bearing", "slider"), 2025),
    ],
)
def test_year_of_development_sets_of_the_same_machine_types(tmp_path, hidden, year):
    """By the machine types whose attributes each year hides, as its correspondences list them."""
    for machine in ("ToyTrain", "bearing", "gearbox", "slider"):
        path = tmp_path / machine / "train"
        path.mkdir(parents=True)
        attributes = "noAttribute" if machine in hidden else "vel_1"
        (path / f"section_00_source_train_normal_0000_{attributes}.wav").touch()
    assert find_year(tmp_path) == year
    named = tmp_path / "dcase2022t2" / "dev_data"
    named.mkdir(parents=True)
    (tmp_path / "slider").rename(named / "slider")
    assert find_year(named) == 2022


def test_two_channels_are_heard_by_the_near_microphone(sets, tmp_path, small_system, monkeypatch):
    root, _ = sets(2026)
    make, heard = skasd.challenge._evaluation.make_system, []

    def recorded(name, machine, **settings):
        heard.append(settings.get("channel", "default"))
        return make(name, machine, **settings)

    monkeypatch.setattr(skasd.challenge._evaluation, "make_system", recorded)
    for year, settings in ((2026, {}), (2026, {"channel": "mean"}), (2025, {})):
        out = tmp_path / str(len(heard))
        evaluate_dcase(root, out, year=year, machines=["Sander"], settings=settings)
    assert heard == [0, "mean", "default"]

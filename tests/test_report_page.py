import base64
import hashlib
import io
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
import soundfile
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import (
    GaussianMixtureDetector,
    LogMelSpectrogram,
    NearestNeighborsDetector,
    TimeWeightedPooling,
    make_views_detector,
    score_clips,
)
from skasd.audio import check_clips
from skasd.cli import app
from skasd.datasets import make_machine_sounds
from skasd.ensemble._skipping import ClipScore
from skasd.inspection import explain
from skasd.inspection._nearest_clips import HealthyClips
from skasd.report import _sounds, write_report
from skasd.report._batch import Batch
from skasd.report._sounds import Sounds, link_to
from skasd.report._text import in_folder, visible
from skasd.report._write_report import write_scored

pytest.importorskip("matplotlib", reason="matplotlib draws the pictures")

SOUNDS, Y = make_machine_sounds("fan", n_normal=26, n_anomalous=3, duration=2.0, random_state=0)
HEALTHY, NEW = SOUNDS[:20], SOUNDS[20:]
NAMES = [f"{'healthy' if y == 1 else 'odd'} {i}.wav" for i, y in enumerate(Y[20:])]
HOSTILE = [
    "<script>alert(1)<script>.wav",
    '"><img src=x onerror=alert(1)>.wav',
    "' autofocus onfocus='alert(1).wav",
    "two\nlines\t.wav",
    "\u202egnp.\u2066txt.wav",
    "a &amp; b.wav",
    "javascript:alert(1).wav",
    "{{ 7 * 7 }}{% raw %}.wav",
    "]]>--><!-- .wav",
    "שלום 100 %.wav",
]
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Element(SimpleNamespace):
    """A part of a page: its tag, attributes, and what is in it."""

    def all(self, tag=None, **attributes):
        """Return the elements below, in order, with a tag and with values of attributes."""
        found = []
        for child in self.children:
            if isinstance(child, str):
                continue
            is_so = all(child.attributes.get(name) == value for name, value in attributes.items())
            if tag in (None, child.tag) and is_so:
                found.append(child)
            found += child.all(tag, **attributes)
        return found

    def one(self, tag, **attributes):
        (element,) = self.all(tag, **attributes)
        return element

    @property
    def text(self):
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return "".join(parts)

    @property
    def words(self):
        return " ".join(self.text.split())


class Page(HTMLParser):
    """Read a page as elements, and insist on that all are closed."""

    def __init__(self, html):
        super().__init__()
        self.root = Element(tag="", attributes={}, children=[])
        self.open = [self.root]
        self.feed(html)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(self.open[-1].children[-1])

    def handle_startendtag(self, tag, attrs):
        element = Element(tag=tag, attributes=dict(attrs), children=[])
        self.open[-1].children.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def read_html(html):
    return Page(html).root


def read(path):
    return read_html(path.read_text(encoding="utf-8"))


def rows_of(table):
    """Return the texts of a table's cells, row by row."""
    return [
        [cell.words for cell in row.children if not isinstance(cell, str)]
        for row in table.one("tbody").all("tr")
    ]


def clips_table(page):
    return page.one("table", id="clips-table")


def data_of(uri, kind):
    head, comma, body = uri.partition(",")
    assert (head, comma) == (f"data:{kind};base64", ",")
    return io.BytesIO(base64.b64decode(body, validate=True))


@pytest.fixture(scope="module")
def detector():
    return make_views_detector().fit(HEALTHY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, detector):
    """A model, healthy recordings, and a batch of which one is broken."""
    folder = tmp_path_factory.mktemp("plant")
    for name in ("healthy", "new"):
        (folder / name).mkdir()
    for i, clip in enumerate(HEALTHY):
        soundfile.write(folder / "healthy" / f"{i}.wav", clip, 16000, subtype="FLOAT")
    for name, clip in zip(NAMES, NEW, strict=True):
        soundfile.write(folder / "new" / name, clip, 16000, subtype="FLOAT")
    (folder / "new" / "broken.wav").write_bytes(b"RIFF")
    skasd.save(detector, folder / "fan.skasd")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def shown(folder):
    """What the command has said."""
    return run(
        "report", folder / "fan.skasd", folder / "new", "-o", folder / "fan.html",
        "--compare", folder / "healthy", "--title", "Fan <3>",
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(folder, shown):
    return read(folder / "fan.html")


@pytest.fixture(scope="module")
def results(folder, detector):
    clips = sorted(map(str, (folder / "new").iterdir()))
    return list(score_clips(detector, clips, on_error="skip"))


def test_command(folder, shown, results):
    assert shown.exit_code == 3, shown.stderr
    n_odd = sum(result.prediction == -1 for result in results)
    assert n_odd > 0
    verdict = f"{folder / 'fan.html'}: {n_odd} of 9 clips are anomalous."
    assert shown.stdout.startswith(verdict)
    assert "1 clip could not be scored." in shown.stdout
    assert f"not scored: {folder / 'new' / 'broken.wav'}: " in shown.stderr


def test_table(folder, page, results):
    assert page.one("h1").text == "Fan <3>"
    expected = sorted(results, key=lambda r: (r.prediction == 0, -r.anomaly_score))
    table = clips_table(page)
    assert table.one("caption").text == "10 clips, the oddest first"
    (*scored, broken) = rows_of(table)
    for row, result in zip(scored, expected, strict=False):
        place, name, score, p_value, verdict = row
        assert name == Path(result.clip).name
        assert results[int(place) - 1].clip == result.clip
        assert float(score) == pytest.approx(result.anomaly_score, rel=1e-3)
        assert float(p_value.replace("<", "")) == pytest.approx(result.p_value, rel=0.1, abs=1e-4)
        assert verdict == ("▲ anomalous" if result.prediction == -1 else "● normal")
    assert broken[1:] == ["broken.wav", "-", "-", "✕ not scored"]
    exact = [float(row.all("td")[1].attributes["data-value"]) for row in table.all("tr")[1:-1]]
    assert exact == [result.anomaly_score for result in expected[:-1]]


def test_anomalous_clips_are_explained_and_played(folder, page, detector, results):
    from PIL import Image

    odd = sorted((r for r in results if r.prediction == -1), key=lambda r: -r.anomaly_score)
    articles = page.all("article")
    assert len(articles) == len(odd)
    for article, result in zip(articles, odd, strict=True):
        explanation = explain(detector, result.clip)
        assert article.one("h3").words == Path(result.clip).name
        assert f"{explanation}."[1:] in article.words
        picture = article.one("img")
        assert f"{explanation.location}."[1:] in picture.attributes["alt"]
        image = Image.open(data_of(picture.attributes["src"], "image/webp"))
        size = int(picture.attributes["width"]), int(picture.attributes["height"])
        assert image.size == size
        player, *beside = article.all("audio")
        samples, rate = soundfile.read(data_of(player.attributes["src"], "audio/flac"))
        assert rate == 16000
        recorded, _ = soundfile.read(result.clip)
        np.testing.assert_allclose(samples, recorded, atol=2**-15)
        nearest = HealthyClips(detector, HEALTHY).nearest(result.clip, 2)
        assert len(beside) == 2
        for each, index in zip(beside, nearest, strict=True):
            named = page.one("p", id=each.attributes["aria-labelledby"])
            assert named.words == f"{index}.wav"
            samples, _ = soundfile.read(data_of(each.attributes["src"], "audio/flac"))
            np.testing.assert_allclose(samples, HEALTHY[index], atol=2**-15)


def test_drift_failures_settings_and_versions(folder, page, detector, results):
    scores = np.array([-result.anomaly_score for result in results])
    assert str(detector._report(scores)) in page.words
    (row,) = rows_of(page.all("table", **{"class": "problems"})[0])
    assert row[0] == "broken.wav"
    assert next(r.error for r in results if r.error) == row[1]
    facts = dict(row for table in page.all("table", **{"class": "facts"}) for row in rows_of(table))
    assert facts["detector"] == "FusionDetector"
    assert facts["training clips"] == "20"
    assert facts["level__spectrogram__n_mels"] == "128"
    assert facts["threshold comes from"].startswith("20 training clips, each scored")
    versions = rows_of(page.all("table")[-1])
    assert versions[0] == ["skasd", skasd.__version__, skasd.__version__]


def test_nothing_comes_from_elsewhere(page):
    for element in page.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name == "src":
                assert value.startswith("data:")
            if name == "href":
                assert value.startswith(("#", "./", "file://", "data:,"))
    assert not page.all("iframe")
    assert page.one("link").attributes["href"] == "data:,"
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        digest = hashlib.sha256(page.one(tag).text.encode()).digest()
        assert rules[f"{tag}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_everything_has_a_name(page):
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in page.all():
        label = element.attributes.get("aria-labelledby")
        assert label is None or label in ids
        href = element.attributes.get("href", "")
        assert not href.startswith("#") or href[1:] in ids
    assert all(table.all("caption") for table in page.all("table"))
    assert all(heading.attributes["scope"] for heading in page.all("th"))
    assert all("alt" in image.attributes for image in page.all("img"))
    assert all("aria-labelledby" in player.attributes for player in page.all("audio"))
    assert page.one("html").attributes["lang"] == "en"


def hostile_page(tmp_path, detector, names, title="Fan"):
    clips = [tmp_path / name for name in names]
    for i, clip in enumerate(clips):
        soundfile.write(os.fsencode(clip), NEW[-1 - i % 3], 16000, subtype="FLOAT")
    write_report(
        detector, clips, tmp_path / "page.html", healthy=clips[:2], title=title, n_explained=1
    )
    return read(tmp_path / "page.html")


def shape(page):
    """Return what a page is made of, but for its texts."""
    return [(each.tag, sorted(each.attributes)) for each in page.all()]


@pytest.mark.posix
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_hostile_names_are_text(tmp_path, detector):
    names = [*HOSTILE, os.fsdecode(b"\xff\xfe.wav")] if sys.platform == "linux" else HOSTILE
    for each in ("plain", "hostile"):
        (tmp_path / each).mkdir()
    plain = hostile_page(tmp_path / "plain", detector, [f"{i}.wav" for i in range(len(names))])
    page = hostile_page(tmp_path / "hostile", detector, names, title="</title><script>x")
    assert shape(page) == shape(plain)
    assert page.one("head").one("title").text == "</title><script>x"
    cells = [row.one("th").one("bdi").text for row in clips_table(page).one("tbody").all("tr")]
    assert sorted(cells) == sorted(map(visible, names))
    links = [row.one("th").one("a").attributes["href"] for row in clips_table(page).all("tr")[1:]]
    linked = [unquote(link, errors="surrogateescape") for link in links if link[0] != "#"]
    assert {link.removeprefix("./") for link in linked} < set(names)
    assert len(linked) == len(names) - 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.text)


def test_unprintable_bytes_and_controls_are_escaped():
    assert visible("a\x00\x1b[31m\r\n\x85\u2028\ufeff") == r"a\x00\x1b[31m\r\n\x85\u2028" + "\ufeff"
    assert visible("\udc80\ud800") == r"\x80\ud800"
    assert visible("\u200fא\u200e") == r"\u200fא\u200e"


def test_links(tmp_path):
    page = tmp_path / "pages" / "fan.html"
    inside, beside = tmp_path / "pages" / "a b" / "50 % #1?.wav", tmp_path / "other" / "ü.wav"
    (within,) = check_clips_at(inside)
    assert link_to(within, page) == "./a%20b/50%20%25%20%231%3F.wav"
    (without,) = check_clips_at(beside)
    address = urlsplit(link_to(without, page))
    assert address.scheme == "file"
    assert Path(url2pathname(address.path)) == beside
    (array,) = check_clips([np.zeros(9)])
    assert link_to(array, page) is None


def check_clips_at(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return check_clips([path])


@pytest.mark.parametrize(
    ("paths", "folder", "names"),
    [
        ([], "", []),
        (["a/b.wav"], "a", ["b.wav"]),
        (["a/b.wav", "/c/d.wav"], "", ["a/b.wav", "/c/d.wav"]),
        (["/a/b/1.wav", "/a/c/1.wav"], "/a", ["b/1.wav", "c/1.wav"]),
    ],
)
def test_folder_of_names(paths, folder, names):
    assert in_folder(paths) == (folder, [str(Path(name)) for name in names])


def sounds(detector):
    return Sounds(detector)


def played(sound):
    return soundfile.read(data_of(sound.uri, "audio/flac"))


def test_rates_that_browsers_do_not_play_are_converted(tmp_path, detector):
    seconds = 0.5
    for rate, expected in ((1000, 8000), (8000, 8000), (44100, 44100), (192000, 48000)):
        tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(seconds * rate) / rate)
        soundfile.write(tmp_path / "tone.wav", tone, rate, subtype="FLOAT")
        samples, played_rate = played(sounds(detector).sound_of(check_clips_at_rest(tmp_path)))
        assert played_rate == expected
        assert len(samples) == pytest.approx(seconds * expected, abs=1)
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.argmax() * played_rate / len(samples) == pytest.approx(100, abs=3)


def check_clips_at_rest(tmp_path):
    return check_clips([tmp_path / "tone.wav"])[0]


def test_arrays_are_played_without_clipping(detector):
    (clip,) = check_clips([20 * np.sin(np.arange(16000) / 10)])
    samples, _ = played(sounds(detector).sound_of(clip))
    np.testing.assert_allclose(samples, np.sin(np.arange(16000) / 10), atol=1e-3)


def test_long_recordings_are_played_where_they_are_unusual(monkeypatch, detector):
    monkeypatch.setattr(_sounds, "LONGEST", 0.5)
    (clip,) = check_clips([np.linspace(0, 1, 32000)])
    for around, start in ((0.0, 0.0), (1.0, 0.75), (1.9, 1.5)):
        sound = sounds(detector).sound_of(clip, around)
        assert (sound.start, sound.seconds, sound.is_whole) == (start, 0.5, False)
        samples, _ = played(sound)
        assert samples[0] == pytest.approx(start / 2, abs=1e-3)
        assert len(samples) == 8000


def explain_nothing(detector, clip):
    raise ValueError("Nothing.")


def test_sounds_share_the_room_of_the_page(monkeypatch, tmp_path, detector):
    clips = [3 * NEW[-1], 3 * NEW[-2]]
    one = len(sounds(detector).sound_of(check_clips(clips)[0]).uri)
    monkeypatch.setattr(_sounds, "MOST_BYTES", int(1.5 * one))
    monkeypatch.setattr("skasd.report._odd_clips.explain", explain_nothing)
    write_report(detector, clips, tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    assert [len(article.all("audio")) for article in page.all("article")] == [1, 0]
    assert page.words.count("Not in this page, to keep it small.") == 1
    total = sum(len(player.attributes["src"]) for player in page.all("audio"))
    assert total <= 1.5 * one


def test_a_thousand_clips_take_little_room(tmp_path, detector):
    """What all clips have; sounds have their bound, and pictures are those of a few."""
    clip = tmp_path / "clip.wav"
    clip.touch()
    rng = np.random.default_rng(0)
    results = [
        ClipScore(str(clip), score, 1 if p > 0.1 else -1, None, p)
        for score, p in zip(rng.normal(size=1000), rng.uniform(0.001, 1, size=1000), strict=True)
    ]
    write_scored(detector, [clip] * 1000, results, tmp_path / "page.html", n_explained=0)
    assert (tmp_path / "page.html").stat().st_size < 2e6
    assert len(rows_of(clips_table(read(tmp_path / "page.html")))) == 1000
    assert _sounds.MOST_BYTES < 25e6


def test_only_the_oddest_are_explained(tmp_path, detector):
    clips = list(NEW)
    results = write_report(detector, clips, tmp_path / "page.html", n_explained=1)
    page = read(tmp_path / "page.html")
    oddest = max(results, key=lambda result: result.anomaly_score)
    assert page.one("article").one("h3").words == oddest.clip
    n_odd = sum(result.prediction == -1 for result in results)
    assert f"The oddest 1 of {n_odd} clips that are anomalous." in page.words
    assert "pass their folder" in page.words


@pytest.fixture(scope="module")
def mixture():
    steps = LogMelSpectrogram(n_mels=16), TimeWeightedPooling(), GaussianMixtureDetector()
    return make_pipeline(*steps).fit(HEALTHY)


def test_detectors_that_say_nothing_of_a_clip(tmp_path, mixture):
    write_report(mixture, 3 * NEW[-2:], tmp_path / "page.html", healthy=HEALTHY)
    page = read(tmp_path / "page.html")
    assert page.all("article")
    for article in page.all("article"):
        assert "Not explained: Pipeline cannot be explained" in article.words
        assert not article.all("img")
        assert len(article.all("audio")) == 3


def test_detectors_without_p_values(tmp_path):
    forest = IsolationForest(n_estimators=10, contamination=0.1, random_state=0)
    steps = LogMelSpectrogram(n_mels=16), TimeWeightedPooling(), forest
    write_report(make_pipeline(*steps).fit(HEALTHY), NEW, tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    assert {row[3] for row in rows_of(clips_table(page))} == {"-"}
    assert not page.all("svg")
    assert "does not know the scores of its training clips" in page.words


@pytest.mark.parametrize(
    ("predictions", "verdict"),
    [
        ([0, 0], "No verdict: 2 clips could not be scored."),
        ([0], "No verdict: 1 clip could not be scored."),
        ([1], "The clip is normal."),
        ([-1, 0], "The clip is anomalous. 1 clip could not be scored."),
        ([1, 1], "None of the 2 clips is anomalous. Of 2 healthy clips, less than one would be."),
        ([-1] * 2, "All of the 2 clips are anomalous. Of 2 healthy clips, less than one would be."),
        ([-1, 1], "1 of 2 clips is anomalous. Of 2 healthy clips, less than one would be."),
        (
            [-1] * 3 + [1] * 37,
            "3 of 40 clips are anomalous. Of 40 healthy clips, about 4 would be.",
        ),
    ],
)
def test_verdict_of_the_batch(detector, tmp_path, predictions, verdict):
    # Scores as in training.
    of_training = -np.resize(detector.calibration_scores_, len(predictions))
    results = [
        ClipScore("clip", np.nan, 0, "is short")
        if prediction == 0
        else ClipScore("clip", float(score), prediction, None, 0.5)
        for prediction, score in zip(predictions, of_training, strict=True)
    ]
    batch = Batch(detector, [np.zeros(9)] * len(results), results, tmp_path / "page.html",
                  fdr=None, model_info=None)  # fmt: skip
    assert batch.verdict == verdict
    assert batch.is_alarming == (-1 in predictions)


def test_a_batch_that_has_moved(tmp_path, detector):
    loud = [1.5 * clip for clip in HEALTHY]
    write_report(detector, loud, tmp_path / "page.html", n_explained=0)
    lead = read(tmp_path / "page.html").one("p", **{"class": "lead alarming"})
    assert "The clips as a whole score higher than in training" in lead.text


def test_places_are_checked_before_the_work(monkeypatch, tmp_path, folder, detector):
    monkeypatch.setattr("skasd.report._write_report.score_clips", None)
    (tmp_path / "folder.html").mkdir()
    for place, problem in (
        (tmp_path / "odd.wav", "a page is called .html"),
        (tmp_path / "absent" / "page.html", "no folder"),
        (tmp_path / "folder.html", "is a folder"),
    ):
        with pytest.raises(ValueError, match=problem):
            write_report(detector, NEW, place)
        for arguments in (["report", "-o"], ["score", "--html"]):
            command, option = arguments
            failed = run(command, folder / "fan.skasd", folder / "new", option, place)
            assert failed.exit_code == 2
            assert problem in failed.stderr
    with pytest.raises(ValueError, match="n_explained=-1"):
        write_report(detector, NEW, tmp_path / "page.html", n_explained=-1)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="matplotlib"):
        write_report(detector, NEW, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.html"]


def test_broken_clips_raise_if_asked(tmp_path, detector):
    with pytest.raises(skasd.AudioError, match="clip 0"):
        write_report(detector, [np.zeros(9)], tmp_path / "page.html", on_error="raise")
    assert not list(tmp_path.iterdir())


def test_score_writes_the_same_page(folder, results, tmp_path):
    arguments = ["--json", "--fdr", "0.5", "--html", tmp_path / "page.html"]
    shown = run("score", folder / "fan.skasd", folder / "new", *arguments)
    assert shown.exit_code == 3, shown.stderr
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [line["clip"] for line in lines] == [result.clip for result in results]
    page = read(tmp_path / "page.html")
    assert page.one("h1").text == "fan"
    verdicts = {row[1]: row[4][2:] for row in rows_of(clips_table(page))}
    assert verdicts == {Path(line["clip"]).name: line["verdict"] for line in lines}
    assert "a false discovery rate of 50 %" in page.words
    assert "Of those, 50 % are expected to be healthy." in page.words


def test_fail_on_anomaly(folder, tmp_path):
    arguments = ["--explain", 0, "--fail-on-anomaly", "-o", tmp_path / "page.html"]
    assert run("report", folder / "fan.skasd", folder / "new", *arguments).exit_code == 1


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis", "cosine"])
def test_nearest_clips_are_those_of_the_detector(metric):
    steps = LogMelSpectrogram(n_mels=8), TimeWeightedPooling()
    features = make_pipeline(*steps).fit_transform(HEALTHY)
    neighbors = NearestNeighborsDetector(2, metric=metric)
    pipeline = make_pipeline(*steps, neighbors).fit(HEALTHY)
    healthy = HealthyClips(pipeline, [*HEALTHY[:5], HEALTHY[0][:9], *HEALTHY[5:]])
    assert [failure.clip for failure in healthy.failures] == ["clip 5"]
    new = neighbors.fit(features)._whiten(make_pipeline(*steps).fit_transform(NEW[-1:]))
    (expected,) = neighbors._nearest(new, 3, np.arange(len(features)))[1]
    assert healthy.nearest(NEW[-1], 3) == expected.tolist()


def test_healthy_clips_that_cannot_be_read(tmp_path, mixture):
    write_report(mixture, 3 * NEW[-1:], tmp_path / "page.html", healthy=[NEW[0][:9]])
    page = read(tmp_path / "page.html")
    (row,) = rows_of(page.one("table", **{"class": "problems"}))
    assert row[0] == "clip 0"
    assert "is too short" in row[1]
    assert len(page.one("article").all("audio")) == 1
    with pytest.raises(TypeError, match="single str"):
        write_report(mixture, NEW, tmp_path / "page.html", healthy="healthy.wav")


@pytest.mark.parametrize("name", ["detector", "mixture"])
def test_nearly_the_same_clip_is_the_nearest(request, name):
    healthy = HealthyClips(request.getfixturevalue(name), HEALTHY)
    noise = np.random.default_rng(0).normal(0, 1e-5, HEALTHY[7].shape)
    assert healthy.nearest(HEALTHY[7] + noise, 1) == [7]


# In a browser.


@pytest.fixture
def tab(browser, folder, page):
    """The page, in a browser that lists what it loads and complains of."""
    tab = browser.new_page()
    tab.loaded, tab.complaints = [], []
    tab.on("request", lambda request: tab.loaded.append(request.url.partition(",")[0]))
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto((folder / "fan.html").as_uri())
    yield tab
    tab.close()


def cells(tab, column):
    rows = tab.locator("#clips-table tbody tr:not([hidden])")
    return rows.evaluate_all(f"rows => rows.map(row => row.cells[{column}].innerText.trim())")


def wait_until(tab, condition):
    """Wait for what JavaScript sees; wait_for_function would need what the page forbids."""
    for _ in range(200):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"not within 10 s: {condition}")


def test_players_play(tab, page):
    wait_until(tab, "[...document.querySelectorAll('audio')].every(a => a.readyState > 0)")
    durations = tab.locator("audio").evaluate_all("players => players.map(p => p.duration)")
    assert durations == pytest.approx([2.0] * len(page.all("audio")), abs=0.01)
    tab.evaluate("const p = document.querySelector('audio'); p.muted = true; p.play()")
    wait_until(tab, "document.querySelector('audio').currentTime > 0")


def test_nothing_is_loaded_and_nothing_complained_of(tab, folder):
    tab.wait_for_load_state("networkidle")
    address = (folder / "fan.html").as_uri()
    assert {url for url in tab.loaded if not url.startswith("data:")} == {address}
    assert tab.complaints == []


def test_sorting_sorts(tab):
    column = tab.locator("#clips-table thead th", has_text="p-value")
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "ascending"
    assert tab.locator("th[aria-sort]").count() == 1
    *values, last = cells(tab, 3)
    assert last == "-"
    numbers = [float(value.replace("<", "")) for value in values]
    assert numbers == sorted(numbers)
    column.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert column.get_attribute("aria-sort") == "descending"
    assert cells(tab, 3) == [*reversed(values), "-"] or sorted(numbers, reverse=True) == [
        float(value.replace("<", "")) for value in cells(tab, 3)[:-1]
    ]
    tab.locator("#clips-table thead th", has_text="place").get_by_role("button").click()
    assert [int(place) for place in cells(tab, 0)] == list(range(1, 11))


def test_filter_filters(tab):
    tab.get_by_label("Name contains").fill("ODD")
    assert sorted(cells(tab, 1)) == [name for name in sorted(NAMES) if "odd" in name]
    assert tab.locator("output").inner_text() == "3 of 10 shown"
    tab.get_by_label("Name contains").fill("")
    tab.get_by_label("Verdict").select_option("not scored")
    assert cells(tab, 1) == ["broken.wav"]


def test_page_reads_without_scripts(browser, folder, page):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "fan.html").as_uri())
    assert tab.locator("#clips-table tbody tr").count() == 10
    assert tab.locator("#clips-table tbody tr").last.is_visible()
    assert not tab.locator("form").is_visible()
    assert tab.locator("article").count() == len(page.all("article"))
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_page_fits_and_is_accessible(check_accessibility, folder, page, scheme, width):
    check_accessibility((folder / "fan.html").as_uri(), scheme, width)

"""What skasd promises outside: every public name, in one list. All else may change at any time."""

import importlib
import inspect
import pkgutil

import pytest

import skasd

SURFACE = {
    "skasd": [
        "AudioError",
        "CallableEncoder",
        "ClipTransformer",
        "FeatureDetector",
        "FleetDetector",
        "FrameAutoencoder",
        "FusionDetector",
        "GaussianMixtureDetector",
        "InterpolationAutoencoder",
        "LogMelSpectrogram",
        "MachineIDEmbedding",
        "MahalanobisDetector",
        "Monitor",
        "NearestNeighborsDetector",
        "ONNXEncoder",
        "OpenL3Embedding",
        "PowerSpectrum",
        "PrincipalComponents",
        "PyODDetector",
        "RepeatedSeedEnsemble",
        "SelectiveMahalanobisAutoencoder",
        "SpectrogramStatistics",
        "SpectrogramTransformer",
        "SpectrumEmbedding",
        "TimeWeightedPooling",
        "__version__",
        "export_onnx",
        "fit_clips",
        "load",
        "make_baseline",
        "make_encoder",
        "make_encoder_neighbors",
        "make_iaeo3",
        "make_iaeo3_opt",
        "make_iaeo3_plus",
        "make_views_detector",
        "save",
        "score_clips",
    ],
    "skasd.audio": [
        "AudioError",
        "RecordingReport",
        "RecordingWarning",
        "check_clips",
        "check_recordings",
        "read_clip",
    ],
    "skasd.challenge": [
        "EvaluationError",
        "PUBLISHED_SCORES",
        "TABLE_2",
        "evaluate_dcase",
        "evaluate_dcase2020",
    ],
    "skasd.cli": ["app"],
    "skasd.datasets": [
        "DatasetError",
        "GroundTruth",
        "MACHINES",
        "fetch_dcase",
        "fetch_dcase2020",
        "load_dcase",
        "load_dcase2020",
        "load_dcase2021",
        "make_machine_sounds",
        "read_ground_truth",
    ],
    "skasd.detection": [
        "FeatureDetector",
        "GaussianMixtureDetector",
        "MahalanobisDetector",
        "NearestNeighborsDetector",
        "PyODDetector",
        "ScoreReport",
    ],
    "skasd.ensemble": [
        "FleetDetector",
        "FusionDetector",
        "RepeatedSeedEnsemble",
        "fit_clips",
        "score_clips",
    ],
    "skasd.exceptions": [
        "AudioError",
        "CalibrationWarning",
        "DatasetError",
        "EvaluationError",
        "EventFileError",
        "ModelFileError",
        "ModelVersionWarning",
        "RecordingWarning",
        "SkasdError",
        "WeightsError",
    ],
    "skasd.export": ["export_onnx"],
    "skasd.features": [
        "CallableEncoder",
        "ClipTransformer",
        "FRONT_ENDS",
        "FrameAutoencoder",
        "InterpolationAutoencoder",
        "LogMelSpectrogram",
        "MachineIDEmbedding",
        "ONNXEncoder",
        "OpenL3Embedding",
        "PowerSpectrum",
        "PrincipalComponents",
        "SelectiveMahalanobisAutoencoder",
        "SpectrogramStatistics",
        "SpectrogramTransformer",
        "SpectrumEmbedding",
        "TimeWeightedPooling",
        "WeightsError",
        "make_encoder",
    ],
    "skasd.inspection": [
        "DetectionCurveDisplay",
        "ErrorMapDisplay",
        "Explanation",
        "ScoreDistributionDisplay",
        "explain",
    ],
    "skasd.metrics": [
        "auc",
        "auc_pauc_scorer",
        "auc_scorer",
        "average_scores",
        "confidence_interval",
        "evaluate",
        "evaluate_domains",
        "f1",
        "harmonic_mean",
        "official_score",
        "pauc",
        "pauc_scorer",
        "precision",
        "recall",
    ],
    "skasd.model_selection": [
        "NormalKFold",
        "TrainTestFolder",
        "add_pseudo_anomalies",
        "held_out_likelihood",
        "score_stability",
    ],
    "skasd.monitoring": ["Alarm", "EventFile", "EventFileError", "Monitor", "MonitorEvent"],
    "skasd.persistence": [
        "ModelFileError",
        "ModelInfo",
        "ModelVersionWarning",
        "load",
        "read_info",
        "save",
    ],
    "skasd.report": ["write_report"],
    "skasd.systems": [
        "make_baseline",
        "make_encoder_neighbors",
        "make_iaeo3",
        "make_iaeo3_opt",
        "make_iaeo3_plus",
        "make_system",
        "make_views_detector",
    ],
    "skasd.utils": [],
    "skasd.utils.estimator_checks": [
        "check_clip_transformer",
        "check_spectrogram_transformer",
        "clip_transformer_checks",
        "spectrogram_transformer_checks",
    ],
}
"""Public module → what it exports."""


def modules(package=skasd):
    """Yield the names of all modules that no underscore hides."""
    yield package.__name__
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not info.name.rpartition(".")[2].startswith("_"):
            module = importlib.import_module(info.name)
            yield from modules(module) if info.ispkg else [info.name]


def test_every_other_module_is_private():
    # Folders of one kind of branch, whose modules are private.
    assert set(modules()) - {"skasd.features.openl3", "skasd.features.encoders"} == set(SURFACE)


@pytest.mark.parametrize("module", SURFACE)
def test_exports(module):
    names = getattr(importlib.import_module(module), "__all__", [])
    # A package exports its rooms as well.
    assert sorted(name for name in names if f"{module}.{name}" not in SURFACE) == SURFACE[module]


@pytest.mark.parametrize("module", SURFACE)
def test_names_are_before_places(module):
    """What is public says so: pickles, model files and tracebacks name no private place."""
    for name in SURFACE[module]:
        exported = getattr(importlib.import_module(module), name)
        if inspect.isclass(exported) or inspect.isfunction(exported):
            home = exported.__module__
            assert name in SURFACE[home], f"{module}.{name} says that it is in {home}"

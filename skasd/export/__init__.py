"""Fitted detectors as ONNX models, which run without skasd and without Python."""

from skasd._utils.public_names import claim_names
from skasd.export._onnx import export_onnx

__all__ = ["export_onnx"]

claim_names(__name__)

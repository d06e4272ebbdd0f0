"""Encoders that others have trained: ONNX files, functions, and encoders by name."""

"""Pretrained encoders: ONNX files, functions, and encoders by name."""

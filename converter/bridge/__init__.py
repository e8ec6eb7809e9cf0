"""Repairs between Paddle, paddle2onnx and ONNX: one per file, with its condition and reason."""

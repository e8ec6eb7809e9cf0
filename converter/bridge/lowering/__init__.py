"""Operators that paddle2onnx lacks or gets wrong, expressed in ONNX by ourselves."""

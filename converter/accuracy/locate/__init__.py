"""Finds the first value inside a model that the ONNX file computes otherwise, and says why."""

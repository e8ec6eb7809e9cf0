"""How an ONNX model would compute in float16, forecast on a CPU."""

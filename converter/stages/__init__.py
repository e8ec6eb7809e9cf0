"""The pipeline, one stage per file: inspect, export, simplify, validate, compile."""

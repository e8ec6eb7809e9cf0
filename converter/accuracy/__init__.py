"""Comparing what two models compute: inputs to compare on, metrics, and the gate."""

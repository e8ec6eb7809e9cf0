"""Reads recipe files: from YAML to a list of models and options; mistakes have lines."""

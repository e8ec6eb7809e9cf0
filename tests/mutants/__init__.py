"""Mutation testing of the accuracy gate: ``make mutants``."""

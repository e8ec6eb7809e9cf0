"""Results of stages that were computed once, by what they were computed from."""

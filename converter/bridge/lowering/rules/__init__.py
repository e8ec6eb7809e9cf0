"""The lowerings themselves, by family of operators."""

"""Running OM files on an NPU: a script that travels, and how it is run here."""

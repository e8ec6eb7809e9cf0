"""A run as a CycloneDX ML-BOM."""

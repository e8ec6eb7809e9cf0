"""The demo's material: real models, a page to read, and the OCR run that compares the two."""

"""The views of a ``RunReport``: JSON file, terminal, HTML page.

Nothing is imported here: a view brings in what it renders with (rich, jinja2) when it is used.
"""

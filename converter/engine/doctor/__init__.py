"""``paddle2om doctor``: what works on this machine, and the command that mends what does not.

Nothing heavy is imported here: packages that are missing or broken are what it is about.
"""

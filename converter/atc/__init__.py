"""What we know about atc: its command line, its chips, and how to run it."""

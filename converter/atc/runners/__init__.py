"""Where atc runs: here, on a host behind SSH, in a container, or later from a bundle."""

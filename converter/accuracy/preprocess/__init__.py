"""The preprocessing that `inference.yml` describes, as PaddleX 3.7 does it: pixels to inputs."""

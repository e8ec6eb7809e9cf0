"""PaddleX: which converted model fits which module, the configs it reads, and running them."""

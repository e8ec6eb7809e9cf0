"""What things are: Paddle model directories, programs, parameters, tensors, results."""

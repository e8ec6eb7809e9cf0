"""What a difference means for the model's task: one file per kind of model."""

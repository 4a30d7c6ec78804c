"""The one training step and loop, recipes, and transformations of batches."""

"""What the neural models train with: the one place that imports PyTorch, imported when a net is fitted."""

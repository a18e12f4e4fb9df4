"""Linear layers and norms in their form for inference."""

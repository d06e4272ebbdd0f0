"""Training of networks into NumPy arrays; scoring needs no Keras."""

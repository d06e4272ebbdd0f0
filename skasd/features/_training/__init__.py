"""Training of networks: NumPy arrays come out, and whatever scores needs no Keras."""

"""Training of networks: NumPy arrays come out, and whoever scores needs no Keras."""

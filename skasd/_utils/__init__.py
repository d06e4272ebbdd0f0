"""What every room may use: files, threads, downloads, and where public names belong."""

"""Code that every room may use: files, threads, downloads, and the home of public names."""

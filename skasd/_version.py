"""The version of skasd, which other modules cannot ask the package's face for."""

__version__ = "0.1.0.dev0"

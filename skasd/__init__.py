"""Anomalous sound detection with scikit-learn."""

import lazy_loader

from skasd._utils.old_names import register_old_modules

# What each name needs is imported when it is first used; the stub beside this file lists them.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

register_old_modules()

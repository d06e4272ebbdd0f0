"""Ready-made systems: the default, and published systems as pipelines.

Every factory returns an unfitted detector whose parameters can be set and searched by name.
"""

from skasd._utils.public_names import claim_names
from skasd.systems._baseline import make_baseline
from skasd.systems._by_name import make_system
from skasd.systems._encoder_neighbors import make_encoder_neighbors
from skasd.systems._iaeo3 import make_iaeo3, make_iaeo3_opt
from skasd.systems._iaeo3_plus import make_iaeo3_plus
from skasd.systems._views import make_views_detector

__all__ = [
    "make_baseline",
    "make_encoder_neighbors",
    "make_iaeo3",
    "make_iaeo3_opt",
    "make_iaeo3_plus",
    "make_system",
    "make_views_detector",
]

claim_names(__name__)

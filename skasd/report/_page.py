"""Pages from templates: one file, which loads nothing and runs no script but its own."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from skasd._version import __version__
from skasd.report._text import counted, number, sentence, share, visible

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE, SCRIPT = "style.css", "tables.js"


def make_page(template: str, **content: Any) -> str:
    """Fill in a template; all that is filled in is text, whatever is in it.

    Parameters
    ----------
    template : str
        Name of a template that extends ``base.html``.
    **content
        What the template asks for, and `title`.

    Returns
    -------
    str
        HTML, which UTF-8 can encode.

    Notes
    -----
    The page's own policy allows no style and no script but the two that are in it, by their hashes,
    and pictures and sounds that are in it as well.
    """
    style, script = _source(STYLE), _source(SCRIPT)
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; media-src data:; "
        f"style-src {_hash(style)}; script-src {_hash(script)}"
    )
    return (
        _environment()
        .get_template(template)
        .render(policy=policy, style=style, script=script, version=__version__, **content)
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("skasd.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(counted=counted, number=number, sentence=sentence, share=share)
    return environment


def _finalize(value: Any) -> Any:
    """Make visible what is filled in, unless it is a part of the template itself."""
    return value if hasattr(value, "__html__") else visible(str(value))


@cache
def _source(name: str) -> Any:
    from markupsafe import Markup

    environment = _environment()
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

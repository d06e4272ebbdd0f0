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


def make_page(
    template: str, *, script: str = SCRIPT, is_served: bool = False, **content: Any
) -> str:
    """Fill in a template; all that is filled in is text, whatever is in it.

    Parameters
    ----------
    template : str
        Name of a template that extends ``base.html``.
    script : str, default="tables.js"
        Name of the page's script.
    is_served : bool, default=False
        Whether pictures and sounds come from the page's own server, instead of being in it.
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
    return (
        _environment()
        .get_template(template)
        .render(
            policy=page_policy(script, is_served=is_served),
            style=_source(STYLE),
            script=_source(script),
            version=__version__,
            **content,
        )
    )


@cache
def page_policy(script: str = SCRIPT, *, is_served: bool = False) -> str:
    """Return the policy of a page, as browsers take it.

    Parameters
    ----------
    script, is_served
        See `make_page`.

    Returns
    -------
    str
        A Content-Security-Policy.
    """
    media, fetched = "data:", ""
    if is_served:
        media, fetched = "data: 'self'", "connect-src 'self'; "
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src {media}; "
        f"media-src {media}; {fetched}style-src {_hash(_source(STYLE))}; "
        f"script-src {_hash(_source(script))}"
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

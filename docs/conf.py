"""How Sphinx builds the site: ``sphinx-build -W -n docs docs/_build``."""

import importlib
import inspect
import pkgutil
import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.roles import XRefRole

import skasd

project = "skasd"
author = "The skasd developers"
copyright = "The skasd developers"
version = release = skasd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "**/sg_execution_times.rst"]
templates_path = ["_templates"]
default_role = "name"

# Names of other projects: their sites are not looked up, so that the build needs no network.
nitpick_ignore = [
    ("py:obj", "joblib.parallel_config"),
    ("py:func", "scipy.stats.false_discovery_control"),
]

autodoc_typehints = "none"  # numpydoc's sections show the types
numpydoc_show_class_members = False  # _templates/autosummary/class.rst lists them
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"[/\\]\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skasd"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "github_url": "https://github.com/skasd/skasd",
    "show_prev_next": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"get_started": [], "changelog": [], "contributing": [], "how_it_works": []}
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"


def find_public_names():
    """Return short and full names of what is public → the full name that its page has."""
    homes = {}
    modules = [skasd.__name__]
    modules += [info.name for info in pkgutil.walk_packages(skasd.__path__, "skasd.")]
    for place in modules:
        if "._" in place:
            continue
        module = importlib.import_module(place)
        homes[place] = place
        for name in getattr(module, "__all__", ()):
            public = getattr(module, name)
            is_code = inspect.isclass(public) or inspect.isfunction(public)
            home = f"{public.__module__ if is_code else place}.{name}"
            homes[name] = homes[f"{place}.{name}"] = home
            if inspect.isclass(public):
                for member in dir(public):
                    homes[f"{name}.{member}"] = f"{home}.{member}"
    return homes


HOMES = find_public_names()


class NameRole(XRefRole):
    """What single backticks hold: a link if it is a public name, and code otherwise."""

    def run(self):
        """Link to the page of the name."""
        if self.target not in HOMES:
            return [nodes.literal(self.rawtext, self.title)], []
        self.target, self.refdomain, self.reftype = HOMES[self.target], "py", "obj"
        self.classes = ["xref", "py", "py-obj"]
        return self.create_xref_node()


def skip_inherited(app, what, name, member, skip, options):
    """Leave out what scikit-learn adds to each estimator."""
    place = getattr(member, "__module__", None) or ""
    return True if place.startswith("sklearn.") else skip


def escape_attributes(app, what, name, obj, options, lines):
    """Keep ``n_features_in_``, in a shape, from being read as a link."""
    lines[:] = [re.sub(r"n_features_in_(?=[,)])", r"n_features_in\_", line) for line in lines]


def link_names(app, doctree):
    """Link the public names that a page in Markdown holds as code."""
    if not doctree["source"].endswith(".md"):
        return
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().partition("(")[0]
        is_name = name in HOMES and ("_" in name or name[0].isupper())
        if is_name and not isinstance(literal.parent, nodes.reference | nodes.title):
            link = pending_xref(
                "",
                refdoc=app.env.current_document.docname,
                refdomain="py",
                reftype="obj",
                reftarget=HOMES[name],
                refexplicit=True,
                refwarn=True,
            )
            literal.replace_self(link)
            link += literal


def find_from_any_page(app, env, node, content):
    """Find a public name in See Also by its last part."""
    home = HOMES.get(node.get("reftarget"))
    if home is None:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, content)


def setup(app):
    """Register the role and the hooks."""
    app.add_role("name", NameRole())
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("autodoc-process-docstring", escape_attributes)
    app.connect("doctree-read", link_names)
    app.connect("missing-reference", find_from_any_page)

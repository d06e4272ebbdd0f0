"""The description by skops of what a file holds, without what it says twice."""

import json
from collections.abc import Hashable
from typing import Any

Node = dict[str, Any]


def shorten(schema: bytes) -> bytes:
    """Describe each object once, and let one object stand for equal values.

    Parameters
    ----------
    schema : bytes
        The description that skops wrote: of an object, wherever it occurs.

    Returns
    -------
    bytes
        One of the same, in which objects that occur again are named by their number alone.

    Examples
    --------
    >>> import json
    >>> import skops.io
    >>> from skasd.persistence._archive import pack, unpack
    >>> from skasd.persistence._short_schema import shorten
    >>> members = unpack(skops.io.dumps([(1000.5, 2), (1000.5, 2)]))
    >>> short = shorten(members["schema.json"])
    >>> [each["__loader__"] for each in json.loads(short)["content"]]
    ['TupleNode', 'CachedNode']
    >>> skops.io.loads(pack({**members, "schema.json": short}))
    [(1000.5, 2), (1000.5, 2)]
    """
    root: Node = json.loads(schema)
    _Numbers().shorten(root)
    return json.dumps(root, separators=(",", ":")).encode()


class _Numbers:
    """The numbers of objects, in the order in which skops makes these."""

    def __init__(self) -> None:
        self._kept: dict[int, int] = {}
        self._of_value: dict[Hashable, int] = {}
        self._unchanging: set[int] = set()

    def shorten(self, node: Node, *, is_hidden: bool = False) -> None:
        """Shorten a description in place; whoever uses the object does not see a hidden one."""
        number = node["__id__"]
        if number not in self._kept:
            children = self._shorten_children(node)
            value = self._value(node, children, is_hidden)
            self._kept[number] = number
            if value is not None:
                self._kept[number] = self._of_value.setdefault(value, number)
                self._unchanging.add(self._kept[number])
            if self._kept[number] == number:
                return
        name = {key: node[key] for key in ("__module__", "__class__")}
        node.clear()
        node.update(name, __loader__="CachedNode", __id__=self._kept[number])

    def _shorten_children(self, node: Node) -> list[Node]:
        """Shorten what is in a node that holds others; those of other kinds stay as they are."""
        loader = node["__loader__"]
        children: list[Node] = []
        if loader == "DictNode":
            self.shorten(node["key_types"], is_hidden=True)
            children = list(node["content"].values())
        elif loader in ("ListNode", "TupleNode"):
            children = node["content"]
        elif loader == "ObjectNode" and node.get("content") is not None:
            children = [node["content"]]
        for child in children:
            self.shorten(child)
        return children

    def _value(self, node: Node, children: list[Node], is_hidden: bool) -> Hashable | None:
        """Return what is equal for equal values; None for an object that may change."""
        loader = node["__loader__"]
        if loader in ("JsonNode", "TypeNode"):
            content = (node.get("content"),)
        elif loader == "TupleNode" or (loader == "ListNode" and is_hidden):
            content = tuple(child["__id__"] for child in children)
            if not self._unchanging.issuperset(content):
                return None
        else:
            return None
        return (loader, node["__module__"], node["__class__"], *content)

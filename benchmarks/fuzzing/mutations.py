"""Changes of bytes, of JSON and of CSV."""

import json
import random
import struct
from typing import Any

NUMBERS = (
    0, 1, -1, 2, 3, 7, 128, 1000, 2**31 - 1, 2**31, 2**63, -(2**63), 10**20, 10**400, 0.5, -0.0,
    1e-320, 1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip

TEXTS = (
    "", "auto", "full", "diag", "tied", "precomputed", "poly", "kd_tree", "cosine", "seuclidean",
    "/etc/passwd", "..", "\ud800", "a" * 10_000, "\0", "\ufeff", "1", "NaN", "fan_id_00",
)  # fmt: skip

PIECES = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r", b'"', b",", b"[" * 2000, b"{" * 5, b"9" * 5000,
    b"nan", b"-inf", b"\\ud800", b"null", b"1e999", b"true",
)  # fmt: skip


def anything(rng: random.Random, texts: tuple[str, ...] = TEXTS) -> Any:
    """Return a value of JSON."""
    return rng.choice((None, True, False, [], {}, [[]], rng.choice(NUMBERS), rng.choice(texts)))


def change_bytes(content: bytes, rng: random.Random, head: int = 600) -> bytes:
    """Change bytes, mostly of the header; cut, repeat or swap parts."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        reach = len(data)
        if rng.random() < 0.7:
            reach = min(reach, rng.choice((head // 10, head // 3, head)))
        place = rng.randrange(reach)
        action = rng.randrange(7)
        if action == 0:
            data[place] = rng.randrange(256)
        elif action == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif action == 2:
            number = rng.choice(
                (0, 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32), len(data))
            )
            data[place : place + 4] = struct.pack(rng.choice("<>") + "I", number)
        elif action == 3:
            del data[rng.randrange(len(data)) if rng.random() < 0.5 else place :]
        elif action == 4:
            del data[place : place + rng.randrange(1, 40)]
        elif action == 5:
            data[place:place] = data[place : place + rng.randrange(1, 600)]
        else:
            data[place:place] = rng.randbytes(rng.randrange(1, 40))
    return bytes(data)


def change_text(content: bytes, rng: random.Random) -> bytes:
    """Change bytes anywhere, put in what readers of text stumble over, or change its lines."""
    kind = rng.randrange(4)
    if kind == 0:
        return change_bytes(content, rng, head=len(content) or 1)
    if kind == 1:
        place = rng.randrange(len(content) + 1)
        n_lost = rng.choice((0, 0, 1, 4))
        return content[:place] + rng.choice(PIECES) + content[place + n_lost :]
    lines = content.splitlines(keepends=True)
    if not lines:
        return rng.choice(PIECES)
    if kind == 2:
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        action = rng.randrange(4)
        if action == 0:
            del lines[one]
        elif action == 1:
            lines.insert(one, lines[other])
        elif action == 2:
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one] = lines[one] * rng.choice((2, 100))
        return b"".join(lines)
    one = rng.randrange(len(lines))
    fields = lines[one].split(b",")
    fields[rng.randrange(len(fields))] = rng.choice(
        (b"", b"nan", b"1e400", b"-1", b"x", b'"', rng.choice(PIECES), rng.choice(fields))
    )
    lines[one] = b",".join(fields)
    return b"".join(lines)


def change_json(content: bytes, rng: random.Random) -> bytes:
    """Change a value, take a field away, or put another in its place; bytes of what is no JSON."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return change_text(content, rng)
    holders = [each for each in holders_in(value) if each]
    if not holders:
        return change_text(content, rng)
    node, other = rng.choice(holders), rng.choice(holders)
    key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
    kind = rng.randrange(5)
    if kind == 0:
        node[key] = other if rng.random() < 0.2 and other is not node else anything(rng)
    elif kind == 1:
        del node[key]
    elif kind == 2 and isinstance(node, list):
        node.extend(node[:3] * rng.choice((1, 1000)))
    elif kind == 3 and isinstance(node, dict):
        node[rng.choice(TEXTS)] = anything(rng)
    else:
        node[key] = anything(rng)
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):  # what holds itself cannot be written
        return content


def change_json_or_text(content: bytes, rng: random.Random) -> bytes:
    """Change what JSON says, or its bytes."""
    return change_json(content, rng) if rng.random() < 0.6 else change_text(content, rng)


def holders_in(value: Any) -> list[Any]:
    """Return all dictionaries and lists in a value of JSON."""
    found, pending = [], [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict | list):
            found.append(each)
            pending += each.values() if isinstance(each, dict) else each
    return found

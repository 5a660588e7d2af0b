"""Seven faces drawn as SVG, one for each expression that a network may answer: our avatars, in light and dark alike."""

import base64

from cnnviz.ui.markup import text

_INK, _TEAR, _TONGUE, _CHEEK = "#1F2430", "#3F86BE", "#DC6A5E", "#E8795A"
_HAIR = "#7A828C"  # seen on light and on dark


def svg(expression: str, size: int = 48) -> str:
    """The avatar of an expression, `size` pixels wide and high: an <svg> to stand in HTML, named for screen readers.

    ValueError for what is neither one of EXPRESSIONS nor NOT_SURE.
    """
    if expression not in (*EXPRESSIONS, NOT_SURE):
        raise ValueError(f"There is no avatar for '{expression}'; there are {', '.join(EXPRESSIONS)}.")
    skin, features = _DRAWN.get(expression, _NOT_SURE)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="avatar" viewBox="0 0 48 48" width="{size}" height="{size}" '
        f'role="img" aria-label="{text(expression)}" fill="none" stroke="{_INK}" stroke-width="2.4" '
        f'stroke-linecap="round" stroke-linejoin="round"><title>{text(expression)}</title>'
        f'<g fill="{skin}" stroke="none">{_HEAD}</g>{features}</svg>'
    )


def source(expression: str, size: int = 48) -> str:
    """The avatar as a data URL, for where no <svg> may stand. ValueError as in `svg`."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(expression, size).encode()).decode()


def of(label: str) -> str | None:
    """The expression that a network's class names, or None where none of the avatars is meant."""
    name = label.strip().casefold()
    return name if name in _DRAWN else None


def _stroke(*paths: str, width: float | None = None) -> str:
    thick = f' stroke-width="{width}"' if width else ""
    return "".join(f'<path d="{path}"{thick}/>' for path in paths)


def _filled(path: str, color: str) -> str:
    return f'<path d="{path}" fill="{color}" stroke="none"/>'


def _dots(y: float, radius: float, color: str = _INK, left: float = 16.5) -> str:
    """Two round eyes, or cheeks, as far from the middle."""
    return "".join(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{color}" stroke="none"/>' for x in (left, 48 - left))


def _tear(x: float, y: float) -> str:
    return _filled(f"M{x} {y}q-4.2 5.2-1.6 7.6q1.6 1.2 3.2 0q2.6-2.4-1.6-7.6z", _TEAR)


# a head with two ears and a tuft of hair; on 48 × 48
_HEAD = (
    '<rect x="4" y="6" width="40" height="40" rx="16"/><rect x="1.5" y="22" width="6" height="10" rx="3"/>'
    '<rect x="40.5" y="22" width="6" height="10" rx="3"/>'
    f'<path d="M18 7.5q1-5 6-5.5q-1.6 2.6 0 3.6q2-2.6 5.4-2q-2 1.6-1.4 4z" fill="{_HAIR}"/>'
)
_DRAWN = {
    "angry": (
        "#F0A286",
        _dots(25.5, 2.7)
        + _stroke("M10.5 16.5l10.5 5.5", "M37.5 16.5l-10.5 5.5", width=3.2)
        + '<rect x="15.5" y="33" width="17" height="7" rx="2.6" fill="#fff"/>'
        + _stroke("M21.2 33.5v6M26.8 33.5v6", width=1.6),
    ),
    "disgust": (
        "#BDD08F",
        _stroke("M12.5 24.5l7 1.8l-7 1.4", "M35.5 24.5l-7 1.8l7 1.4")
        + _stroke("M11.5 20.5q4-2 9 1.5", "M36.5 17.5q-5-.5-9 4")
        + _stroke("M21.8 27.6l2.2-1.6l2.2 1.6", width=1.6)
        + f'<path d="M23.5 35.5q.4 7.4 4.4 7q4-.4 3.2-6.6z" fill="{_TONGUE}" stroke-width="1.8"/>'
        + _stroke("M14.5 37.5q4.5-4.5 9.5-2.4t9.5-.6"),
    ),
    "fear": (
        "#C5BFE3",
        '<g stroke-width="1.8">'
        + "".join(f'<circle cx="{x}" cy="23.5" r="5.2" fill="#fff"/>' for x in (16, 32))
        + "</g>"
        + _dots(24, 1.7, left=16)
        + _stroke("M9.5 16.5q3.5-3.6 9-4.2", "M38.5 16.5q-3.5-3.6-9-4.2")
        + _stroke("M14 38.2q1.7-4 3.4-1.6t3.3.2t3.3-.4t3.3.4t3.3-.2t3.4 1.6")
        + _tear(41.5, 7),
    ),
    "happy": (
        "#F6D27A",
        f'<g opacity=".45">{_dots(31, 3.4, _CHEEK, left=11)}</g>'
        + _stroke("M12.5 25.5q4-5.4 8 0", "M27.5 25.5q4-5.4 8 0")
        + _stroke("M12.5 17.5q3.6-3 7.4-1", "M35.5 17.5q-3.6-3-7.4-1", width=2)
        + _filled("M14 31q10 3.4 20 0q-.8 11.4-10 11.4T14 31z", _INK)
        + _filled("M18.4 39.6q5.6-4.6 11.2 0q-2 2.8-5.6 2.8t-5.6-2.8z", _TONGUE),
    ),
    "sad": (
        "#A9CBE2",
        _dots(26.5, 2.5)
        + _stroke("M11.5 21.5q5-.6 8.5-4.6", "M36.5 21.5q-5-.6-8.5-4.6")
        + _stroke("M17 39.6q7-6.4 14 0")
        + _tear(13.5, 30.5),
    ),
    "surprise": (
        "#F4C3A0",
        _dots(24.5, 3.6)
        + _dots(23.2, 1.2, "#fff", left=17.6)
        + _stroke("M11 15q5-4.6 9.5-.6", "M37 15q-5-4.6-9.5-.6")
        + f'<ellipse cx="24" cy="37" rx="4.4" ry="5.6" fill="{_INK}" stroke="none"/>'
        + _filled("M20.6 39.6q3.4-2.6 6.8 0q-1 3-3.4 3t-3.4-3z", _TONGUE),
    ),
    "neutral": (
        "#E3D8C2",
        _dots(25.5, 2.6) + _stroke("M12.5 19h7.5", "M35.5 19h-7.5", width=2) + _stroke("M17.5 37h13"),
    ),
}
EXPRESSIONS = tuple(_DRAWN)
NOT_SURE = "not sure"  # a head without a face
_NOT_SURE = (
    "#C3C9D0",
    _stroke("M17.5 21.5q.4-6.5 6.7-6.5t6.3 5.6q0 3.2-3.4 5.2t-3.1 5.4", width=3.2) + _dots(38, 2.2, left=24),
)

"""Plots as SVG, by hand: two kinds are needed, and a library would be the one dependency of
benches/. Colours are told apart in print and by the colour-blind; text takes the reader's own
colour where the page is dark."""

import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 88, 24, 48, 56
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
STYLE = """<style>
text { font: 13px sans-serif; fill: #222 } .title { font-size: 16px; font-weight: bold }
.grid { stroke: #ccc; stroke-width: 1 } .goal { stroke: #777; stroke-width: 1.5; stroke-dasharray: 6 4 }
.back { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .back { fill: #111 } }
</style>"""


def _text(x, y, text, anchor="middle", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{html.escape(text)}</text>'


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _page(title, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{html.escape(title)}">'
    )
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" class="back"/>'
    return "\n".join([head, STYLE, back, _text(WIDTH / 2, 26, title, kind="title"), *parts, "</svg>", ""])


def _number(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def _scale(low, high, start, end):
    """A logarithmic scale, and its decades."""
    low, high = math.floor(math.log10(low)), math.ceil(math.log10(high))
    high = max(high, low + 1)

    def place(value):
        return start + (math.log10(value) - low) / (high - low) * (end - start)

    return place, [10.0**n for n in range(low, high + 1)]


def curves(title, across, up, series, goal=None):
    """Curves over two logarithmic axes. `series`: name -> {x: y}; `goal`: (name, y), a level."""
    points = [point for curve in series.values() for point in curve.items() if point[1] > 0]
    if not points:
        return _page(title, [])
    levels = [y for _, y in points] + ([goal[1]] if goal else [])
    x_at, xs = _scale(min(x for x, _ in points), max(x for x, _ in points), LEFT, WIDTH - RIGHT)
    y_at, ys = _scale(min(levels), max(levels), HEIGHT - BOTTOM, TOP)
    parts = []
    for x in xs:
        parts += [_line(x_at(x), TOP, x_at(x), HEIGHT - BOTTOM, "grid"), _text(x_at(x), HEIGHT - BOTTOM + 18, _number(x))]
    for y in ys:
        parts += [_line(LEFT, y_at(y), WIDTH - RIGHT, y_at(y), "grid"), _text(LEFT - 8, y_at(y) + 4, _number(y), "end")]
    if goal:
        name, level = goal
        parts += [_line(LEFT, y_at(level), WIDTH - RIGHT, y_at(level), "goal"), _text(LEFT + 6, y_at(level) - 6, name, "start")]
    legend = HEIGHT - BOTTOM - 20 * len(series)
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(x_at(x), y_at(y)) for x, y in sorted(curve.items()) if y > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
        parts += [
            f'<rect x="{WIDTH - RIGHT - 30}" y="{legend + number * 20}" width="14" height="4" fill="{colour}"/>',
            _text(WIDTH - RIGHT - 38, legend + 7 + number * 20, name, "end"),
        ]
    parts += [_text(WIDTH / 2, HEIGHT - 14, across), _upright(up)]
    return _page(title, parts)


def _upright(text):
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return f'<g transform="rotate(-90 20 {middle})">{_text(20, middle, text)}</g>'


def bars(title, values):
    """One bar a name, with its number. `values`: name -> y."""
    most = max(values.values(), default=1)
    room = (HEIGHT - TOP - 20) / max(1, len(values))
    parts = []
    for number, (name, value) in enumerate(values.items()):
        y = TOP + number * room
        width = max(1, value / most * (WIDTH - 200 - 110))
        colour = COLOURS[0] if number == 0 else "#999"
        parts += [
            _text(190, y + room * 0.55, name, "end"),
            f'<rect x="200" y="{y + room * 0.2:.1f}" width="{width:.1f}" height="{room * 0.6:.1f}" fill="{colour}"/>',
            _text(208 + width, y + room * 0.55, _number(value), "start"),
        ]
    return _page(title, parts)

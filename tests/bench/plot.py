"""Bars as SVG, readable on light and dark pages: colours follow the reader's preference."""
import math
from xml.sax.saxutils import escape

from lab.record import short

STYLE = """
  text { font: 12px sans-serif; fill: #24292f }
  .title { font-weight: bold } .peer { fill: #8c959f } .floor { fill: #c8d1da } .ours { fill: #1a7f5a } .axis { stroke: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .peer { fill: #6e7681 } .floor { fill: #3d444d } .ours { fill: #3fb984 } .axis { stroke: #8b949e }
  }
"""
WIDTH, LEFT, RIGHT, ROW, TOP = 760, 330, 90, 22, 34
OURS = ("aegis", "reveal", "masked", "legible")


def kind(name):
    if name.startswith("floor"):
        return "floor"
    return "ours" if name.startswith(OURS) else "peer"


def bars(title, rows):
    """rows: (label, value, kind), values above 0; a logarithmic axis when they differ more than thirtyfold."""
    highest = max(value for _, value, _ in rows)
    lowest = min(value for _, value, _ in rows)
    logarithmic = highest > 30 * lowest
    start = math.log10(lowest) - 0.3 if logarithmic else 0

    def length(value):
        share = (math.log10(value) - start) / (math.log10(highest) - start) if logarithmic else value / highest
        return round(share * (WIDTH - LEFT - RIGHT), 1)

    height = TOP + ROW * len(rows) + 8
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
             f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", f'<text class="title" x="8" y="18">{escape(title)}</text>']
    for at, (label, value, of) in enumerate(rows):
        y = TOP + at * ROW
        lines.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        lines.append(f'<rect class="{of}" x="{LEFT}" y="{y + 2}" width="{length(value)}" height="{ROW - 6}"/>')
        lines.append(f'<text x="{LEFT + length(value) + 6}" y="{y + 14}">{escape(short(value))}</text>')
    lines.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP - 4}" y2="{height - 6}"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"

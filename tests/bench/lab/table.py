"""The result as text: one table for each series, then the goals."""
from .record import BUSY, short


def verdict(goal):
    if goal["met"] is None:
        return f"not measured: {goal['reason']}" if goal["reason"] else "not measured"
    return "met" if goal["met"] else "not met"


def notes(variant):
    """~ the rounds differ much; ! others used the machine meanwhile."""
    return ("~" if variant["spread"] else "") + ("!" if variant["others"] > BUSY else "")


def more(variant, leave_out=()):
    return ", ".join(f"{key} {short(figures['median'])}" for key, figures in variant["more"].items() if key not in leave_out)


def row(cells, widths):
    return "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(cells, widths))).rstrip()


def series_lines(series):
    head = [series["title"], series["unit"], "min-max", "ratio", "min-max", ""]
    rows = [head]
    for variant in series["variants"]:
        ratio = variant["ratio"]
        rows.append([
            variant["title"], short(variant["median"]), f"{short(variant['min'])}-{short(variant['max'])}",
            "-" if ratio is None else f"{ratio:.2f}",
            "" if ratio is None else f"{variant['ratio_min']:.2f}-{variant['ratio_max']:.2f}",
            notes(variant)])
    widths = [max(len(line[i]) for line in rows) for i in range(len(head))]
    for line, variant in zip(rows, [None] + series["variants"]):
        text = row(line, widths)
        yield text + ("   " + more(variant) if variant and variant["more"] else "")
    if series["note"]:
        yield f"  {series['note']}"


def measured(goal):
    """A goal's figure with its unit, and the floor's."""
    unit = f" {goal['unit']}" if goal["unit"] else ""
    figure = "–" if goal["figure"] is None else short(goal["figure"]) + unit
    return figure if goal.get("floor") is None else f"{figure}; the floor {short(goal['floor'])}{unit}"


def area_text(result):
    lines = [f"== {result['area']} ({result['seconds']:.0f} s)", ""]
    for series in result["series"]:
        lines += [*series_lines(series), ""]
    lines.append("Goals")
    for goal in result["goals"]:
        lines.append(f"  {goal['text']}: {goal['relation']} {short(goal['wanted'])}{' ' + goal['unit'] if goal['unit'] else ''}, "
                     f"measured {measured(goal)}: {verdict(goal)}")
    return "\n".join(lines) + "\n"

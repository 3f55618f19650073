#!/usr/bin/env python3
"""Makes the pages of figures and their plots from a result of ./aegis bench.

    tests/bench/report.py FILE [FOLDER]      FOLDER is docs unless given

Every figure on these pages is one of the file's; to change a page, change what stands here or measure anew. The
file goes beside the pages, and tests/process/bench.sh makes them again from it and compares."""
import glob
import importlib
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import obstacles  # noqa: E402
import plot  # noqa: E402
from lab.record import short  # noqa: E402
from lab.table import measured, more, notes, verdict  # noqa: E402

HEAD = """# Benchmarks

What the controls cost, measured beside what people use instead, on one machine and in turns.

```sh
./aegis bench --json bench.json      # everything; ./aegis bench --help lists the areas
tests/bench/report.py bench.json     # makes these pages from the result, which is benchmarks/figures.json
```

Measured {when} on commit {commit}: {cpus} × {cpu}, {memory_gib} GiB, {system}, Linux {kernel}; {rounds} rounds,
medians. {openssl}; {packages}.

## Goals

{met} of {count} goals are met.

| goal | wanted | measured | |
|---|--:|--:|---|
{goals}
"""
METHOD = """
## How it is measured

- **In turns.** Every round runs each variant once, in an order that rotates. A ratio is the median of the ratios within
  rounds, so a machine that slows down slows all of them.
- **Own clusters**, made for the run: shared_buffers 512 MB, fsync and synchronous_commit on, autovacuum and jit off, vacuumed
  and checkpointed before every round, on a disk and reached by Unix socket. Where the walls of Aegis would stand in a peer's
  way, the peer has a cluster without Aegis.
- **The same work.** Peers hold the same rows and indexes and verify the same session, unless the row says otherwise.
- **A floor** is the same figure of a simple program in C, built as Aegis is and with as much to store or to say, that does nothing else:
  it checks, encodes, draws and seals nothing. It is about the best to expect of this way of doing it on this machine.
- **A missed goal** has its reason and the profile that supports it: what the servers do and wait for under the same load, run once
  more afterwards.
- **Percentiles** are of answers that came. wrk adds those that a client which never waits would have got; they are taken away again,
  as pgbench adds none.
- **Noise** is shown, not hidden: `~` the highest figure of a variant is more than 1.3 times the lowest; `!` other programs used
  more than 8 % of the machine during one of its runs.

## Limits

- Clients and servers share the processors, so absolute figures are lower than with a client of its own. Ratios carry over to
  other machines better than figures, and neither carries over to slow disks, where every write is dominated by its flush.
- Runs are short: take ratios within 0.1 of each other for equal.

## See also

[testing.md](testing.md), [architecture.md](architecture.md), [decisions.md](decisions.md)
"""


def cell(text):
    return text.replace("|", "\\|")


def goal_row(goal):
    unit = f" {goal['unit']}" if goal["unit"] else ""
    relation = {">=": "≥", "<=": "≤"}[goal["relation"]]
    state = f"**{verdict(goal)}**" if goal["met"] is not None else verdict(goal)
    if goal["met"] is False:
        state += f": {obstacles.link(goal)}"
    return f"| {cell(goal['text'])} | {relation} {short(goal['wanted'])}{unit} | {measured(goal)} | {cell(state)} |"


def figure(variant):
    ratio = "" if variant["ratio"] is None else f" **{variant['ratio']:.2f}**"
    extra = more(variant, leave_out=("server_us",))
    extra = f"; {extra}" if extra else ""
    return f"{short(variant['median'])} ({short(variant['min'])}–{short(variant['max'])}){notes(variant)}{ratio}{extra}"


def group_lines(title, members):
    yield f"## {title}"
    yield ""
    for note in dict.fromkeys(series["note"] for series in members if series["note"]):
        yield f"{note[0].upper()}{note[1:]}."
        yield ""
    yield "| variant | " + " | ".join(cell(series["column"]) for series in members) + " |"
    yield "|---|" + "--:|" * len(members)
    titles = {}
    for series in members:
        for variant in series["variants"]:
            titles.setdefault(variant["name"], variant["title"])
    for name, variant_title in titles.items():
        cells = []
        for series in members:
            found = [variant for variant in series["variants"] if variant["name"] == name]
            cells.append(figure(found[0]) if found else "")
        yield f"| {cell(variant_title)} | " + " | ".join(cells) + " |"
    yield ""


def plan_page(page):
    return f"plans-{page}.md"


def plan_text(plans, area):
    """A plan by hand and protected in a block each; one that was there before is named, not repeated."""
    lines, known = [f"# Plans: {plans[0]['page']}", "", "As the server goes about what was measured, by hand and protected; three dots are the tenant.", ""], {}
    for plan in plans:
        title = f"{plan['title']}, {'by hand' if plan['way'] == 'hand' else 'protected'}"
        if plan["text"] in known:
            lines += [f"{title}: as {known[plan['text']]}.", ""]
        else:
            lines += [f"{title}:", "", "```text", plan["text"], "```", ""]
        known.setdefault(plan["text"], title[0].lower() + title[1:])
    return "\n".join([*lines, "## See also", "", f"[{area}.md]({area}.md)"]) + "\n"


def area_page(result, title):
    lines = [f"# {title}: figures", "", f"Median (lowest–highest) of the rounds; bold is the ratio. Read [benchmarks.md](../benchmarks.md) first.", ""]
    if "measured" in result:
        rounds = f", {result['measured']['rounds']} rounds" if "rounds" in result["measured"] else ""
        lines += ["Measured {when} on commit {commit}".format(**result["measured"]) + rounds + ".", ""]
    for name, fact in result["facts"].items():
        lines += [f"{name[0].upper()}{name[1:]}: {fact}.", ""]
    groups = {}
    for series in result["series"]:
        groups.setdefault(series["group"], []).append(series)
    for group, members in groups.items():
        lines += group_lines(group, members)
    lines += obstacles.section(result)
    if result.get("plans"):
        pages = dict.fromkeys(plan["page"] for plan in result["plans"])
        lines += ["## Plans", "", "By hand and protected: " + ", ".join(f"[{page}]({plan_page(page)})" for page in pages) + ".", ""]
    lines += ["## See also", "", "[benchmarks.md](../benchmarks.md)"]
    return "\n".join(lines) + "\n"


def plots(result, module):
    for name, title, wanted in module.PLOTS:
        rows = []
        for series in (series for series in result["series"] if series["name"] in wanted):
            for variant in series["variants"]:
                if variant["median"] > 0:
                    label = variant["title"] if len(wanted) == 1 else f"{variant['title']}, {series['column']}"
                    rows.append((label, variant["median"], plot.kind(variant["name"])))
        if rows:
            yield f"bench-{name}.svg", title, plot.bars(title, rows)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        whole = json.load(file)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(root, "docs")
    goals = [goal for result in whole["areas"] for goal in result["goals"]]
    packages = ", ".join(f"{name} {re.sub(r'^[0-9]+:', '', version)}" for name, version in whole["machine"]["packages"].items())
    text = HEAD.format(**{**whole["machine"], "packages": packages}, rounds=whole["rounds"], count=len(goals),
                       met=sum(goal["met"] is True for goal in goals), goals="\n".join(map(goal_row, goals)))
    shutil.rmtree(os.path.join(folder, "benchmarks", "missed"), ignore_errors=True)  # a goal that is met now has none
    for stale in glob.glob(os.path.join(folder, "benchmarks", "plans-*.md")):
        os.unlink(stale)
    for result in whole["areas"]:
        module = importlib.import_module(result["area"])
        text += f"\n## {module.TITLE}\n\n{module.__doc__.strip()}\n\n"
        for name, title, image in plots(result, module):
            write(os.path.join(folder, "images", name), image)
            text += f"![{title}](images/{name})\n\n"
        text += f"All figures: [benchmarks/{result['area']}.md](benchmarks/{result['area']}.md).\n"
        write(os.path.join(folder, "benchmarks", f"{result['area']}.md"), area_page(result, module.TITLE))
        for name, page in obstacles.pages(result):
            write(os.path.join(folder, "benchmarks", name), page)
        plans = result.get("plans", [])
        for page in dict.fromkeys(plan["page"] for plan in plans):
            write(os.path.join(folder, "benchmarks", plan_page(page)), plan_text([plan for plan in plans if plan["page"] == page], result["area"]))
    write(os.path.join(folder, "benchmarks.md"), text + METHOD)
    write(os.path.join(folder, "benchmarks", "figures.json"), json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()

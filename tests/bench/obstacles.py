"""What stands in the way of a goal: the reason from lab/obstacle.py, and the profile of the loads that it compares."""
from lab.obstacle import OBSTACLES
from lab.record import short

SHOWN = 0.01    # parts with less than this share are left out
LEAST = 0.5     # and differences of fewer microseconds


def reason(goal):
    """As a part of a sentence."""
    return OBSTACLES[goal["name"]]


def page(goal):
    return f"missed/{goal['name']}.md"


def link(goal):
    """What a missed goal's row says; figures of before there were profiles have none."""
    return reason(goal) + (f" ([profile](benchmarks/{page(goal)}))" if goal.get("profile") else "")


def scale(loads):
    """Microseconds for one transaction or answer, where every load counted them; else percent."""
    if all(load["server_us"] for load in loads):
        return "µs of the servers' processors for one", lambda load, share: short(share * load["server_us"])
    return "share of the servers' processor time", lambda load, share: f"{share * 100:.1f} %"


def table(loads):
    heading, show = scale(loads)
    last = loads[-1]
    yield f"| {heading} | " + " | ".join(load["title"] for load in loads) + " |"
    yield "|---|" + "--:|" * len(loads)

    def row(name, shares):
        return f"| {name} | " + " | ".join("–" if share is None else show(load, share) for load, share in zip(loads, shares)) + " |"
    if all(load["server_us"] for load in loads):
        yield row("all", [1] * len(loads))
    for part, share in last["parts"]:
        if share < SHOWN:
            continue
        yield row(f"**{part}**", [dict(load["parts"]).get(part) for load in loads])
        for where, name, _ in last["functions"]:
            if where == part:
                found = [{(w, n): s for w, n, s in load["functions"]}.get((where, name)) for load in loads]
                yield row(f"{part}: `{name}`", found)


def difference(loads):
    """What the last load takes more of than the first, by part."""
    if len(loads) < 2 or not all(load["server_us"] for load in loads):
        return None
    first, last = loads[0], loads[-1]
    more = {part: dict(last["parts"]).get(part, 0) * last["server_us"] - dict(first["parts"]).get(part, 0) * first["server_us"]
            for part in dict(first["parts"] + last["parts"])}
    whole = last["server_us"] - first["server_us"]
    parts = ", ".join(f"{part} {us:+.1f}" for part, us in sorted(more.items(), key=lambda item: -abs(item[1])) if abs(us) >= LEAST)
    return f"For one, \"{last['title']}\" takes {abs(whole):.1f} µs {'more' if whole >= 0 else 'less'} than \"{first['title']}\": {parts}."


def waits(loads):
    for load in loads:
        if load["waits"]:
            shares = ", ".join(f"{name} {share * 100:.0f} %" for name, share in load["waits"] if share >= SHOWN)
            yield f"- {load['title']}: {shares}"


def missed(result):
    return [goal for goal in result["goals"] if goal["met"] is False and goal.get("profile")]


def section(result):
    """Lines for the page of an area."""
    if missed(result):
        yield from ("## What stands in the way", "", "The load of each missed goal, run once more under perf:", "")
        yield from (f"- [{goal['text']}]({page(goal)})" for goal in missed(result))
        yield ""


def pages(result):
    """A page for each missed goal: its name below the area's page, and its text."""
    for goal in missed(result):
        yield page(goal), "\n".join(lines(goal, result["area"])) + "\n"


def lines(goal, area):
    yield from (f"# Missed: {goal['text']}", "", f"{reason(goal)[0].upper()}{reason(goal)[1:]}.", "")
    loads = [load for load in goal["profile"]["loads"] if "missing" not in load]
    for load in goal["profile"]["loads"]:
        if "missing" in load:
            yield from (f"No profile of \"{load['title']}\": {load['missing']}.", "")
    if loads:
        yield from (f"{goal['profile']['of']}.", "", *table(loads), "")
        told = difference(loads)
        if told:
            yield from (told, "")
        said = list(waits(loads))
        if said:
            yield from ("Sessions, running or waiting, looked at 20 times a second:", "", *said, "")
        yield from ("The same load, run once more under perf after the measured rounds: self time of the servers' processes by program or library, and the "
                    "twelve functions with most of it. A dash is less than those; \"(not exported)\" are functions of stripped libraries.", "")
    yield from ("## See also", "", f"[benchmarks.md](../../benchmarks.md), [{area}.md](../{area}.md)")

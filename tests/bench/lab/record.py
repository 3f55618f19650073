"""Series of variants, measured in turns, and the goals that their figures are held against.

A series compares variants of one thing. Its trials run interleaved: every round runs every variant once, in
an order that rotates, so that a machine that slows down slows all of them. A ratio is the median of the
ratios within rounds."""
import statistics
import sys
import time

from . import profile
from .load import Load

BUSY = 0.08      # others used more of the machine than this: noted
SPREAD = 1.3     # highest over lowest figure of a variant: noted


class Series:
    def __init__(self, name, title, unit, base, note, group, column):
        self.name, self.title, self.unit, self.base, self.note = name, title, unit, base, note
        self.group, self.column = group, column
        self.variants = {}

    def variant(self, name, title, trial=None):
        """A variant; its trial returns a figure, or several by name of which "figure" is the one compared."""
        self.variants[name] = {"title": title, "trial": trial, "figures": {}, "others": []}
        return self

    def add(self, name, figures, others):
        variant = self.variants[name]
        if not isinstance(figures, dict):
            figures = {"figure": figures}
        for key, value in figures.items():
            variant["figures"].setdefault(key, []).append(value)
        variant["others"].append(others)

    def values(self, name, key="figure"):
        return self.variants[name]["figures"].get(key, [])

    def median(self, name, key="figure"):
        values = self.values(name, key)
        return statistics.median(values) if values else None

    def ratios(self, name, base=None, key="figure"):
        pairs = zip(self.values(name, key), self.values(base or self.base, key))
        return [value / of for value, of in pairs if of]

    def ratio(self, name, base=None, key="figure"):
        ratios = self.ratios(name, base, key)
        return statistics.median(ratios) if ratios else None

    def result(self):
        variants = []
        for name, variant in self.variants.items():
            values = self.values(name)
            ratios = self.ratios(name) if self.base in self.variants else []
            variants.append({
                "name": name, "title": variant["title"],
                "median": self.median(name), "min": min(values), "max": max(values), "values": values,
                "ratio": statistics.median(ratios) if ratios else None,
                "ratio_min": min(ratios, default=None), "ratio_max": max(ratios, default=None),
                "more": {key: {"median": statistics.median(list_), "values": list_}
                         for key, list_ in variant["figures"].items() if key != "figure"},
                "others": max(variant["others"]),
                "spread": max(values) > SPREAD * min(values) if min(values) > 0 else False,
            })
        return {"name": self.name, "title": self.title, "unit": self.unit, "base": self.base, "note": self.note,
                "group": self.group, "column": self.column, "variants": variants}


class Lab:
    """One area's run. A trial under load lasts so many seconds; none means that it only has to work."""

    def __init__(self, area, rounds, quick, seconds, long=False):
        self.area, self.rounds, self.quick, self.seconds, self.long = area, rounds, quick, seconds, long
        self.list = []
        self.goals = []
        self.loads = {}
        self.plans = []
        self.facts = {}
        self.started = time.monotonic()

    def say(self, text):
        """Progress, on stderr: what is measured goes to stdout at the end."""
        print(f"{self.area:<11}{time.monotonic() - self.started:6.0f} s  {text}", file=sys.stderr, flush=True)

    def series(self, name, title, unit, base=None, note=None, group=None, column=None):
        """A series; those of one group are the columns of one table in the report."""
        made = Series(name, title, unit, base, note, group or title, column or unit)
        self.list.append(made)
        return made

    def measure(self, series_list, between=None):
        """Runs the trials of these series, interleaved in rounds; `between` runs before every round."""
        for number in range(self.rounds):
            if between is not None:
                between(number)
            for series in series_list:
                names = [name for name, variant in series.variants.items() if variant["trial"] is not None]
                turn = number % len(names)
                shown = []
                for name in names[turn:] + names[:turn]:
                    try:
                        with Load() as load:
                            figures = series.variants[name]["trial"]()
                    except Exception as error:
                        raise RuntimeError(f"{self.area}, {series.name}, {name}: {error}") from error
                    series.add(name, figures, load.others)
                    shown.append(f"{name} {short(series.values(name)[-1])}")
                self.say(f"round {number + 1}/{self.rounds}  {series.name}: {', '.join(shown)}")

    def goal(self, name, text, relation, wanted, figure, unit="", reason=None, loads=None, floor=None):
        """Holds a figure against a goal. A figure of None is one that this run did not measure: say why. The loads, a series and
        its variants, are those that explain() runs once more when the goal is missed. The floor is the same figure of a program that
        does nothing but what cannot be left out."""
        if self.quick:
            met, reason = None, "this was a quick run"
        elif figure is None:
            met = None
        else:
            met = figure >= wanted if relation == ">=" else figure <= wanted
        self.goals.append({"name": name, "text": text, "relation": relation, "wanted": wanted, "figure": figure,
                           "unit": unit, "met": met, "reason": reason, "floor": floor, "profile": None})
        if loads is not None:
            self.loads[name] = loads

    def plan(self, page, title, way, text):
        """How the server goes about a statement, for a page of the report."""
        self.plans.append({"page": page, "title": title, "way": way, "text": text})

    def explain(self):
        """Profiles what missed its goal; a quick run does it for one, to show that it works. While the servers still run. A trial
        that is a difference names the loads that it is the difference of."""
        missed = [goal for goal in self.goals if goal["name"] in self.loads and (self.quick or goal["met"] is False)]
        missed = missed[:1] if self.quick else missed
        reason = profile.missing() if missed else None
        if reason:
            self.say(f"no profiles: {reason}")
        known = {}
        for goal in missed:
            series, *names = self.loads[goal["name"]]
            loads = []
            for name in names:
                key = series.name, name
                if key not in known:
                    self.say(f"profile  {series.name}: {name}")
                    variant = series.variants[name]
                    parts = getattr(variant["trial"], "loads", None) or ((variant["title"], variant["trial"]),)
                    known[key] = [{"title": title, **({"missing": reason} if reason else profile.record(load, max(1, self.seconds)))}
                                  for title, load in parts]
                loads += known[key]
            goal["profile"] = {"of": series.title, "loads": loads}

    def result(self):
        return {"area": self.area, "rounds": self.rounds, "seconds": round(time.monotonic() - self.started, 1), "facts": self.facts,
                "series": [series.result() for series in self.list], "goals": self.goals, "plans": self.plans}


def short(value):
    """A figure with three significant digits, or all that stand before the point."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"

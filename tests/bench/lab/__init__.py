"""What every area of the benchmark shares: throw-away clusters, rounds in which the variants take turns,
the CPU that others used meanwhile, and the tables.

The gateway, the folders and the user that servers run as come from tests/server/fixture."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "server"))

from . import machine, plan, profile, scheduling, table, tenant  # noqa: E402,F401
from .cluster import Cluster  # noqa: E402,F401
from .load import Load  # noqa: E402,F401
from .record import Lab  # noqa: E402,F401

"""Every statement that a commit may be followed by, in the order in which they must run.

Whoever waited is woken first; then the lanes move on, so that the woken find their place in the same commit.
"""

from accordant.backbone import exceptions, lanes, waits

FOLLOW_UPS = {**waits.FOLLOW_UPS, **lanes.FOLLOW_UPS, **exceptions.FOLLOW_UPS}

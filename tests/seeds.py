# SPDX-License-Identifier: Apache-2.0
"""Which made-up cases a run takes. A suite takes the same ones in each run, so that what fails there is of the change at hand; a run that asks for
so many (GECKOTAPE_CASES=N) begins with others each time. GECKOTAPE_SEED=N begins with that one."""
import os
import random

IS_LONG = bool(os.environ.get("GECKOTAPE_CASES"))
FIRST_SEED = int(os.environ.get("GECKOTAPE_SEED") or (random.SystemRandom().randrange(10**9) if IS_LONG else 1))


def seeds(n):
    """n of them in a suite; each case has its own in its name."""
    return range(FIRST_SEED, FIRST_SEED + int(os.environ.get("GECKOTAPE_CASES") or n))

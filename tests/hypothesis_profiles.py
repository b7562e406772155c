"""How many examples Hypothesis tries: few at each run of the suite, many where somebody asks.

`make test ARGS=--hypothesis-profile=thorough` asks. A test with slow examples takes a share of
`settings().max_examples`.
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES, THOROUGH = 40, 1000

# On a machine that others use an example may take any time.
settings.register_profile(
    "default",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile(
    "thorough", settings.get_profile("default"), max_examples=THOROUGH, derandomize=False
)
settings.load_profile("ci" if "CI" in os.environ else "default")

# SPDX-License-Identifier: Apache-2.0
"""One message to a thousand recipients: each gets exactly one copy, their own."""

import collections
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

N = 1000
PEOPLE = {f"person{n}@example.com": f"Name{n:04d}x" for n in range(N)}


@tap.case
def each_of_a_thousand_gets_one_copy(world):
    world.merganser.import_profiles([
        {"address": address, "first_name": name, "consent": {"receive": True}}
        for address, name in PEOPLE.items()])
    world.send_and_wait(campaign(number="thousand", to="Everybody <all@sandbox.test>",
                                 plain="Hi {FirstName}\n", html="<p>{FirstName}</p>",
                                 subject="For {FirstName}"), list(PEOPLE))
    deliveries = world.sink.deliveries()
    counts = collections.Counter(d.recipient for d in deliveries)
    tap.equal(len(deliveries), N, "copies")
    tap.equal(set(counts), set(PEOPLE), "recipients")
    tap.equal(set(counts.values()), {1}, "copies per recipient")
    for delivery in deliveries:
        name = PEOPLE[delivery.recipient]
        tap.equal(str(delivery.message()["Subject"]), f"For {name}", "subject")
        tap.equal(delivery.data.count(b"Name"), 3, f"names in the copy of {name}")
        tap.equal(delivery.data.count(name.encode()), 3, f"own name in the copy of {name}")
    tap.equal(len(world.merganser.why("person0@example.com")), 1, "records")


tap.main(lambda: mta_world(NO_CAP))

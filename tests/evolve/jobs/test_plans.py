"""Plans as JSON."""

from __future__ import annotations

import json

import pytest

from evolve.jobs.plans import plan_from_json
from tests.plans import a_seed


@pytest.mark.parametrize(("ask", "stored"), [("", False), ("terminal", True), ("page", "page")])
def test_where_a_person_decides_is_stored_as_in_the_first_versions(ask, stored):
    plan = a_seed(ask=ask)
    told = json.loads(json.dumps(plan.to_json()))
    assert told["ask"] is stored or told["ask"] == stored == "page"
    assert plan_from_json("seed", told) == plan
    del told["ask"]
    assert plan_from_json("seed", told) == a_seed()


def test_templates_are_stored_only_where_there_are_some():
    plan = a_seed(templates=("a {}", "my {}"))
    told = json.loads(json.dumps(plan.to_json()))
    assert told["request"]["templates"] == ["a {}", "my {}"] and plan_from_json("seed", told) == plan
    assert plan.request["templates"] == ("a {}", "my {}")
    assert "templates" not in json.dumps(a_seed().to_json()) and "templates" not in a_seed().request

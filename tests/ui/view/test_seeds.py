"""A seed with a die and a lock."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def one_field(first) -> AppTest:
    """A page with one field, and a button that uses the seed."""

    def script(first):
        import streamlit as st

        from ui.view import seeds

        shown = seeds.field("s", 0, 10**9, first) if st.toggle("shown", True, key="shown") else None
        if st.button("use", key="use"):
            st.write(f"used {shown}")
            seeds.used("s", 10**9)

    return AppTest.from_function(script, args=(first,)).run()


def seed(app: AppTest) -> int:
    assert not app.exception
    return app.number_input(key="s").value


def test_a_locked_seed_stays_and_the_die_rolls_it():
    app = one_field(7)
    assert seed(app) == 7 and app.button(key="icon.s.lock").icon == ":material/lock:"
    assert seed(app.button(key="use").click().run().run()) == 7
    assert seed(app.button(key="icon.s.die").click().run()) != 7
    assert app.button(key="icon.s.lock").icon == ":material/lock:"


def test_an_open_lock_rolls_after_each_use_and_uses_the_seed_that_is_shown():
    app = one_field(None)
    shown = seed(app)
    app.button(key="use").click().run()
    assert f"used {shown}" in [each.value for each in app.markdown]
    assert seed(app.run()) != shown
    app.button(key="icon.s.lock").click().run()
    kept = seed(app)
    assert seed(app.button(key="use").click().run().run()) == kept
    app.button(key="icon.s.lock").click().run()
    app.button(key="use").click().run()
    assert seed(app.run()) != kept


def test_a_typed_seed_stays_when_the_field_was_away():
    app = one_field(7)
    app.number_input(key="s").set_value(12).run()
    app.toggle(key="shown").set_value(False).run()
    assert seed(app.toggle(key="shown").set_value(True).run()) == 12

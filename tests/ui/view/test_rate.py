"""The user study: sessions, questions without names, results."""

from __future__ import annotations

import math

from filelock import FileLock
from streamlit.testing.v1 import AppTest

import evolve.store.ratings
from evolve import Run
from evolve.store.ratings import answer, answers, new_session, sessions
from tests.families import by_letter, new_run, picture
from tests.pages import addresses, alts, page, text

QUESTION = "How new is it?"


def rate(**query: str) -> AppTest:
    app = page("rate", run="pets", kind="study", **query).run()
    assert not app.exception
    return app


def begun(run: Run, mode: str = "scale", letters: str = "abc", rater: str = "ann"):
    each = by_letter(run)
    sets = {each[letter].id: [d.file.name for d in run.drawings(each[letter].id)] for letter in letters}
    return new_session(run, rater, mode, sets, QUESTION, 1)


def click(app: AppTest, value: int) -> AppTest:
    app.button(key=f"rate.answer.{value}").click().run()
    assert not app.exception
    return app


def labels(app: AppTest) -> dict[str, bool]:
    return {button.key: button.disabled for button in app.button}


def test_the_page_opens_on_what_do_you_like_and_keeps_the_choice_in_the_address(run):
    app = page("rate", run="pets").run()
    assert not app.exception and "Tap the concepts that you like" in text(app) and "New session" not in text(app)
    (kind,) = [each for each in app.get("button_group") if each.key == "rate.kind"]
    assert kind.value == "taste"
    app.session_state["rate.kind"] = "study"
    app.run()
    assert "New session" in text(app)


def test_links_back_to_the_study_lead_to_the_study(run):
    for query in ({"session": begun(run).id}, {"session": "0" * 12}):
        told = [each.proto.query_string for each in rate(**query).get("page_link") if "rate" in each.proto.page]
        assert told and all("kind=study" in each for each in told)


def test_a_session_is_begun(run, ids):
    app = rate()
    assert labels(app)["rate.begin"]  # without a rater
    app.text_input(key="rate.rater").set_value("ann").run()
    app.multiselect(key="rate.concepts.pets").set_value([ids["a"], ids["b"]]).run()
    assert "Start with 2 questions" in app.button(key="rate.begin").label
    app.number_input(key="rate.seed").set_value(5).run()
    app.button(key="rate.begin").click().run()
    assert not app.exception
    (session,) = sessions(run)
    assert (session.rater, session.mode, session.seed, set(session.concepts)) == (
        "ann",
        "scale",
        5,
        {ids["a"], ids["b"]},
    )
    assert "pet that is unlike the known ones" in session.question
    assert "Question 1 of 2" in app.get("progress")[0].proto.text and session.question in text(app)


def test_pairs_are_every_one_against_every_other(run, ids):
    app = rate()
    app.text_input(key="rate.rater").set_value("ann").run()
    app.session_state["rate.mode"] = "pairs"
    app.run()
    assert f"Start with {math.comb(8, 2)} questions" in app.button(key="rate.begin").label
    app.multiselect(key="rate.concepts.pets").set_value([ids["a"]]).run()
    assert labels(app)["rate.begin"]  # one alone makes no pair


def test_drawings_that_are_missing_are_told_before_it_begins(run, ids):
    run.add_drawings([(ids["a"], "a sketch of a {}", 1, picture(50))])
    app = rate()
    app.text_input(key="rate.rater").set_value("ann").run()
    app.multiselect(key="rate.concepts.pets").set_value([ids["a"], ids["b"]]).run()
    (prompts,) = [each for each in app.multiselect if each.key.startswith("rate.prompts")]
    assert prompts.value == [("a photo of a {}", 1)]
    prompts.set_value([("a photo of a {}", 1), ("a sketch of a {}", 1)]).run()
    assert "1 of these drawings is missing" in text(app) and labels(app)["rate.begin"]
    app.button(key="rate.draw").click().run()
    assert "needs the stack tiny-1" in text(app)


def test_nothing_on_the_page_tells_whose_drawings_they_are(run, ids):
    for mode in ("scale", "pairs"):
        app = rate(session=begun(run, mode).id)
        told = " ".join([text(app), *alts(app), *addresses(app), *(button.label for button in app.button)])
        for each in run.entries():
            assert each.name not in told.split() and each.id not in told
        assert QUESTION in told and "drawing 1" in told


def test_every_answer_is_kept_at_once_and_leads_to_the_next_question(run):
    session = begun(run)
    app = rate(session=session.id)
    for number, value in enumerate((4, 1, 5)):
        assert f"Question {number + 1} of 3" in app.get("progress")[0].proto.text
        click(app, value)
        assert [each.value for each in answers(run)] == [4, 1, 5][: number + 1]
    assert "All questions are answered: 3 answers saved" in text(app)
    assert [each.concepts for each in answers(run)] == [each.concepts for each in session.questions()]


def test_a_or_b(run):
    session = begun(run, "pairs", "ab")
    app = rate(session=session.id)
    assert text(app).count("drawing") == 0 and len(alts(app)) == 2
    click(app, 2)
    (given,) = answers(run)
    assert given.value == 2 and given.concepts == session.questions()[0].concepts


def test_it_is_gone_on_with_from_the_first_page(run):
    session = begun(run)
    click(rate(session=session.id), 4)
    app = rate()
    assert "ann, 1 to 5, 2 questions left" in text(app)
    assert "Question 2 of 3" in rate(session=session.id).get("progress")[0].proto.text


def test_the_one_before_can_be_answered_again(run):
    session = begun(run)
    app = click(rate(session=session.id), 4)
    app.button(key="rate.before").click().run()
    assert "Question 1 of 3" in app.get("progress")[0].proto.text
    click(app, 2)
    assert [each.value for each in answers(run)] == [2]
    assert "Question 2 of 3" in app.get("progress")[0].proto.text
    assert labels(rate(session=begun(run).id))["rate.before"]  # there is none before the first


def test_also_after_the_last(run):
    session = begun(run, letters="a")
    app = click(rate(session=session.id), 4)
    app.button(key="rate.before").click().run()
    click(app, 3)
    assert [each.value for each in answers(run)] == [3] and "All questions are answered: 1 answer saved" in text(app)


def test_an_answer_that_cannot_be_kept_is_told_and_asked_again(run, monkeypatch):
    monkeypatch.setattr(evolve.store.ratings, "WAIT", 0.1)
    session = begun(run)
    app = rate(session=session.id)
    with FileLock(run.folder / ".lock"):
        click(app, 4)
        assert "is being written by" in text(app)
    assert not answers(run) and "Question 1 of 3" in app.get("progress")[0].proto.text
    assert [each.value for each in answers(run)] == [] and "is being written" not in text(click(app, 4))


def test_a_session_that_is_not_there(run):
    assert "There is no such session in this run" in text(rate(session="0" * 12))


def test_a_picture_that_is_gone_is_told(run, ids):
    session = begun(run, letters="a")
    run.drawings(ids["a"])[0].file.unlink()
    app = rate(session=session.id)
    assert "1 drawing is missing here" in text(app) and not alts(app)


def test_results_have_means_and_shares_with_intervals(run, ids):
    for rater, value in (("ann", 4), ("bob", 5)):
        session = begun(run, letters="a", rater=rater)
        answer(run, session, session.questions()[0], value)
    session = begun(run, "pairs", "ab")
    answer(run, session, session.questions()[0], 1)
    app = rate()
    found = text(app)
    assert "3 answers in 3 sessions by 2 raters" in found and "Student’s t" in found and "Wilson" in found
    assert "Table 1 of the paper: 4.50 ± 0.71 in 2 answers." in found
    mean, share = [each.value.to_dict("records") for each in app.dataframe]
    assert mean[0]["concept"] == run.entry(ids["a"]).name and (mean[0]["mean"], mean[0]["answers"]) == (4.5, 2)
    assert 1 <= mean[0]["low"] < 4.5 < mean[0]["high"] <= 5
    assert {row["wins"] for row in share} == {0, 1} and all(0 <= row["low"] <= row["high"] <= 1 for row in share)
    app.multiselect(key="rate.only").set_value(["ann"]).run()
    assert app.dataframe[0].value.to_dict("records")[0]["mean"] == 4.0
    assert len(app.get("download_button")) == 1


def test_a_run_without_drawings_and_one_with_torn_answers(run, tmp_path):
    new_run(tmp_path / "empty")
    for kind in ("study", "taste"):
        app = page("rate", run="empty", kind=kind).run()
        assert not app.exception and "This run has no drawings yet" in text(app)
    study = new_run(tmp_path / "study")
    drawings = [d.file.name for d in run.drawings()][:1]
    new_session(study, "ann", "scale", {"one": drawings}, QUESTION, 1)
    found = text(page("rate", run="study").run())
    assert "ann, 1 to 5, 1 question left" in found and "no drawings" not in found
    session = begun(run)
    for question in session.questions()[:2]:
        answer(run, session, question, 3)
    part = run.rooms["ratings"].parts()[0]
    part.write_bytes(part.read_bytes()[:30])
    assert "cannot be read" in text(rate()) and "1 answer in 1 session" in text(rate())


def test_a_raters_label_is_text(run):
    rater = "<img src=x onerror=alert(1)> :red[x]"
    session = begun(run, rater=rater)
    answer(run, session, session.questions()[0], 3)
    app = rate()
    assert "<img src=x onerror=alert…" in text(app) or rater[:28] in text(app)
    assert not [each for each in app.markdown if each.allow_html and "onerror" in each.value]

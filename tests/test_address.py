"""What the server puts into the address, where the browser's own is behind: without a browser, run by run."""

import pytest
from streamlit.runtime.state.query_params import QueryParams
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.pages


def page() -> None:
    from cnnviz.ui import address, history  # noqa: PLC0415 - the script of a page

    history.at("a")
    history.tidy()
    address.kept("x", "one")
    address.kept("y")
    history.opened()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the browser is told of its address, message by message."""
    found: list[dict[str, object]] = []
    monkeypatch.setattr(QueryParams, "_send_query_param_msg", lambda self: found.append(dict(self._query_params)))
    return found


# what the browser's address says when a run begins, what was chosen, and what the address is told to be in the end
STEPS = [
    ([({}, {}, None)]),
    ([({}, {"x": "two"}, {"x": "two"})]),
    ([({"x": "one"}, {}, None)]),  # a link may name the default
    ([({"x": "two"}, {"x": "one"}, {})]),
    ([({}, {"x": "two"}, {"x": "two"}), ({"x": "two"}, {"x": "one"}, {})]),
    # the browser has not got the last message yet
    ([({}, {"x": "two"}, {"x": "two"}), ({}, {"x": "one"}, {})]),
    ([({}, {"x": "two"}, {"x": "two"}), ({}, {"y": "b"}, {"x": "two", "y": "b"})]),
    ([({"x": "two"}, {"x": "three"}, {"x": "three"}), ({"x": "two"}, {"x": "two"}, {"x": "two"})]),
    ([({}, {"x": "two"}, {"x": "two"}), ({}, {"x": "one"}, {}), ({"x": "two"}, {"y": "b"}, {"y": "b"})]),
]


@pytest.mark.parametrize("runs", STEPS)
def test_the_address_ends_as_the_page_has_it_however_late_the_browser_hears(
    runs: list[tuple[dict[str, str], dict[str, str], dict[str, str] | None]], sent: list[dict[str, object]]
) -> None:
    app = AppTest.from_function(page)
    for name, value in runs[0][0].items():
        app.query_params[name] = value
    app.run()
    for begins, chosen, ends in runs:
        sent.clear()
        app.query_params.clear()
        app.query_params.update(begins)
        for name, value in chosen.items():
            app.session_state[name] = value
        app.run()
        assert not app.exception
        assert (sent[-1] if sent else None) == ends

"""Charts: numbers in, a figure of plotly and a table of the same numbers out. Pages write no chart code.

Colours come from the stylesheet, in the browser; a series may say what it means with a `Tone` instead.

    chart = time_series("Spend", filters.buckets(), {"Spend": [0.1, 0.2]}, MONEY, step=filters.step)
    {{ ui.chart(chart) }}      in the template, after {% import "ui.html" as ui with context %}
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

from payi_otel.server.portal.formats import CALLS, Number, Unit, day, moment

Kind = Literal["lines", "bars", "stacked"]
Tone = Literal["good", "bad", "muted"]

_STEP_TITLES = {"hour": "hour", "day": "day", "month": "month"}
_MOST_LABEL = 28
_ROOM = 1.3


@dataclass(frozen=True, slots=True)
class Mark:
    """A dotted line across a chart of time: something changed at `at`, a new version for example."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as JSON, what it says in a sentence, and its numbers as a table of texts.

    `is_empty`: no number in it is above 0, so that the page says so instead of showing bare axes. `links`: where
    the names in the first column lead, by name.
    """

    title: str
    figure: str
    summary: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_empty: bool
    links: Mapping[str, str] = field(default_factory=dict[str, str])


def time_series(
    title: str,
    times: Sequence[datetime],
    series: Mapping[str, Sequence[Number | None]],
    unit: Unit,
    *,
    step: str = "day",
    kind: Kind = "lines",
    marks: Sequence[Mark] = (),
    goal: Number | None = None,
    tones: Mapping[str, Tone] | None = None,
) -> Chart:
    """Numbers over time. `times` are those of `Filters.buckets()`, in the viewer's zone; None makes a gap.

    `goal` draws a line across; `marks` are drawn where they lie between the first and the last time.

    >>> from datetime import timezone
    >>> from payi_otel.server.portal.formats import MONEY
    >>> chart = time_series("Spend", [datetime(2026, 11, 1, tzinfo=timezone.utc)], {"Spend": [0.5]}, MONEY)
    >>> chart.summary, chart.rows
    ('Spend by day: Spend, at most $0.50 on 1 Nov 2026.', [['1 Nov 2026', '$0.50']])
    """
    labels = [_label(at, step) for at in times]
    x = [_local(at) for at in times]
    figure = _figure(_STEP_TITLES[step], unit)
    for name, numbers in series.items():
        values = [_float(number) for number in numbers]
        common: dict[str, Any] = {
            "x": x,
            "y": values,
            "name": _plain(name),
            "meta": _meta(tones, name),
            "customdata": [
                f"{label}: {unit.text(number)}" for label, number in zip(labels, numbers, strict=True)
            ],
            "hovertemplate": "%{customdata}<extra>%{fullData.name}</extra>",
        }
        # A lone point has no line to be seen by.
        points = "lines+markers" if len(times) <= 31 else "lines"
        trace = go.Scatter(mode=points, **common) if kind == "lines" else go.Bar(**common)
        figure.add_trace(trace)
    figure.update_layout(
        barmode="stack" if kind == "stacked" else "group",
        showlegend=len(series) > 1 or goal is not None,
        xaxis={"type": "date"},
        yaxis={"rangemode": "tozero"},
    )
    for mark in marks:
        if times and times[0] <= mark.at:
            _add_mark(figure, mark)
    if goal is not None and x:
        _add_goal(figure, x, goal, unit)
    rows = [
        [label, *(unit.text(numbers[index]) for numbers in series.values())]
        for index, label in enumerate(labels)
    ]
    return Chart(
        title=title,
        figure=_json(figure),
        summary=f"{title} by {_STEP_TITLES[step]}: {_peaks(labels, series, unit)}",
        headers=[_headline(step), *series],
        rows=rows,
        is_empty=not any(number for numbers in series.values() for number in numbers),
    )


def bars(
    title: str,
    values: Mapping[str, Number | None],
    unit: Unit,
    *,
    of: str,
    tones: Mapping[str, Tone] | None = None,
    links: Mapping[str, str] | None = None,
) -> Chart:
    """One horizontal bar for each name, in the order given, the first on top. `of` says what the names are.

    A click on the bar of a name that has a link follows it.

    >>> from payi_otel.server.portal.formats import MONEY
    >>> bars("Spend by model", {"gpt-5": 2, "gpt-4o": 1}, MONEY, of="model").rows
    [['gpt-5', '$2.00'], ['gpt-4o', '$1.00']]
    """
    figure = _figure("", unit)
    texts = [unit.text(number) for number in values.values()]
    figure.add_trace(
        go.Bar(
            orientation="h",
            x=[_float(number) for number in values.values()],
            # Their places, not their names: two long names may look the same when they are cut.
            y=list(range(len(values))),
            name=title,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            customdata=[_plain(f"{name}: {text}") for name, text in zip(values, texts, strict=True)],
            hovertemplate="%{customdata}<extra></extra>",
            meta={
                "tones": [(tones or {}).get(name) for name in values],
                "links": [(links or {}).get(name) for name in values],
            },
        )
    )
    figure.update_layout(
        showlegend=False,
        height=90 + 34 * max(1, len(values)),
        xaxis=_axis(unit) | {"range": _with_room(values.values())},
        yaxis={
            "title": {"text": of},
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
            "tickvals": list(range(len(values))),
            "ticktext": [_short(name) for name in values],
            "tickprefix": "",
            "ticksuffix": " ",
            "tickformat": "",
        },
    )
    return Chart(
        title=title,
        figure=_json(figure),
        summary=f"{title}: "
        + "; ".join(f"{name} {text}" for name, text in zip(values, texts, strict=True))
        + ".",
        headers=[_headline(of), _headline(unit.title)],
        rows=[[name, text] for name, text in zip(values, texts, strict=True)],
        is_empty=not any(values.values()),
        links=links or {},
    )


def histogram(
    title: str,
    counts: Mapping[str, int],
    *,
    of: str,
    unit: Unit = CALLS,
    average: Number | None = None,
    goal: Number | None = None,
    position: Mapping[str, Number] | None = None,
    tones: Mapping[str, Tone] | None = None,
) -> Chart:
    """How many fell into each range, in the order given. `of` names what the ranges are of, with its unit.

    `unit` is what is counted. `average` and `goal` are drawn as lines where `position` says at which of the bars
    they stand: 0 is the middle of the first bar, 1.5 between the second and the third.

    >>> histogram("Likert", {"1": 2, "2": 8}, of="score", average=1.8, position={"average": 0.8}).rows
    [['1', '2', '20 %'], ['2', '8', '80 %']]
    """
    total = sum(counts.values())
    shares = [f"{number / total * 100:.3g} %" if total else "-" for number in counts.values()]
    figure = _figure(of, unit)
    figure.add_trace(
        go.Bar(
            x=list(range(len(counts))),
            y=list(counts.values()),
            name=title,
            text=[f"{number:,}" if number else "" for number in counts.values()],
            # In the bar where it fits: the lines go behind bars, and would cross what is written above them.
            textposition="auto",
            insidetextanchor="end",
            textangle=0,
            cliponaxis=False,
            customdata=[
                _plain(f"{name}: {number:,} ({share})")
                for (name, number), share in zip(counts.items(), shares, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            meta={"tones": [(tones or {}).get(name) for name in counts]},
        )
    )
    figure.update_layout(
        showlegend=False,
        bargap=0.08,
        xaxis={"tickvals": list(range(len(counts))), "ticktext": [_short(name) for name in counts]},
        yaxis={"rangemode": "tozero"},
    )
    lines = {"average": average, "goal": goal}
    places = {name: float(place) for name, place in (position or {}).items() if lines[name] is not None}
    for index, name in enumerate(sorted(places, key=lambda name: places[name])):
        figure.add_vline(
            x=places[name],
            name=name,
            layer="below",
            line={"dash": "dot" if name == "goal" else "solid"},
            # To different sides: close together their words would lie on one another.
            annotation={
                "text": name,
                "yanchor": "bottom",
                "xanchor": "right" if index == 0 and len(places) > 1 else "left",
            },
        )
    rows = [
        [name, f"{number:,}", share] for (name, number), share in zip(counts.items(), shares, strict=True)
    ]
    return Chart(
        title=title,
        figure=_json(figure),
        summary=f"{title}: " + "; ".join(f"{name} {number}" for name, number, _ in rows) + ".",
        headers=[_headline(of), _headline(unit.title), "Share"],
        rows=rows,
        is_empty=total == 0,
    )


def _figure(x_title: str, unit: Unit) -> Any:
    return go.Figure(
        layout={
            "template": None,
            "height": 300,
            "margin": {"l": 8, "r": 12, "t": 26, "b": 8},
            "hovermode": "closest",
            "xaxis": {"title": {"text": x_title}, "automargin": True},
            "yaxis": _axis(unit),
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        }
    )


def _axis(unit: Unit) -> dict[str, Any]:
    return {
        "title": {"text": unit.title},
        "automargin": True,
        "tickprefix": unit.prefix,
        "ticksuffix": unit.suffix,
        "tickformat": unit.ticks,
        "exponentformat": "none",
        "separatethousands": True,
        "nticks": 6,
    }


def _add_mark(figure: Any, mark: Mark) -> None:
    at = _local(mark.at)
    figure.add_shape(
        type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line={"dash": "dot", "width": 1}, name="mark"
    )
    figure.add_annotation(
        x=at,
        y=1,
        yref="paper",
        text=_plain(mark.text),
        showarrow=False,
        xanchor="left",
        yanchor="top",
        name="mark",
    )


def _add_goal(figure: Any, x: Sequence[str], goal: Number, unit: Unit) -> None:
    # Named in the legend: words at the line would lie on the numbers that are near it.
    figure.add_trace(
        go.Scatter(
            x=[x[0], x[-1]],
            y=[float(goal)] * 2,
            mode="lines",
            name=f"goal {unit.text(goal)}",
            line={"dash": "dash", "width": 1},
            meta={"tone": "good"},
            hoverinfo="skip",
        )
    )


def _peaks(labels: Sequence[str], series: Mapping[str, Sequence[Number | None]], unit: Unit) -> str:
    parts: list[str] = []
    for name, numbers in series.items():
        known = [(number, label) for number, label in zip(numbers, labels, strict=True) if number is not None]
        if not known:
            parts.append(f"{name}, no numbers")
            continue
        most, when = max(known, key=lambda pair: pair[0])
        parts.append(f"{name}, at most {unit.text(most)} on {when}")
    return "; ".join(parts) + "."


def _label(at: datetime, step: str) -> str:
    return moment(at) if step == "hour" else f"{at:%b %Y}" if step == "month" else day(at)


def _local(at: datetime) -> str:
    # Without its zone, which plotly would drop: the chart's axis is that of the viewer's clock.
    return at.replace(tzinfo=None).isoformat()


def _meta(tones: Mapping[str, Tone] | None, name: str) -> dict[str, Any]:
    return {"tone": (tones or {}).get(name)}


def _short(name: str) -> str:
    return _plain(name if len(name) <= _MOST_LABEL else name[: _MOST_LABEL - 1] + "…")


def _plain(text: str) -> str:
    """Names as they are: plotly would take tags in them for its own, links included."""
    return html.escape(text, quote=False)


def _with_room(numbers: Iterable[Number | None]) -> list[float]:
    """From 0 to beyond the longest bar, so that there is room for what is written at its end."""
    known = [float(number) for number in numbers if number is not None]
    lowest, highest = min(known, default=0.0), max(known, default=0.0)
    return [min(0.0, lowest * _ROOM), max(0.0, highest * _ROOM)]


def _headline(text: str) -> str:
    return text[:1].upper() + text[1:]


def _float(number: Number | None) -> float | None:
    return float(number) if isinstance(number, Decimal) else number


def _json(figure: Any) -> str:
    return figure.to_json()

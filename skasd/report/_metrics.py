"""What Prometheus reads of a monitor, in its text format 0.0.4."""

from skasd._version import __version__
from skasd.report._live_events import LiveEvents

KIND = "text/plain; version=0.0.4; charset=utf-8"

VERDICTS = ("normal", "anomalous", "not scored")


def write_metrics(events: LiveEvents) -> str:
    r"""Write what a monitor has counted and said last.

    Parameters
    ----------
    events : LiveEvents
        What is known about it. Counters are of this run; Prometheus knows that they start anew.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.report._live_events import LiveEvents
    >>> from skasd.report._metrics import write_metrics
    >>> print("\n".join(write_metrics(LiveEvents()).splitlines()[3:7]))
    # HELP skasd_windows_total Windows or clips since the monitor started, by verdict.
    # TYPE skasd_windows_total counter
    skasd_windows_total{verdict="normal"} 0
    skasd_windows_total{verdict="anomalous"} 0
    """
    counts = events.counts
    lines: list[str] = []

    def metric(name: str, kind: str, meaning: str, samples: dict[str, float | None]) -> None:
        known = {labels: value for labels, value in samples.items() if value is not None}
        if known:
            lines.extend((f"# HELP skasd_{name} {meaning}", f"# TYPE skasd_{name} {kind}"))
            lines.extend(f"skasd_{name}{labels} {value}" for labels, value in known.items())

    metric("build_info", "gauge", "The version of skasd.", {f'{{version="{__version__}"}}': 1})
    metric(
        "windows_total",
        "counter",
        "Windows or clips since the monitor started, by verdict.",
        {f'{{verdict="{name.replace(" ", "_")}"}}': counts[name] for name in VERDICTS},
    )
    metric(
        "alarm_changes_total",
        "counter",
        "How often the alarm was raised and cleared since the monitor started.",
        {f'{{change="{name}"}}': counts[name] for name in ("raised", "cleared")},
    )
    seen = events.seen
    if seen:
        (event, when) = seen[-1]
        score = None if event.error is not None else event.anomaly_score
        stamp = None if when is None else when.timestamp()
        metric("alarm", "gauge", "Whether the alarm is up.", {"": int(event.alarm)})
        metric("anomaly_score", "gauge", "Anomaly score of the last window.", {"": score})
        metric(
            "anomaly_threshold",
            "gauge",
            "Anomaly score above which a window is anomalous.",
            {"": event.threshold},
        )
        metric(
            "p_value",
            "gauge",
            "Share of healthy windows that sound as odd as the last one.",
            {"": event.p_value},
        )
        metric(
            "last_window_timestamp_seconds",
            "gauge",
            "When the last window was scored, in Unix time.",
            {"": stamp},
        )
    return "\n".join(lines) + "\n"

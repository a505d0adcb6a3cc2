"""The printed labels of measures, in the bulletin, on the pages and in the audit report.

Only labels belong here; `catalogue.measures` defines what a measure counts.
"""

from collections.abc import Iterable

from orchestration.catalogue.tables import column_labels
from orchestration.publish.bulletin.model import APPENDIX_1, APPENDIX_2, APPENDIX_3
from orchestration.publish.pages.words import TERMS, names_of

# Measures of controls that aren't a column of a mart.
MORE_LABELS = {
    "rejected_count": "拒收行数",
    "changed_figure_count": "改变的数字个数",
    "handled_excess_count": "办理数超出应办理数",
    "on_time_excess_count": "按期办理数超出办理数",
    "rework_excess_count": "返工数超出应办理数",
    "dissatisfied_excess_count": "回访不满意数超出回访数",
    "callback_excess_count": "回访数超出应办理数",
    "appendix_1_row_count": "附件1印出次数",
    "appendix_2_row_count": "附件2印出次数",
    "appendix_3_row_count": "附件3印出次数",
}
APPENDICES = {"hotline": APPENDIX_1, "mailbox": APPENDIX_2, "suggestion": APPENDIX_3}


def chinese_labels() -> dict[str, str]:
    """The Chinese label of each measure by its code."""
    return column_labels() | MORE_LABELS


def labels_of(measure: str) -> set[str]:
    """Every label that we print for a measure, folded for comparison.

    Args:
        measure: a measure's code; of all channels, unless a channel precedes it
            (`mailbox.due_count`).
    """
    prefix, _, column = measure.rpartition(".")
    channels = [prefix] if prefix in APPENDICES else list(APPENDICES)
    printed = {
        entry.label
        for channel in channels
        for entry in APPENDICES[channel]
        if entry.measure == column
    }
    printed |= {*(names_of(column) or ()), MORE_LABELS.get(column, column)}
    printed |= {f"{prefix}.{label}" for label in printed} if prefix else set()
    printed |= {TERMS[channel][0] + label for channel in channels for label in printed}
    return {label.casefold() for label in printed}


def meant(text: str, known: Iterable[str]) -> list[str]:
    """The known measures that a code or a printed label stands for: none, one or several."""
    measures = list(dict.fromkeys(known))
    if text in measures:
        return [text]
    return [measure for measure in measures if text.strip().casefold() in labels_of(measure)]

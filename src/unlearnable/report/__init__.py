"""The record of a measurement, its figures, and the page that shows them."""

from unlearnable.report.html import page
from unlearnable.report.record import Record
from unlearnable.report.saving import save
from unlearnable.report.text import sentence, table

__all__ = ["Record", "page", "save", "sentence", "table"]

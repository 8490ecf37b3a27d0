"""Online Retail: a year of purchases from a gift shop (CC0), cleaned by rules that its report counts.

The file holds every line of every invoice. What is no purchase of a product by a known customer is rejected, for
the first of these reasons that holds:

- "no customer": the line names nobody (mostly sales through other channels);
- "cancellation": the invoice begins with C (these are all the customers' lines of negative quantity). The purchase
  that it cancels stays: the customer wanted the product when buying it, and the file does not link the two;
- "no product": postage, carriage, packing, bank charges, fees, discounts, samples, vouchers and manual entries.

Every other line is an event of value 1, whatever its quantity: quantities go from 1 to 80,995 and say how large the
customer's own shop is rather than how well it likes the product. They are kept as context. Gifts (price 0) are kept.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.assembly import assemble
from shortlist.data.columns import ColumnUse
from shortlist.data.events import Events
from shortlist.data.feature_reading import FeatureRows
from shortlist.data.feedback import Feedback
from shortlist.data.frame_table import FrameTable
from shortlist.data.import_report import TableReport
from shortlist.data.rejects import Screening, no_rejects

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureKind

FILE = "online_retail.parquet"
# Next Day Carriage and Packing Charge have codes like products.
NO_PRODUCTS = (
    "POST", "DOT", "C2", "23444", "23574", "BANK CHARGES", "AMAZONFEE", "CRUK", "M", "m", "D", "S", "B",
)  # fmt: skip
VOUCHER = "gift_"
CONTEXT = ("quantity", "invoice")
UNKNOWN_COUNTRY = "Unspecified"


def online_retail() -> Dataset:
    """Return the purchases of customers of a UK-based gift shop, 2010-12-01 to 2011-12-09: implicit events.

    396,281 events of 4,335 customers and 3,658 products, of 541,909 lines; `report` counts the others by
    reason (the rules stand at the top of this module). A line's value is 1; `interactions.context` has its quantity
    (Int32) and invoice (String). Times are the shop's own clock, taken as UTC. Customers buy products again, so
    the data declares `repeats`.

    User feature: country (categorical; the one on most of the customer's lines, first in the alphabet among equals,
    null where unspecified). Item features: description (text; the most frequent one, likewise; runs of spaces made
    one), price (numeric, pounds; median price of the lines with one, null where all were gifts).

    Source: D. Chen, S. L. Sain and K. Guo, Data mining for the online retail industry, Journal of Database Marketing
    & Customer Strategy Management 19 (3), 2012. Cost: about half a second.
    """
    with as_file(files("shortlist.data.datasets") / FILE) as path:
        lines = pl.read_parquet(path)
    table = FrameTable(FILE, lines.lazy(), lines.columns)
    screening = _screen(table, lines)
    kept = lines.filter(pl.Series(screening.keep))
    events = _events(table, kept, screening)
    data, _ = assemble("Online Retail", events, _products(kept), _customers(kept))
    return replace(data, repeats=True)


def _screen(table: FrameTable, lines: pl.DataFrame) -> Screening:
    screening = Screening(table, lines.height)
    invoice, code = lines["InvoiceNo"], lines["StockCode"]
    screening.reject(lines["CustomerID"].is_null(), "CustomerID", lines["CustomerID"], "no customer")
    screening.reject(invoice.str.starts_with("C"), "InvoiceNo", invoice, "cancellation")
    screening.reject(code.is_in(NO_PRODUCTS) | code.str.starts_with(VOUCHER), "StockCode", code, "no product")
    return screening


def _events(table: FrameTable, kept: pl.DataFrame, screening: Screening) -> Events:
    columns = (
        ColumnUse("CustomerID", "user_id", "mapped"),
        ColumnUse("StockCode", "item_id", "mapped"),
        ColumnUse("InvoiceDate", "timestamp", "mapped", "the shop's own clock, taken as UTC"),
        ColumnUse("Quantity", "context", "mapped"),
        ColumnUse("InvoiceNo", "context", "mapped"),
    )
    report = TableReport(
        table.name,
        "interactions",
        rows_read=screening.keep.size,
        rows_kept=kept.height,
        rejects=screening.rejects(),
        columns=columns,
        notes=("each invoice line is an event of value 1; quantity and invoice are context",),
    )
    return Events(
        kept["CustomerID"].cast(pl.Int64),
        kept["StockCode"],
        np.ones(kept.height, np.float32),
        kept["InvoiceDate"].to_physical().to_numpy(),
        kept.select(quantity="Quantity", invoice="InvoiceNo"),
        Feedback.events(),
        "",
        report,
    )


def _customers(kept: pl.DataFrame) -> FeatureRows:
    named = pl.when(pl.col("Country") != UNKNOWN_COUNTRY).then("Country")
    frame = _most_frequent(kept, "CustomerID", "Country", named).rename({"Country": "country"})
    return _features("users", frame, {"country": "categorical"})


def _products(kept: pl.DataFrame) -> FeatureRows:
    tidy = pl.col("Description").str.strip_chars().str.replace_all(r"\s+", " ")
    paid = pl.when(pl.col("UnitPrice") > 0).then("UnitPrice")
    price = kept.group_by("StockCode").agg(price=paid.median())
    frame = _most_frequent(kept, "StockCode", "Description", tidy).join(price, on="StockCode")
    return _features(
        "items", frame.rename({"Description": "description"}), {"description": "text", "price": "numeric"}
    )


def _most_frequent(kept: pl.DataFrame, key: str, column: str, value: pl.Expr) -> pl.DataFrame:
    # One row a key; null only where there is nothing else, the first in the alphabet among equals.
    # Counted before `value` tidies the text: there are a hundred times fewer rows then.
    counts = kept.group_by(key, column).len().with_columns(value.alias(column))
    counts = counts.group_by(key, column).agg(pl.col("len").sum().cast(pl.Int64))
    ordered = counts.sort([pl.col(column).is_null(), -pl.col("len"), pl.col(column)])
    return ordered.unique(key, keep="first", maintain_order=True).drop("len")


def _features(role: str, frame: pl.DataFrame, kinds: dict[str, FeatureKind]) -> FeatureRows:
    ids = frame.to_series(0)
    uses = tuple(ColumnUse(column, "feature", "mapped", kind) for column, kind in kinds.items())
    report = TableReport(
        FILE,
        role,
        rows_read=frame.height,
        rows_kept=frame.height,
        rejects=no_rejects(),
        columns=uses,
        notes=("made from the lines of the interactions",),
    )
    return FeatureRows(ids.cast(pl.Int64) if role == "users" else ids, frame.select(*kinds), kinds, report)

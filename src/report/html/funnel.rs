//! The funnel: what came in, what was lost on the way, what is left, by bucket and source.

use super::bar::{Piece, stacked};
use super::data::SourceFunnel;
use super::ledger::{left, sum};
use super::number::{bytes, count, percent};
use super::table::{Column, Table, amount, amount_or_dash, count_or_dash, two};
use super::text;
use super::view::{Section, View, swatch};

/// The outcomes, in the order of the bars; bars of bytes have one more.
pub(super) fn legend(view: &View<'_>, bytes: bool) -> String {
    let l = view.l;
    let dedup = view.data.sources.iter().any(|source| source.kept.is_some());
    let mut outcomes = vec![("kept", if dedup { l.kept } else { l.passed })];
    if dedup {
        outcomes.push(("duplicate", l.duplicates));
    }
    outcomes.push(("rejected", l.rejected));
    outcomes.push(("unreadable", l.unreadable));
    if bytes && view.data.sources.iter().any(|source| source.rewritten_bytes > 0 || source.trimmed.bytes + source.excerpted.bytes > 0) {
        outcomes.push(("rewritten", l.rewritten));
    }
    let keys: String = outcomes.iter().map(|(class, label)| format!("<span class=\"{class}\">{}{label}</span>", swatch("fill"))).collect();
    format!("<p class=\"legend\">{keys}</p>\n")
}

/// A bar of documents.
pub(super) fn documents_bar(view: &View<'_>, kind: &str, funnel: &SourceFunnel) -> String {
    let l = view.l;
    let whole = funnel.input.documents;
    let piece = |class: &str, label: &str, value: u64| Piece {
        class: class.to_owned(),
        value: value as f64,
        title: format!("{label}: {} ({})", view.documents(value), percent(value, whole)),
    };
    let duplicates = funnel.duplicates.unwrap_or_default().documents;
    let pieces = [
        piece("kept", if funnel.kept.is_some() { l.kept } else { l.passed }, left(funnel).documents),
        piece("duplicate", l.duplicates, duplicates),
        piece("rejected", l.rejected, funnel.rejected.documents),
        piece("unreadable", l.unreadable, funnel.unreadable),
    ];
    stacked(kind, l.col_documents, &pieces)
}

/// A bar of bytes.
pub(super) fn bytes_bar(view: &View<'_>, kind: &str, funnel: &SourceFunnel) -> String {
    let l = view.l;
    let whole = funnel.input.bytes;
    let piece = |class: &str, label: &str, value: u64| Piece {
        class: class.to_owned(),
        value: value as f64,
        title: format!("{label}: {} ({})", bytes(value), percent(value, whole)),
    };
    let pieces = [
        piece("kept", if funnel.kept.is_some() { l.kept } else { l.passed }, left(funnel).bytes),
        piece("duplicate", l.duplicates, funnel.duplicates.unwrap_or_default().bytes),
        piece("rejected", l.rejected, funnel.rejected.bytes),
        piece(
            "rewritten",
            l.rewritten,
            u64::try_from(funnel.rewritten_bytes).unwrap_or_default().saturating_add(funnel.trimmed.bytes + funnel.excerpted.bytes),
        ),
    ];
    stacked(kind, l.col_bytes, &pieces)
}

pub(super) fn section(view: &View<'_>) -> Section {
    let l = view.l;
    let sources = &view.data.sources;
    let body = (!sources.is_empty()).then(|| {
        let columns = [
            Column::Head(l.col_source),
            Column::Bar(l.col_outcome),
            Column::Number(l.input),
            Column::Number(l.unreadable),
            Column::Number(l.rejected),
            Column::Number(l.duplicates),
            Column::Number(l.kept),
            Column::Number(l.tokens),
        ];
        let mut table = Table::new(&columns);
        for bucket in &view.buckets {
            let of_bucket: Vec<&SourceFunnel> = sources.iter().filter(|source| source.bucket == *bucket).collect();
            match of_bucket[..] {
                [] => {}
                [only] => {
                    let name = format!("{}<span class=\"sub\">{}</span>", view.bucket(bucket), text::name(&only.source));
                    table.row("group", &cells(view, name, only));
                }
                _ => {
                    table.row("group", &cells(view, view.bucket(bucket), &sum(of_bucket.iter().copied())));
                    of_bucket.iter().for_each(|source| table.row("member", &cells(view, text::name(&source.source), source)));
                }
            }
        }
        table.row("total", &cells(view, l.total.to_owned(), &sum(sources)));
        format!("<p class=\"lead\">{}</p>\n{}{}", l.funnel_lead, legend(view, true), table.html())
    });
    Section { id: "funnel", title: l.funnel, body }
}

fn cells(view: &View<'_>, name: String, funnel: &SourceFunnel) -> [String; 8] {
    let left = left(funnel);
    let share = |part: u64| percent(part, funnel.input.documents);
    let with_share = |text: String, part: u64| if part == 0 { text } else { format!("{text}<span class=\"sub\">{}</span>", share(part)) };
    [
        name,
        format!("{}{}", documents_bar(view, "row", funnel), bytes_bar(view, "thin", funnel)),
        amount(funnel.input),
        if funnel.unreadable == 0 { count_or_dash(Some(0)) } else { two(&count(funnel.unreadable), &share(funnel.unreadable)) },
        with_share(amount(funnel.rejected), funnel.rejected.documents),
        with_share(amount_or_dash(funnel.duplicates), funnel.duplicates.unwrap_or_default().documents),
        with_share(amount(left), left.documents),
        count_or_dash(funnel.tokens),
    ]
}

//! Duplicates: how many of each kind, the largest clusters with the pairs to judge them by, and the longest passages.

use super::bar::single;
use super::data::{Cluster, Duplicates, Removed};
use super::diff::marked;
use super::documents::{SHOWN, excerpt};
use super::ledger::{plus, sum};
use super::number::{bytes, count, decimal, percent};
use super::table::{Column, Table};
use super::text;
use super::view::{Section, View, fill};

/// Clusters that are shown, of which the first are open, and pairs of each.
const CLUSTERS: usize = 8;
const OPEN: usize = 3;
const PAIRS: usize = 2;
/// Characters of a passage.
const PASSAGE: usize = 160;

pub(super) fn section(view: &View<'_>) -> Section {
    let l = view.l;
    let body = view.data.duplicates.as_ref().map(|duplicates| {
        let total = duplicates.kinds.values().fold(Default::default(), |sum, amount| plus(sum, *amount));
        if total.documents == 0 {
            return format!("<p>{}</p>\n{}", l.duplicates_none, passages(view, duplicates));
        }
        let lead = fill(l.duplicates_lead, &[&view.documents(total.documents), &bytes(total.bytes), &count(duplicates.clusters)]);
        format!("<p class=\"lead\">{lead}</p>\n{}{}{}", kinds(view, duplicates), clusters(view, duplicates), passages(view, duplicates))
    });
    Section { id: "duplicates", title: l.duplicates, body }
}

/// The name of a kind in the reader's language; what is not known is shown as it is.
pub(super) fn kind_name(view: &View<'_>, kind: &str) -> String {
    match kind {
        "exact" => view.l.kind_exact.to_owned(),
        "minhash" => view.l.kind_minhash.to_owned(),
        "simhash" => view.l.kind_simhash.to_owned(),
        "url" => view.l.kind_url.to_owned(),
        "lines" => view.l.kind_lines.to_owned(),
        "substrings" => view.l.kind_substrings.to_owned(),
        other => text::name(other),
    }
}

fn kinds(view: &View<'_>, duplicates: &Duplicates) -> String {
    let l = view.l;
    let columns = [
        Column::Head(l.col_kind),
        Column::Bar(""),
        Column::Number(l.col_documents),
        Column::Number(l.col_share_input),
        Column::Number(l.col_bytes),
    ];
    let most = duplicates.kinds.values().map(|amount| amount.documents).max().unwrap_or_default();
    let input = sum(&view.data.sources).input.documents;
    let mut table = Table::new(&columns);
    for (kind, amount) in &duplicates.kinds {
        let bar = single("duplicate", amount.documents as f64, most as f64, &view.documents(amount.documents));
        table.row("", &[kind_name(view, kind), bar, count(amount.documents), percent(amount.documents, input), bytes(amount.bytes)]);
    }
    table.html()
}

fn clusters(view: &View<'_>, duplicates: &Duplicates) -> String {
    let mut largest: Vec<&Cluster> = duplicates.largest.iter().collect();
    largest.sort_by(|a, b| b.documents.cmp(&a.documents).then_with(|| a.kept_id.cmp(&b.kept_id)));
    if largest.is_empty() {
        return String::new();
    }
    let mut out = format!("<h3>{}</h3>\n", view.l.largest_clusters);
    for (index, cluster) in largest.into_iter().take(CLUSTERS).enumerate() {
        let open = if index < OPEN { " open" } else { "" };
        let preview = text::text(cluster.kept_excerpt.lines().next().unwrap_or_default(), 60);
        out.push_str(&format!(
            "<details{open}><summary><span class=\"v\">{}</span><span class=\"sub preview\" dir=\"auto\">{preview}</span></summary>\n",
            view.documents(cluster.documents)
        ));
        for removed in cluster.removed.iter().take(PAIRS) {
            out.push_str(&pair(view, cluster, removed));
        }
        out.push_str("</details>\n");
    }
    out
}

fn passages(view: &View<'_>, duplicates: &Duplicates) -> String {
    let l = view.l;
    if duplicates.passages.is_empty() {
        return String::new();
    }
    let columns = [Column::Head(l.col_lost_by), Column::Number(l.col_words), Column::Bar(l.col_stands_in), Column::Bar(l.col_passage)];
    let mut table = Table::new(&columns);
    for passage in &duplicates.passages {
        let document = |id: &str, place: &str| format!("<code>{}</code> <span class=\"sub\">{}</span>", text::name(id), text::name(place));
        let words = format!("<span class=\"preview\" dir=\"auto\">{}</span>", text::text(&passage.excerpt, PASSAGE));
        table.row("", &[document(&passage.id, &passage.source), count(passage.words), document(&passage.of, &passage.place), words]);
    }
    format!("<h3>{}</h3>\n<p>{}</p>\n{}", l.longest_passages, l.passages_lead, table.html())
}

fn pair(view: &View<'_>, cluster: &Cluster, removed: &Removed) -> String {
    let l = view.l;
    let (left, mut right) = marked(&cluster.kept_excerpt, &removed.excerpt, SHOWN);
    let mut class = "pair";
    if cluster.kept_excerpt == removed.excerpt {
        class = "pair alike";
        let same = if removed.kind == "exact" { l.same_text } else { l.same_excerpt };
        right = format!("<span class=\"same\">{same}</span>");
    }
    let similarity = removed
        .similarity
        .filter(|_| removed.kind != "exact")
        .map(|value| format!(" · {} {}", l.similarity, decimal(value)))
        .unwrap_or_default();
    let kept = format!("<span class=\"tag kept\">{}</span>", l.tag_kept);
    let gone = format!(
        "<span class=\"tag duplicate\">{}</span><span class=\"why\">{}{similarity}</span>",
        l.tag_removed,
        kind_name(view, &removed.kind)
    );
    format!(
        "<div class=\"{class}\">{}{}</div>\n",
        excerpt(&cluster.kept_id, &cluster.kept_source, &kept, &left),
        excerpt(&removed.id, &removed.source, &gone, &right)
    )
}

//! Evaluation sets: how much of each stands in the corpus, and which items most often.

use super::number::{count, percent};
use super::table::{Column, Table, two};
use super::text;
use super::view::{Section, View};

/// Items shown of a set.
const ITEMS: usize = 10;

/// None in a run that looks for none.
pub(super) fn section(view: &View<'_>) -> Option<Section> {
    let l = view.l;
    let sets = view.data.contamination.as_ref()?;
    let columns = [
        Column::Head(l.col_set),
        Column::Number(l.col_items),
        Column::Number(l.col_searchable),
        Column::Number(l.col_found),
        Column::Number(l.col_documents),
    ];
    let mut table = Table::new(&columns);
    let mut details = String::new();
    for set in sets {
        let share = |part: u64, whole: u64| two(&count(part), &percent(part, whole));
        let found = set.found.len() as u64;
        table.row(
            "",
            &[text::name(&set.set), count(set.items), share(set.searchable, set.items), share(found, set.searchable), count(set.documents)],
        );
        let mut items: Vec<(&String, &u64)> = set.found.iter().collect();
        items.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        if !items.is_empty() {
            let lines: String = items
                .iter()
                .take(ITEMS)
                .map(|(item, documents)| format!("<li><code>{}</code> {}</li>\n", text::name(item), view.documents(**documents)))
                .collect();
            details.push_str(&format!(
                "<details><summary>{}</summary>\n<ul class=\"messages\">{lines}</ul></details>\n",
                text::name(&set.set)
            ));
        }
    }
    let body = format!("<p class=\"lead\">{}</p>\n{}{details}", l.contamination_lead, table.html());
    Some(Section { id: "contamination", title: l.contamination, body: Some(body) })
}

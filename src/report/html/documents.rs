//! Excerpts of documents, as they are shown beside a reason or a cluster.

use super::text;

/// Characters of a text that are shown.
pub(super) const SHOWN: usize = 320;

/// A text with what is known of it above.
pub(super) fn excerpt(id: &str, source: &str, note: &str, body: &str) -> String {
    let source = if source.is_empty() { String::new() } else { format!("<span class=\"from\">{}</span>", text::name(source)) };
    format!(
        "<figure class=\"doc\"><figcaption>{note}{source}<code>{}</code></figcaption><blockquote dir=\"auto\">{body}</blockquote></figure>\n",
        text::name(id)
    )
}

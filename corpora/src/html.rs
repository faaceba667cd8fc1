//! HTML as text: the main content of a page, without what every page of its site has.
//!
//! The content is chosen by dom_smoothie, a port of Mozilla's Readability (docs/html.md compares
//! it with its peers); this module writes it as text. Paragraphs, headings and lists are blocks
//! with blank lines between them, list items begin with `- ` or their number, code keeps its
//! lines and indentation, cells of a table row are separated by ` | `. Scripts, styles, forms,
//! navigation and footers are left out, and so are the marks that link a heading to itself.
//!
//! Where no main content is found (lists of links, very short pages), the whole body is written
//! by the same rules. A page nested deeper than 256 elements or with more than 100,000 of them is
//! never parsed, for parsers recurse: its tags are cut out instead, and `Page::extraction` says so.

mod shape;
mod text;

use dom_query::Document;
use dom_smoothie::{Config, Readability};

/// A page as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its title; empty where it has none.
    pub title: String,
    /// The text of its main content.
    pub text: String,
    /// How the text was found.
    pub extraction: Extraction,
}

/// How much of a page its text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extraction {
    /// The main content.
    Main,
    /// The body, for lack of a main content.
    Body,
    /// Whatever is between tags, for a page that is too deep or too large to be parsed.
    Stripped,
}

impl Extraction {
    /// The name in a document's `meta`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Body => "body",
            Self::Stripped => "stripped",
        }
    }
}

/// The text of a page.
///
/// ```
/// let page = corpora::html_text("<title>제목</title><nav>메뉴</nav><p>첫 문단</p><pre>if x:\n    y()</pre>");
/// assert_eq!((&*page.title, &*page.text), ("제목", "첫 문단\n\nif x:\n    y()"));
/// ```
pub fn html_text(html: &str) -> Page {
    if !shape::is_modest(html) {
        return Page { title: String::new(), text: shape::strip(html), extraction: Extraction::Stripped };
    }
    let document = Document::from(html);
    let body = text::of(&document);
    let title = document.select_single("title").text().split_whitespace().collect::<Vec<_>>().join(" ");
    // The choice only pays where there is something to choose from.
    let config = Config { max_elements_to_parse: 0, ..Config::default() };
    let article = Readability::with_document(document, None, Some(config)).ok().and_then(|mut page| page.parse().ok());
    let Some(article) = article else { return Page { title, text: body, extraction: Extraction::Body } };
    let main = text::of(&Document::fragment(article.content));
    // What was chosen is less than a tenth of the page: a teaser, or the wrong column.
    if main.len() * 10 < body.len() {
        return Page { title, text: body, extraction: Extraction::Body };
    }
    Page { title, text: main, extraction: Extraction::Main }
}

#[cfg(test)]
mod tests;

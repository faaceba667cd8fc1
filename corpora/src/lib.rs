//! Documents in and out: sources, parts, readers and writers.
//!
//! In the order that data meets them:
//! 1. [`Source`], one catalogue entry of a recipe: which files, of what format.
//! 2. [`plan`] cuts all sources into [`Part`]s, lists of [`Slice`]s of files.
//! 3. [`read()`] turns a part into [`Document`]s, streaming, in file order; a bad record is one
//!    [`Error`] among them.
//! 4. [`JsonlWriter`] and [`JsonlReader`] carry records between stages; [`table`] holds what became
//!    of each; [`AtomicFile`] is how any file of a run is written.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! std::fs::write(root.join("a.jsonl"), "{\"text\": \"안녕\"}\n")?;
//! let source: corpora::Source =
//!     serde_json::from_str(r#"{ "name": "ko", "bucket": "korean", "files": "*.jsonl", "format": "jsonl" }"#)?;
//! for part in corpora::plan(std::slice::from_ref(&source), root, 256 << 20)? {
//!     for document in corpora::read(&part, &source) {
//!         assert_eq!(document?.id, "ko:a.jsonl#0");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A web page in CP949, as a Korean server sent it, is text with its title and its encoding:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! std::fs::write(root.join("a.html"), b"<meta charset=euc-kr><title>\xb1\xdb</title><p>\xc7\xd1\xb1\xdb \xb9\xae\xbc\xad</p>")?;
//! let source: corpora::Source =
//!     serde_json::from_str(r#"{ "name": "web", "bucket": "korean", "files": "*.html", "format": "html" }"#)?;
//! for part in corpora::plan(std::slice::from_ref(&source), root, 256 << 20)? {
//!     for document in corpora::read(&part, &source) {
//!         let document = document?;
//!         assert_eq!((document.text.as_str(), &document.meta["title"]), ("한글 문서", &"글".into()));
//!         assert_eq!(document.meta["encoding"], "EUC-KR");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::print_stdout))]

mod atomic;
mod chat;
mod code;
mod document;
mod encoding;
mod error;
mod fields;
mod html;
mod jsonl;
mod lines;
mod mojibake;
mod part;
mod pattern;
mod plan;
mod preference;
mod read;
mod shebang;
mod source;
mod stream;
pub mod table;
mod wikitext;

pub use atomic::AtomicFile;
pub use chat::{ChatFields, Role, Turn, joined};
pub use document::Document;
pub use encoding::{Charset, Decoded, decode, decode_any, detect, encoding};
pub use error::{Cause, Error, Position, Result};
pub use html::{Extraction, Page, html_text};
pub use jsonl::{JsonlReader, JsonlWriter, Written, columns};
pub use mojibake::repair_mojibake;
pub use part::{Identity, Part, Range, Slice};
pub use plan::plan;
pub use preference::{Judged, PreferenceFields};
pub use read::{panic_is_caught, read, read_counted};
pub use source::{EncodingErrors, Format, Source, Split};
pub use wikitext::wiki_text;

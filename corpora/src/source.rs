//! The source: one `[[sources]]` entry of a recipe, a catalogue entry for files of one kind.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::ChatFields;
use crate::encoding::Charset;
use crate::error::{Error, Result};
use crate::preference::PreferenceFields;

/// Files of one kind that fill one bucket, and how documents are found in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Name, shown in every report, reject and part. Letters, digits, `-`, `_` and `.`. Required.
    pub name: String,
    /// Bucket of the mixture that the documents go to. Required.
    pub bucket: String,
    /// Under which terms the texts may be used, in any words; `malmoi card` repeats it and nothing
    /// else reads it. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// One path or a list: a file, a directory (its files of this format, at any depth) or a glob. Required. In a glob `*`, `?` and `[ab]`
    /// stand for letters of one name, `**` for any folders or none; `data/**` is the same as `data`. A link that is named, or that a name of
    /// a glob matches, is followed; `**` and directories follow none. A file counts once, whatever links lead to it. With `code`, what a
    /// `.gitignore` in the directory, or below the folder where a glob begins, leaves out is left out.
    #[serde(deserialize_with = "one_or_many", serialize_with = "one_if_one")]
    pub files: Vec<String>,
    /// What the files hold: `jsonl`, `parquet`, `arrow`, `csv`, `tsv`, `text`, `html`, `warc`, `wiki` or `code`. Required.
    pub format: Format,
    /// Which copy survives deduplication: that of the lowest number. Default 1.
    #[serde(default = "one")]
    pub priority: u32,
    /// Field or column with the text; a dotted path reaches into objects. Default `text`.
    #[serde(default = "text")]
    pub text_field: String,
    /// Fields that make a conversation of a record: instruction data, for `objective = "sft"`. In
    /// the place of `text-field`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatFields>,
    /// Fields that make a prompt and judged answers of a record: preference data, for `objective = "dpo"`, `"orpo"`,
    /// `"kto"` and `"reward"`. In the place of `text-field`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preference: Option<PreferenceFields>,
    /// Field with the document's id, a string of up to 4096 bytes or an integer of 64 bits. Default:
    /// `id` where a record has a usable one, else `name:path#position`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_field: Option<String>,
    /// Field with the document's address. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_field: Option<String>,
    /// Field with the document's language code. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang_field: Option<String>,
    /// Fields kept in the document's `meta`. Default none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_meta: Vec<String>,
    /// What one document is in a `text` source: `file`, `line` or `paragraph`. Default `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// File extensions to take in `text`, `html` and `code` sources, without the dot. Default: `txt`
    /// and `md` for text, `html`, `htm` and `xhtml` for HTML, the extensions of the languages this
    /// crate knows for code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// A longer record (a line, a file, the wanted cells of a row) is an error, and is skipped
    /// without being held in memory. Default 64 MiB.
    #[serde(default = "max_record_bytes")]
    pub max_record_bytes: u64,
    /// What to do with bytes that are not in the source's encoding. Default `quarantine`; with
    /// `encoding = "auto"` they are always replaced, and counted in `meta.bad-bytes`.
    #[serde(default)]
    pub encoding_errors: EncodingErrors,
    /// What the files are encoded in: `auto`, or a label such as `utf-8`, `cp949` or `utf-16le`.
    /// Default `auto` for `html` and `warc`, whose pages declare it, and strict `utf-8` for the
    /// rest: other bytes there are an error that is counted, never a guess that nobody sees.
    /// A document that was not UTF-8 has `meta.encoding`. With `auto` each record of a file of lines, of
    /// paragraphs, `jsonl`, `csv` or `tsv` is UTF-8 where it can be, or else in the encoding of the file's first MiB where
    /// it can be, or else in one of its own. A byte order mark says more than a named encoding other than UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Charset>,
    /// Whether a field that begins with `"` is quoted, and runs to the next quote over delimiters and line ends. Default
    /// true for `csv`, false for `tsv`, where a quote is text like any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<bool>,
}

/// What a source's files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet, one document a row.
    Parquet,
    /// Arrow IPC (Feather V2), file or stream, one document a row.
    Arrow,
    /// Plain text.
    Text,
    /// Source code, one document a file.
    Code,
    /// Web pages, one document a file: the main content, as text.
    Html,
    /// Web archives: responses that are HTML or plain text, and extracted text (WET).
    Warc,
    /// Comma-separated values with a header, one document a row.
    Csv,
    /// Tab-separated values with a header, one document a row.
    Tsv,
    /// MediaWiki XML dumps, one document an article.
    Wiki,
}

/// What one document is in a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The whole file.
    #[default]
    File,
    /// Each line that is not blank.
    Line,
    /// Each run of lines between blank lines.
    Paragraph,
}

/// What to do with bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingErrors {
    /// The record is an error.
    #[default]
    Quarantine,
    /// Each offending sequence becomes U+FFFD.
    Replace,
}

impl Format {
    /// The format's name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Text => "text",
            Self::Code => "code",
            Self::Html => "html",
            Self::Warc => "warc",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Wiki => "wiki",
        }
    }
}

impl Format {
    /// Raised when the reader of a format makes other documents of the same files, so that what was made of them is made again.
    pub fn revision(self) -> u32 {
        match self {
            Self::Wiki | Self::Warc => 1,
            _ => 0,
        }
    }
}

impl Source {
    /// Whether its documents are conversations, judged or not.
    pub fn is_chat(&self) -> bool {
        self.chat.is_some() || self.preference.is_some()
    }

    /// Refuses settings that contradict each other or that the format gives no meaning.
    pub fn validate(&self) -> Result<()> {
        let refuse = |detail: String| Err(Error::source(&self.name, detail));
        for (option, value) in [("name", &self.name), ("bucket", &self.bucket)] {
            if !is_file_name(value) {
                return refuse(format!(
                    "`{option}` names files and folders, so it must be 1 to 100 bytes of letters, digits, `-`, `_` or `.`, not starting with `.`"
                ));
            }
        }
        if self.files.is_empty() || self.files.iter().any(String::is_empty) {
            return refuse("`files` needs at least one path, and none may be empty".to_owned());
        }
        if self.max_record_bytes == 0 {
            return refuse("`max-record-bytes` must be at least 1".to_owned());
        }
        let format = self.format.name();
        let has_fields = matches!(self.format, Format::Jsonl | Format::Parquet | Format::Arrow | Format::Csv | Format::Tsv);
        let fields = [("id-field", &self.id_field), ("url-field", &self.url_field), ("lang-field", &self.lang_field)];
        if !has_fields {
            let set = fields.iter().filter(|(_, value)| value.is_some()).map(|(option, _)| *option);
            let set =
                set.chain((!self.keep_meta.is_empty()).then_some("keep-meta")).chain((self.text_field != text()).then_some("text-field"));
            if let Some(option) = set.into_iter().next() {
                return refuse(format!("`{option}` has no meaning with format = \"{format}\", whose records have no fields"));
            }
        }
        if let Some(chat) = &self.chat {
            if !has_fields {
                return refuse(format!("`chat` works with formats that have fields, not with \"{format}\""));
            }
            if self.text_field != text() {
                return refuse("`text-field` has no meaning beside `chat`, which names the fields with text".to_owned());
            }
            if chat.messages.is_some() && matches!(self.format, Format::Csv | Format::Tsv) {
                return refuse(format!("`chat.messages` is a list, which format = \"{format}\" has not"));
            }
            chat.check().or_else(refuse)?;
        }
        if let Some(preference) = &self.preference {
            if self.format != Format::Jsonl {
                return refuse(format!("`preference` works with format = \"jsonl\" only, not with \"{format}\""));
            }
            if self.chat.is_some() || self.text_field != text() {
                return refuse("`preference` names the fields with text; `chat` and `text-field` have no meaning beside it".to_owned());
            }
            preference.check().or_else(refuse)?;
        }
        if self.split.is_some() && self.format != Format::Text {
            return refuse(format!("`split` works with format = \"text\" only, not with \"{format}\""));
        }
        if !matches!(self.format, Format::Text | Format::Html | Format::Code) && !self.extensions.is_empty() {
            return refuse(format!(
                "`extensions` works with format = \"text\", \"html\" or \"code\" only; choose {format} files by a glob in `files`"
            ));
        }
        if self.encoding.is_some() && matches!(self.format, Format::Parquet | Format::Arrow | Format::Wiki) {
            return refuse(format!("`encoding` has no meaning with format = \"{format}\", which is UTF-8 by definition"));
        }
        if self.quotes.is_some() && !matches!(self.format, Format::Csv | Format::Tsv) {
            return refuse(format!("`quotes` has no meaning with format = \"{format}\""));
        }
        if let Some(extension) =
            self.extensions.iter().find(|extension| extension.is_empty() || extension.starts_with('.') || extension.contains('/'))
        {
            return refuse(format!("`extensions` are written without a dot, like \"rs\", not `{extension}`"));
        }
        let names = fields.iter().filter_map(|(option, value)| value.as_ref().map(|value| (*option, value)));
        let names = names.chain([("text-field", &self.text_field)]).chain(self.keep_meta.iter().map(|name| ("keep-meta", name)));
        for (option, name) in names {
            if name.split('.').any(str::is_empty) {
                return refuse(format!("`{option}` must be a field name or a dotted path, not `{name}`"));
            }
        }
        for (index, name) in self.keep_meta.iter().enumerate() {
            if self.keep_meta[..index].contains(name) {
                return refuse(format!("`keep-meta` names `{name}` twice"));
            }
        }
        Ok(())
    }

    /// `quotes` with its default filled in.
    pub fn quotes(&self) -> bool {
        self.quotes.unwrap_or(self.format == Format::Csv)
    }

    /// `split` with its default filled in.
    pub fn split(&self) -> Split {
        self.split.unwrap_or_default()
    }

    /// `encoding` with its default filled in.
    pub fn charset(&self) -> Charset {
        self.encoding.unwrap_or(if matches!(self.format, Format::Html | Format::Warc) { Charset::Auto } else { Charset::UTF_8 })
    }

    /// `max-record-bytes` as a length in memory.
    pub(crate) fn record_limit(&self) -> usize {
        usize::try_from(self.max_record_bytes).unwrap_or(usize::MAX).min(isize::MAX as usize)
    }
}

fn is_file_name(value: &str) -> bool {
    (1..=100).contains(&value.len()) && !value.starts_with('.') && value.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

fn one() -> u32 {
    1
}

fn text() -> String {
    "text".to_owned()
}

fn max_record_bytes() -> u64 {
    64 << 20
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> serde::de::Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a path or a list of paths")
        }

        fn visit_str<E>(self, path: &str) -> std::result::Result<Self::Value, E> {
            Ok(vec![path.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Self::Value, A::Error> {
            let mut paths = Vec::new();
            while let Some(path) = seq.next_element()? {
                paths.push(path);
            }
            Ok(paths)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

fn one_if_one<S: Serializer>(files: &[String], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match files {
        [one] => serializer.serialize_str(one),
        many => many.serialize(serializer),
    }
}

#[cfg(test)]
mod tests;

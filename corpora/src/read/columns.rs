//! Which columns of a table a source wants, and whether they can serve.

use std::path::Path;

use polars_arrow::datatypes::ArrowDataType;

use super::cells::{is_integer, is_known, is_text};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// A table that names its columns.
pub(super) trait Columns {
    /// One of them.
    type Column;

    /// The column of that whole name, else the one that the dotted path leads to through structs, and
    /// what it holds.
    fn find(&self, name: &str) -> Option<(Self::Column, ArrowDataType)>;

    /// Names of the top-level columns, for messages.
    fn names(&self) -> Vec<&str>;
}

/// The columns that a source wants, by the names that it has for them.
///
/// # Errors
/// [`Error::Source`] for one that the table lacks or that has a type that cannot serve.
pub(super) fn wanted<T: Columns>(table: &T, fields: &Fields, source: &str, path: &Path) -> Result<Vec<(String, T::Column)>> {
    let mut columns = Vec::new();
    for name in fields.names() {
        let refuse = |detail: String| Err(Error::source(source, format!("{}{detail}", path.display())));
        let is_id = name == fields.id;
        let found = table.find(name);
        if let Some((_, dtype)) = &found
            && let Some(detail) = unfit(name, dtype, is_id, fields.wants_text(name))
            && (!is_id || fields.id_required)
        {
            return refuse(format!(": {detail}"));
        }
        match found.filter(|(_, dtype)| unfit(name, dtype, is_id, false).is_none()) {
            Some((column, _)) => columns.push((name.to_owned(), column)),
            None if is_id && !fields.id_required => {}
            None => {
                let mut names = table.names();
                names.truncate(30);
                names.sort_unstable();
                return refuse(format!(" has no column `{name}`; its columns are: {}", names.join(", ")));
            }
        }
    }
    Ok(columns)
}

/// Why a column cannot serve.
fn unfit(name: &str, dtype: &ArrowDataType, is_id: bool, is_to_be_text: bool) -> Option<String> {
    if !is_known(dtype) {
        return Some(format!("column `{name}` has a type that is not supported (a date, decimal, map or fixed-size binary?)"));
    }
    if is_to_be_text && !is_text(dtype) {
        return Some(format!("column `{name}` is not text"));
    }
    (is_id && !is_text(dtype) && !is_integer(dtype)).then(|| format!("column `{name}` is not text or integers"))
}

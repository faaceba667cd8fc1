//! The columns of an Arrow table, and which of them a source wants.

use std::path::Path;

use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_arrow::io::ipc::format::ipc::{FieldRef, SchemaRef};

use super::super::cells::{at_path, undecoded};
use super::super::columns::{self, Columns};
use super::message::MAX_MESSAGE;
use crate::error::Result;
use crate::fields::Fields;

/// Types in a schema, nested ones included; and how deep they may be nested.
const MOST_TYPES: usize = 100_000;
const DEEPEST: usize = 64;

/// A column that a source wants.
pub(crate) struct Column {
    /// The field as the recipe names it.
    pub(super) name: String,
    /// Its top-level column, among those that are read.
    pub(super) place: usize,
    /// The way from there through structs.
    pub(super) path: Vec<String>,
}

/// Whether a schema can be unfolded: the decoder follows its fields by recursion and copies what they
/// point at, and in a hostile file many of them point at the same place.
pub(super) fn is_sound(schema: SchemaRef<'_>) -> std::result::Result<(), String> {
    let damaged = |error: polars_arrow::io::ipc::format::ipc::planus::Error| error.to_string();
    let (mut types, mut bytes) = (0, 0_u64);
    let mut open: Vec<(FieldRef<'_>, usize)> = Vec::new();
    let fields = schema.fields().map_err(damaged)?.ok_or("a schema without fields")?;
    let mut metadata = schema.custom_metadata().map_err(damaged)?;
    if fields.len() > MOST_TYPES {
        return Err("a schema of too many columns".to_owned());
    }
    for field in fields {
        open.push((field.map_err(damaged)?, 0));
    }
    loop {
        for pair in metadata.into_iter().flatten() {
            let pair = pair.map_err(damaged)?;
            for text in [pair.key().map_err(damaged)?, pair.value().map_err(damaged)?] {
                bytes += 32 + text.map_or(0, str::len) as u64;
            }
            if bytes > MAX_MESSAGE {
                return Err("a schema of too much metadata".to_owned());
            }
        }
        let Some((field, depth)) = open.pop() else { return Ok(()) };
        types += 1;
        bytes += field.name().map_err(damaged)?.map_or(0, str::len) as u64;
        let children = field.children().map_err(damaged)?;
        if types + open.len() + children.map_or(0, |children| children.len()) > MOST_TYPES || depth > DEEPEST {
            return Err("a schema of too many or too deeply nested types".to_owned());
        }
        for child in children.into_iter().flatten() {
            open.push((child.map_err(damaged)?, depth + 1));
        }
        metadata = field.custom_metadata().map_err(damaged)?;
    }
}

/// The schema with bytes in the place of text.
pub(super) fn bytes(schema: &ArrowSchema) -> ArrowSchema {
    schema.iter().map(|(name, field)| (name.clone(), Field { dtype: undecoded(&field.dtype), ..field.clone() })).collect()
}

/// The columns that a source wants, and which of the file's are to be read for them, ascending.
///
/// # Errors
/// [`crate::Error::Source`] for one that the file lacks or that has a type that cannot serve.
pub(super) fn wanted(schema: &ArrowSchema, fields: &Fields, source: &str, path: &Path) -> Result<(Vec<Column>, Vec<usize>)> {
    let columns = columns::wanted(schema, fields, source, path)?;
    let mut roots: Vec<usize> = columns.iter().map(|(_, (root, _))| *root).collect();
    roots.sort_unstable();
    roots.dedup();
    let place = |root| roots.partition_point(|other| *other < root);
    let columns = columns.into_iter().map(|(name, (root, path))| Column { name, place: place(root), path }).collect();
    Ok((columns, roots))
}

impl Columns for ArrowSchema {
    /// Its top-level column, and the way from there.
    type Column = (usize, Vec<String>);

    fn find(&self, name: &str) -> Option<(Self::Column, ArrowDataType)> {
        if let Some((root, _, field)) = self.get_full(name) {
            return Some(((root, Vec::new()), field.dtype.clone()));
        }
        let (first, rest) = name.split_once('.')?;
        let (root, _, field) = self.get_full(first)?;
        let steps: Vec<&str> = rest.split('.').collect();
        let dtype = at_path(&field.dtype, &steps)?.clone();
        Some(((root, steps.into_iter().map(str::to_owned).collect()), dtype))
    }

    fn names(&self) -> Vec<&str> {
        self.iter_names().map(|name| name.as_str()).collect()
    }
}

//! Columns: a field's leaves in a Parquet schema, and the type that they are decoded to.

use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_parquet::read::FileMetadata;
use polars_parquet::read::schema::parquet_to_arrow_schema;

use super::super::cells::{at_path, undecoded};
use super::super::columns::Columns;

/// One field of a table.
pub(in super::super) struct Column {
    /// Indices among the leaves of the schema.
    pub(super) leaves: Vec<usize>,
    /// The type that polars decodes to: the field in its chain of structs.
    pub(super) field: Field,
    /// The way from the outermost of these to the field.
    pub(super) path: Vec<String>,
}

impl Columns for FileMetadata {
    type Column = Column;

    fn find(&self, name: &str) -> Option<(Column, ArrowDataType)> {
        let root = |name: &str| {
            let root = self.schema().fields().iter().find(|field| field.name() == name)?;
            // From the Parquet types alone: an Arrow schema in the metadata could claim anything.
            parquet_to_arrow_schema(std::slice::from_ref(root)).iter_values().next().cloned()
        };
        let (root, steps) = match root(name) {
            Some(root) => (root, Vec::new()),
            None => {
                let (first, rest) = name.split_once('.')?;
                (root(first)?, rest.split('.').collect())
            }
        };
        let field = pruned(&Field { dtype: undecoded(&root.dtype), ..root }, &steps)?;
        let dtype = at_path(&field.dtype, &steps)?.clone();
        let way: Vec<&str> = [field.name.as_str()].into_iter().chain(steps.iter().copied()).collect();
        let leads = |path: &[_]| path.len() >= way.len() && path.iter().zip(&way).all(|(step, wanted): (&_, _)| same(step, wanted));
        let leaves = self.schema().columns().iter().enumerate();
        let leaves = leaves.filter(|(_, leaf)| leads(&leaf.path_in_schema)).map(|(leaf, _)| leaf).collect();
        Some((Column { leaves, field, path: steps.into_iter().map(str::to_owned).collect() }, dtype))
    }

    fn names(&self) -> Vec<&str> {
        self.schema().fields().iter().map(|field| field.name()).collect()
    }
}

fn same(step: &impl PartialEq<str>, wanted: &str) -> bool {
    *step == *wanted
}

/// The field with nothing in its structs but the way to what the path leads to.
fn pruned(field: &Field, path: &[&str]) -> Option<Field> {
    let Some((step, rest)) = path.split_first() else { return Some(field.clone()) };
    let ArrowDataType::Struct(fields) = &field.dtype else { return None };
    let inner = pruned(fields.iter().find(|field| field.name == **step)?, rest)?;
    Some(Field { dtype: ArrowDataType::Struct(vec![inner]), ..field.clone() })
}

/// The values of a column in one row group.
pub(super) struct Values(pub(super) Vec<Box<dyn Array>>);

impl Values {
    /// The array that a row is in, counted from the row group's first, and its place there.
    pub(super) fn find(&self, mut row: usize) -> Option<(&dyn Array, usize)> {
        for array in &self.0 {
            if row < array.len() {
                return Some((array.as_ref(), row));
            }
            row -= array.len();
        }
        None
    }
}

//! Columns: a field's leaf in a Parquet schema, its type, and its values row by row.

use std::path::Path;

use polars_arrow::array::{Array, BinaryViewArray, BooleanArray, PrimitiveArray, StructArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::parquet::schema::types::{
    IntegerType, ParquetType, PhysicalType, PrimitiveConvertedType, PrimitiveLogicalType, PrimitiveType,
};
use polars_parquet::read::FileMetadata;
use serde_json::Value;

use crate::error::{Error, Result};

/// One field of a table.
pub(super) struct Column {
    /// The field as the recipe names it.
    name: String,
    /// Index among the leaves of the schema.
    pub(super) leaf: usize,
    kind: Kind,
    /// The type that polars decodes to: the leaf in its chain of structs.
    field: Field,
}

/// What a leaf holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Text or bytes: checked for UTF-8 row by row, so that one bad row is one error.
    Bytes,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float32,
    Float64,
    Bool,
}

impl Column {
    /// The column of that whole name, else the one that the dotted path leads to through structs;
    /// an error says why what is there cannot be used.
    pub(super) fn find(metadata: &FileMetadata, name: &str) -> std::result::Result<Option<Self>, String> {
        let leaves = metadata.schema().columns();
        let steps: Vec<&str> = name.split('.').collect();
        let whole = leaves.iter().position(|leaf| leaf.path_in_schema.iter().map(|step| step.as_str()).eq([name]));
        let nested = || leaves.iter().position(|leaf| leaf.path_in_schema.iter().map(|step| step.as_str()).eq(steps.iter().copied()));
        let Some(leaf) = whole.or_else(nested) else {
            let is_group = metadata.schema().fields().iter().any(|field| field.name() == steps[0]);
            return if is_group { Err(format!("`{name}` is no single column (a struct or a list?)")) } else { Ok(None) };
        };
        let descriptor = &leaves[leaf];
        let unsupported = || format!("column `{name}` has a type that is not supported (a date, decimal, list or fixed-size binary?)");
        let kind = kind(&descriptor.descriptor.primitive_type).ok_or_else(unsupported)?;
        // From the root of the leaf to the leaf, one field in another.
        let mut chain = Vec::new();
        let mut at: &ParquetType = &descriptor.base_type;
        for (depth, step) in descriptor.path_in_schema.iter().enumerate() {
            if depth > 0 {
                let ParquetType::GroupType { fields, .. } = at else { return Err(unsupported()) };
                at = fields.iter().find(|field| field.name() == step.as_str()).ok_or_else(unsupported)?;
            }
            let info = at.get_field_info();
            if info.repetition == Repetition::Repeated {
                return Err(unsupported());
            }
            chain.push((info.name.clone(), info.repetition == Repetition::Optional));
        }
        let mut dtype = kind.dtype();
        let mut field = None;
        for (name, nullable) in chain.into_iter().rev() {
            if let Some(inner) = field.take() {
                dtype = ArrowDataType::Struct(vec![inner]);
            }
            field = Some(Field::new(name, dtype.clone(), nullable));
        }
        let field = field.ok_or_else(unsupported)?;
        Ok(Some(Self { name: name.to_owned(), leaf, kind, field }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn can_be_id(&self) -> bool {
        !matches!(self.kind, Kind::Float32 | Kind::Float64 | Kind::Bool)
    }

    pub(super) fn must_be_text(&self, source: &str, path: &Path) -> Result<()> {
        if self.kind == Kind::Bytes { Ok(()) } else { Err(self.unusable(source, path, "text")) }
    }

    pub(super) fn unusable(&self, source: &str, path: &Path, wanted: &str) -> Error {
        Error::source(source, format!("{}: column `{}` is not {wanted}", path.display(), self.name))
    }

    /// Decodes the column by `decode` and takes the leaf out of its structs.
    pub(super) fn values(
        &self,
        decode: &mut dyn FnMut(Field) -> std::result::Result<Vec<Box<dyn Array>>, String>,
    ) -> std::result::Result<Values, String> {
        let mut pieces = Vec::new();
        for mut array in decode(self.field.clone())? {
            let mut masks = Vec::new();
            while let Some(group) = array.as_any().downcast_ref::<StructArray>() {
                masks.extend(group.validity().cloned());
                let [inner] = group.values() else { return Err(format!("column `{}` decoded to another shape", self.name)) };
                let inner = inner.clone();
                array = inner;
            }
            if *array.dtype() != self.kind.dtype() {
                return Err(format!("column `{}` decoded to another type", self.name));
            }
            pieces.push(Piece { array, masks });
        }
        Ok(Values { kind: self.kind, pieces })
    }
}

impl Kind {
    fn dtype(self) -> ArrowDataType {
        match self {
            Self::Bytes => ArrowDataType::BinaryView,
            Self::Int32 | Self::Uint32 => ArrowDataType::Int32,
            Self::Int64 | Self::Uint64 => ArrowDataType::Int64,
            Self::Float32 => ArrowDataType::Float32,
            Self::Float64 => ArrowDataType::Float64,
            Self::Bool => ArrowDataType::Boolean,
        }
    }
}

fn kind(leaf: &PrimitiveType) -> Option<Kind> {
    use {PrimitiveConvertedType as Converted, PrimitiveLogicalType as Logical};
    let signed = match (&leaf.logical_type, &leaf.converted_type) {
        (Some(Logical::Integer(integer)), _) => {
            !matches!(integer, IntegerType::UInt8 | IntegerType::UInt16 | IntegerType::UInt32 | IntegerType::UInt64)
        }
        (None, Some(Converted::Uint8 | Converted::Uint16 | Converted::Uint32 | Converted::Uint64)) => false,
        (None, None | Some(Converted::Int8 | Converted::Int16 | Converted::Int32 | Converted::Int64)) => true,
        (Some(Logical::String | Logical::Enum | Logical::Json), _) | (None, Some(Converted::Utf8 | Converted::Enum | Converted::Json)) => {
            return (leaf.physical_type == PhysicalType::ByteArray).then_some(Kind::Bytes);
        }
        _ => return None, // dates, times, decimals and other binaries
    };
    Some(match (leaf.physical_type, signed) {
        (PhysicalType::ByteArray, _) => Kind::Bytes,
        (PhysicalType::Int32, true) => Kind::Int32,
        (PhysicalType::Int32, false) => Kind::Uint32,
        (PhysicalType::Int64, true) => Kind::Int64,
        (PhysicalType::Int64, false) => Kind::Uint64,
        (PhysicalType::Float, _) => Kind::Float32,
        (PhysicalType::Double, _) => Kind::Float64,
        (PhysicalType::Boolean, _) => Kind::Bool,
        (PhysicalType::Int96 | PhysicalType::FixedLenByteArray(_), _) => return None,
    })
}

/// The values of a column in one row group.
pub(super) struct Values {
    kind: Kind,
    pieces: Vec<Piece>,
}

struct Piece {
    array: Box<dyn Array>,
    /// Which rows of each enclosing struct are there.
    masks: Vec<Bitmap>,
}

/// One value, borrowed.
pub(super) enum Cell<'a> {
    Null,
    Bytes(&'a [u8]),
    Other(Value),
}

impl Values {
    /// The value of a row, counted from the row group's first.
    pub(super) fn get(&self, mut row: usize) -> Cell<'_> {
        for piece in &self.pieces {
            if row < piece.array.len() {
                return piece.get(row, self.kind);
            }
            row -= piece.array.len();
        }
        Cell::Null
    }
}

impl Piece {
    fn get(&self, row: usize, kind: Kind) -> Cell<'_> {
        let is_null = self.array.is_null(row) || self.masks.iter().any(|mask| mask.get(row) == Some(false));
        if is_null {
            return Cell::Null;
        }
        // The type was compared when the column was decoded.
        let value = match kind {
            Kind::Bytes => {
                return self.array.as_any().downcast_ref::<BinaryViewArray>().map_or(Cell::Null, |array| Cell::Bytes(array.value(row)));
            }
            Kind::Int32 => self.number::<i32>(row).map(Value::from),
            Kind::Uint32 => self.number::<i32>(row).map(|value| Value::from(value.cast_unsigned())),
            Kind::Int64 => self.number::<i64>(row).map(Value::from),
            Kind::Uint64 => self.number::<i64>(row).map(|value| Value::from(value.cast_unsigned())),
            Kind::Float32 => self.number::<f32>(row).map(Value::from),
            Kind::Float64 => self.number::<f64>(row).map(Value::from),
            Kind::Bool => self.array.as_any().downcast_ref::<BooleanArray>().map(|array| Value::from(array.value(row))),
        };
        value.map_or(Cell::Null, Cell::Other)
    }

    fn number<T: polars_arrow::types::NativeType>(&self, row: usize) -> Option<T> {
        Some(self.array.as_any().downcast_ref::<PrimitiveArray<T>>()?.value(row))
    }
}

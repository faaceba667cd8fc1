//! Cells of Arrow arrays as JSON values, lists and structs included: what Parquet and Arrow files are read through.

use polars_arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, DictionaryKey, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray,
};
use polars_arrow::datatypes::{ArrowDataType, Field, IntegerType};
use polars_arrow::types::{NativeType, Offset};
use serde_json::{Map, Value};

use super::Reader;
use crate::document::Document;
use crate::error::Cause;

/// The type with bytes in the place of text: a decoder of text refuses a whole batch for one bad byte,
/// and here that costs its row alone.
pub(super) fn undecoded(dtype: &ArrowDataType) -> ArrowDataType {
    let inner = |field: &Field| Field { dtype: undecoded(&field.dtype), ..field.clone() };
    match dtype.to_storage() {
        ArrowDataType::Utf8 => ArrowDataType::Binary,
        ArrowDataType::LargeUtf8 => ArrowDataType::LargeBinary,
        ArrowDataType::Utf8View => ArrowDataType::BinaryView,
        ArrowDataType::List(field) => ArrowDataType::List(Box::new(inner(field))),
        ArrowDataType::LargeList(field) => ArrowDataType::LargeList(Box::new(inner(field))),
        ArrowDataType::FixedSizeList(field, size) => ArrowDataType::FixedSizeList(Box::new(inner(field)), *size),
        ArrowDataType::Struct(fields) => ArrowDataType::Struct(fields.iter().map(inner).collect()),
        ArrowDataType::Dictionary(keys, values, sorted) => ArrowDataType::Dictionary(*keys, Box::new(undecoded(values)), *sorted),
        other => other.clone(),
    }
}

/// Whether values of an undecoded type are text.
pub(super) fn is_text(dtype: &ArrowDataType) -> bool {
    match dtype {
        ArrowDataType::Binary | ArrowDataType::LargeBinary | ArrowDataType::BinaryView => true,
        ArrowDataType::Dictionary(_, values, _) => is_text(values),
        _ => false,
    }
}

/// Whether values of the type are whole numbers.
pub(super) fn is_integer(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(dtype, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64)
}

/// Whether [`Row::value`] knows the undecoded type and all inside of it.
pub(super) fn is_known(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    match dtype {
        T::Null | T::Boolean | T::Float32 | T::Float64 => true,
        T::List(field) | T::LargeList(field) | T::FixedSizeList(field, _) => is_known(&field.dtype),
        T::Struct(fields) => fields.iter().all(|field| is_known(&field.dtype)),
        T::Dictionary(_, values, _) => is_known(values),
        other => is_text(other) || is_integer(other),
    }
}

/// The struct's field that a path of names leads to.
pub(super) fn at_path<'a>(mut dtype: &'a ArrowDataType, path: &[&str]) -> Option<&'a ArrowDataType> {
    for step in path {
        let ArrowDataType::Struct(fields) = dtype else { return None };
        dtype = &fields.iter().find(|field| field.name == **step)?.dtype;
    }
    Some(dtype)
}

/// Reads the cells of one row, no more of them than a record may have bytes.
pub(super) struct Row<'a> {
    reader: &'a Reader,
    left: u64,
}

impl<'a> Row<'a> {
    pub(super) fn new(reader: &'a Reader) -> Self {
        Self { reader, left: reader.source.max_record_bytes }
    }

    /// The bytes of a text.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Result<Value, Cause> {
        self.spend(bytes.len())?;
        Ok(Value::String(self.reader.decode(bytes)?.into_owned()))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Cause> {
        self.left = self.left.checked_sub(bytes as u64).ok_or_else(|| self.reader.too_long())?;
        Ok(())
    }

    /// What stands in a row of a column, at a path through its structs.
    pub(super) fn value(&mut self, array: &dyn Array, row: usize, path: &[String]) -> Result<Value, Cause> {
        if row >= array.len() || array.is_null(row) {
            return Ok(Value::Null);
        }
        if let Some((step, rest)) = path.split_first() {
            let Some(group) = array.as_any().downcast_ref::<StructArray>() else { return Ok(Value::Null) };
            let field = group.fields().iter().position(|field| field.name == step.as_str());
            return field.map_or(Ok(Value::Null), |field| self.value(group.values()[field].as_ref(), row, rest));
        }
        use ArrowDataType as T;
        Ok(match array.dtype() {
            T::Boolean => array.as_any().downcast_ref::<BooleanArray>().map(|array| array.value(row)).into(),
            T::Int8 => number::<i8>(array, row).into(),
            T::Int16 => number::<i16>(array, row).into(),
            T::Int32 => number::<i32>(array, row).into(),
            T::Int64 => number::<i64>(array, row).into(),
            T::UInt8 => number::<u8>(array, row).into(),
            T::UInt16 => number::<u16>(array, row).into(),
            T::UInt32 => number::<u32>(array, row).into(),
            T::UInt64 => number::<u64>(array, row).into(),
            T::Float32 => number::<f32>(array, row).into(),
            T::Float64 => number::<f64>(array, row).into(),
            T::Binary => self.binary::<i32>(array, row)?,
            T::LargeBinary => self.binary::<i64>(array, row)?,
            T::BinaryView => match array.as_any().downcast_ref::<BinaryViewArray>() {
                Some(array) => self.text(array.value(row))?,
                None => Value::Null,
            },
            T::List(_) => self.list(array.as_any().downcast_ref::<ListArray<i32>>().map(|array| array.value(row)))?,
            T::LargeList(_) => self.list(array.as_any().downcast_ref::<ListArray<i64>>().map(|array| array.value(row)))?,
            T::FixedSizeList(..) => self.list(array.as_any().downcast_ref::<FixedSizeListArray>().map(|array| array.value(row)))?,
            T::Struct(fields) => {
                let mut object = Map::new();
                let values = array.as_any().downcast_ref::<StructArray>().map(StructArray::values).unwrap_or_default();
                for (field, values) in fields.iter().zip(values) {
                    self.spend(field.name.len())?;
                    object.insert(field.name.to_string(), self.value(values.as_ref(), row, &[])?);
                }
                Value::Object(object)
            }
            T::Dictionary(keys, ..) => match keys {
                IntegerType::Int8 => self.entry::<i8>(array, row)?,
                IntegerType::Int16 => self.entry::<i16>(array, row)?,
                IntegerType::Int32 => self.entry::<i32>(array, row)?,
                IntegerType::Int64 => self.entry::<i64>(array, row)?,
                IntegerType::UInt8 => self.entry::<u8>(array, row)?,
                IntegerType::UInt16 => self.entry::<u16>(array, row)?,
                IntegerType::UInt32 => self.entry::<u32>(array, row)?,
                IntegerType::UInt64 => self.entry::<u64>(array, row)?,
                _ => Value::Null,
            },
            _ => Value::Null, // refused when the file was opened
        })
    }

    fn binary<O: Offset>(&mut self, array: &dyn Array, row: usize) -> Result<Value, Cause> {
        array.as_any().downcast_ref::<BinaryArray<O>>().map_or(Ok(Value::Null), |array| self.text(array.value(row)))
    }

    fn list(&mut self, items: Option<Box<dyn Array>>) -> Result<Value, Cause> {
        let Some(items) = items else { return Ok(Value::Null) };
        self.spend(items.len())?;
        (0..items.len()).map(|item| self.value(items.as_ref(), item, &[])).collect::<Result<_, _>>().map(Value::Array)
    }

    fn entry<K: DictionaryKey>(&mut self, array: &dyn Array, row: usize) -> Result<Value, Cause> {
        let Some(array) = array.as_any().downcast_ref::<DictionaryArray<K>>() else { return Ok(Value::Null) };
        match array.keys().value(row).try_into() {
            Ok(entry) => self.value(array.values().as_ref(), entry, &[]),
            Err(_) => Ok(Value::Null),
        }
    }
}

fn number<T: NativeType>(array: &dyn Array, row: usize) -> Option<T> {
    array.as_any().downcast_ref::<PrimitiveArray<T>>().map(|array| array.value(row))
}

impl Reader {
    /// The document of a row whose cells are these, by the names that the source has for them.
    pub(super) fn row<'a>(
        &self,
        cells: impl Iterator<Item = (&'a str, Result<Value, Cause>)>,
        fallback: impl FnOnce() -> String,
    ) -> Result<Document, Cause> {
        let mut record = Map::new();
        for (name, value) in cells {
            record.insert(name.to_owned(), value?);
        }
        // Its bytes were counted as they stand in the file.
        self.fields.document(record, u64::MAX, fallback)
    }
}

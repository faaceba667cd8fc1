//! A model and its adapters as one: row by row, so that memory is a piece of one matrix.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use rayon::prelude::*;

use super::{EMBEDDING, HEAD, Pretrained};
use crate::config::refuse;
use crate::error::{Error, Result};
use crate::lora::{AdapterFile, Base, Matrices};
use crate::model::{Adapters, Model, ScalarHead};

/// What adapters are merged into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergeBase {
    /// The numbers that were computed with in training: of `nf4` those that the four bits stand for. The
    /// adapters have learned to make up for what these lack.
    #[default]
    Trained,
    /// The numbers of the model's own files.
    Original,
}

impl FromStr for MergeBase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "trained" => Ok(Self::Trained),
            "original" => Ok(Self::Original),
            other => refuse("merge-base", format!("{other:?}, not trained or original")),
        }
    }
}

impl fmt::Display for MergeBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trained => "trained",
            Self::Original => "original",
        })
    }
}

/// Adapters that are part of a model.
#[derive(Debug)]
pub(super) struct Merged {
    adapters: AdapterFile,
    /// How the frozen matrices are rounded first.
    base: Base,
}

impl Pretrained {
    /// The model that computes alone what this one and the adapters compute together. `kept` is how its frozen
    /// matrices were kept in training; the adapters must belong to a model of this shape and vocabulary.
    pub fn merged(mut self, adapters: AdapterFile, kept: Base, into: MergeBase) -> Result<Self> {
        adapters.check(&self.config, self.vocab_size())?;
        self.path = adapters.path().to_path_buf();
        let base = if into == MergeBase::Trained { kept } else { Base::F32 };
        self.merged = Some(Merged { adapters, base });
        Ok(self)
    }

    /// The same with as many rows of the vocabulary as these adapters have, and with the head of a reward model where they have one.
    pub fn for_adapters(mut self, adapters: &AdapterFile) -> Result<Self> {
        if adapters.has(ScalarHead::Score.tensor()) {
            // The numbers of the head come from the adapters, whatever the seed.
            self = self.with_scalar_head(Some(ScalarHead::Score), 0)?;
        }
        let rows = adapters.rows().unwrap_or(self.vocab);
        if rows < self.vocab {
            let detail = format!("its tables have {rows} rows, those of the model {} {}", self.path.display(), self.vocab);
            return Err(Error::invalid(adapters.path(), detail));
        }
        let tables = if self.config.has_output() { &[EMBEDDING, HEAD][..] } else { &[EMBEDDING] };
        if let Some(table) = tables.iter().find(|table| rows > self.vocab && !adapters.has(table)) {
            let detail = format!("has {rows} rows of the vocabulary, the model {}, but no tensor `{table}` with the new ones", self.vocab);
            return Err(Error::invalid(adapters.path(), detail));
        }
        Ok(self.with_rows(rows))
    }

    /// This model frozen, kept as `kept` says, with the adapters beside its matrices: what was trained.
    pub fn beside(&self, adapters: &AdapterFile, kept: Base, device: &Device) -> Result<Model> {
        let made = Adapters { lora: adapters.lora(), base: kept, seed: 0, device };
        let mut model = self.adapted(Some(made), device)?;
        adapters.restore(&mut model)?;
        Ok(model)
    }
}

/// Numbers of a tensor piece by piece.
type Put<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

impl Merged {
    /// What was trained in full beside the adapters.
    pub(super) fn full(&self, name: &str) -> Option<&AdapterFile> {
        Some(&self.adapters).filter(|adapters| adapters.has(name))
    }

    /// The numbers of a tensor of this shape, of which `base` gives the frozen ones.
    pub(super) fn pieces(&self, name: &str, shape: &[usize], base: &dyn Fn(Put<'_>) -> Result<()>, put: Put<'_>) -> Result<()> {
        let &[_, columns] = shape else { return base(put) };
        let rounded = |put: Put<'_>| self.rounded(name, base, put);
        let Some(matrices) = self.adapters.beside(name)? else { return rounded(put) };
        let scale = self.adapters.lora().scale() as f32;
        let (mut rows, mut done) = (Vec::new(), 0);
        rounded(&mut |values| {
            rows.extend_from_slice(values);
            let whole = rows.len() / columns;
            rows[..whole * columns].par_chunks_exact_mut(columns).enumerate().for_each(|(at, row)| matrices.add(done + at, scale, row));
            put(&rows[..whole * columns])?;
            rows.drain(..whole * columns);
            done += whole;
            Ok(())
        })
    }

    /// The frozen numbers of a matrix as they are kept.
    fn rounded(&self, name: &str, base: &dyn Fn(Put<'_>) -> Result<()>, put: Put<'_>) -> Result<()> {
        let kept = if name == EMBEDDING || name == HEAD { self.base.of_tables() } else { self.base };
        let mut values = Vec::new();
        match kept {
            Base::F32 => base(put),
            Base::Bf16 => base(&mut |piece| {
                values.clear();
                values.extend_from_slice(piece);
                kept.round(&mut values);
                put(&values)
            }),
            // The scales of four bits follow from the whole matrix.
            Base::Nf4 => {
                base(&mut |piece| {
                    values.extend_from_slice(piece);
                    Ok(())
                })?;
                kept.round(&mut values);
                put(&values)
            }
        }
    }
}

impl Matrices {
    /// Adds `scale × B A` to one row of the matrix, and gives it the length that DoRA trained.
    fn add(&self, row: usize, scale: f32, values: &mut [f32]) {
        let rank = self.down.len() / values.len();
        let mut update = vec![0.0; values.len()];
        for (b, a) in self.up[row * rank..][..rank].iter().zip(self.down.chunks_exact(values.len())) {
            update.iter_mut().zip(a).for_each(|(sum, a)| *sum += b * a);
        }
        values.iter_mut().zip(update).for_each(|(value, update)| *value += scale * update);
        if let Some(lengths) = &self.lengths {
            let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            let factor = f64::from(lengths[row]) / squares.sqrt().max(f64::from(f32::MIN_POSITIVE).sqrt());
            values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
    }
}

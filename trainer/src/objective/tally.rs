//! Numbers beside the loss, added up over the pieces of a step.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use crate::error::{Error, Result};
use crate::kernels::check;

/// A number of one batch as a sum and a count; the mean is formed once for the whole step, as that of the loss.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Sum, `[1]`, 32-bit; of its gradient nothing is kept.
    pub sum: Tensor<1>,
    /// How many were added up. Known on the host, so that nothing waits for the device.
    pub count: u64,
}

/// Sums of the numbers beside the loss; they stay on the device until they are read.
#[derive(Clone, Debug)]
pub struct Tally {
    names: &'static [&'static str],
    /// `[M]`; none where there are no names.
    sums: Option<Tensor<1>>,
    counts: Vec<u64>,
}

impl Tally {
    /// Nothing yet of these numbers.
    pub(crate) fn new(names: &'static [&'static str], device: &Device) -> Self {
        let sums = (!names.is_empty()).then(|| Tensor::zeros([names.len()], device));
        Self { names, sums, counts: vec![0; names.len()] }
    }

    /// Adds those of a batch, one for each name.
    pub(crate) fn add(&mut self, metrics: Vec<Metric>) -> Result<()> {
        if metrics.len() != self.names.len() {
            let detail = format!("{} numbers beside the loss, its objective names {}", metrics.len(), self.names.len());
            return Err(Error::Batch(detail));
        }
        for (count, metric) in self.counts.iter_mut().zip(&metrics) {
            *count += metric.count;
        }
        if let Some(sums) = self.sums.take() {
            self.sums = Some(sums + Tensor::cat(metrics.into_iter().map(|metric| metric.sum.inner()).collect(), 0));
        }
        Ok(())
    }

    /// Adds those of other pieces.
    pub(crate) fn merge(&mut self, other: Self) {
        self.count(&other);
        self.sums = self.sums.take().zip(other.sums).map(|(sums, more)| sums + more);
    }

    /// The sums, to be added up with those of other cards.
    #[cfg(feature = "cuda")]
    pub(crate) fn sums_mut(&mut self) -> &mut Option<Tensor<1>> {
        &mut self.sums
    }

    /// Counts what another card has counted; the sums are added up on the cards.
    pub(crate) fn count(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    /// The mean of each number by its name, read from the device. What nothing was counted of is not there.
    pub fn read(self) -> Result<BTreeMap<String, f64>> {
        let Some(sums) = self.sums else { return Ok(BTreeMap::new()) };
        let operation = "read the numbers beside the loss";
        let sums = sums.try_into_vec_as::<f32>().map_err(Error::backend(operation))?;
        check(operation)?;
        let means = self.names.iter().zip(sums).zip(self.counts).filter(|(_, count)| *count > 0);
        Ok(means.map(|((name, sum), count)| ((*name).to_owned(), f64::from(sum) / count as f64)).collect())
    }
}

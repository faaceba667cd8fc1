//! Keys and values of tokens that went through the model, kept for those that come after them.

use std::sync::Arc;

use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor};

use super::{Model, ModelConfig, Precision};

/// Positions of a block: what a sequence's room is rounded up to.
pub(crate) const BLOCK: usize = 16;

/// A pool of blocks of [`BLOCK`] positions each, of which a sequence holds as many as it needs, wherever
/// they are (Kwon et al. 2023). Its size is fixed; sequences of any length share it.
#[derive(Debug)]
pub(crate) struct KvCache {
    /// One for each layer.
    pub(super) layers: Vec<Store>,
    /// Free blocks; the last is the next to be taken.
    free: Vec<u32>,
    blocks: usize,
}

/// Keys and values of one layer, `[P, K × D]` with P = blocks × [`BLOCK`].
#[derive(Debug)]
pub(super) struct Store {
    pub(super) keys_pw: Tensor<2>,
    pub(super) values_pw: Tensor<2>,
}

/// Where the positions of one sequence are in the pool.
pub(crate) type Slots = Arc<[u32]>;

impl KvCache {
    /// Bytes of one block of a model of this shape.
    pub(crate) fn block_bytes(config: &ModelConfig, precision: Precision) -> u64 {
        let number = if precision == Precision::Bf16 { 2 } else { 4 };
        number * 2 * (BLOCK * config.layers * config.kv_heads * config.head_size()) as u64
    }

    /// Blocks that hold so many positions.
    pub(crate) fn blocks_for(positions: usize) -> usize {
        positions.div_ceil(BLOCK)
    }

    /// An empty pool of this many blocks, below 2^27, on the model's device.
    pub(crate) fn new(model: &Model, blocks: usize) -> Self {
        let config = model.config();
        let shape = [blocks * BLOCK, config.kv_heads * config.head_size()];
        let dtype = if model.precision() == Precision::Bf16 { DType::BF16 } else { DType::F32 };
        let zeros = || Tensor::zeros(shape, (&model.device(), dtype));
        let layers = (0..config.layers).map(|_| Store { keys_pw: zeros(), values_pw: zeros() }).collect();
        Self { layers, free: (0..blocks as u32).rev().collect(), blocks }
    }

    /// Blocks in all.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Room for a sequence of this length; none where there is not enough.
    pub(crate) fn take(&mut self, positions: usize) -> Option<Slots> {
        let left = self.free.len().checked_sub(Self::blocks_for(positions))?;
        let blocks = self.free.split_off(left);
        let slots = blocks.iter().rev().flat_map(|&block| block * BLOCK as u32..(block + 1) * BLOCK as u32);
        Some(slots.take(positions).collect())
    }

    /// Gives a sequence's room back.
    pub(crate) fn give_back(&mut self, slots: &Slots) {
        let blocks = slots.iter().step_by(BLOCK).map(|slot| slot / BLOCK as u32);
        self.free.extend(blocks.rev());
    }
}

impl Store {
    /// Puts keys and values `[N, K × D]` of new tokens to their slots, in place.
    pub(super) fn write(self, slots_n: &Tensor<1, Int>, k_nw: Tensor<2>, v_nw: Tensor<2>) -> Self {
        let put = |pool: Tensor<2>, new: Tensor<2>| {
            let new = new.cast(pool.dtype());
            pool.select_assign(0, slots_n.clone(), new, IndexingUpdateOp::Assign)
        };
        Self { keys_pw: put(self.keys_pw, k_nw), values_pw: put(self.values_pw, v_nw) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn blocks_are_shared_and_come_back() {
        let config = ModelConfig { hidden: 8, layers: 2, heads: 2, kv_heads: 1, intermediate: 8, ..Default::default() };
        assert_eq!(KvCache::block_bytes(&config, Precision::F32), 4 * 2 * 16 * 2 * 4);
        let mut cache = KvCache::new(&config.init(&Device::flex(), 5, 1).unwrap(), 4);
        let short = cache.take(16).unwrap();
        let long = cache.take(33).unwrap();
        assert_eq!((short.len(), long.len()), (16, 33));
        let mut all: Vec<u32> = short.iter().chain(long.iter()).copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 49, "no slot is given twice");
        assert!(all.iter().all(|&slot| slot < 64));
        assert!(cache.take(1).is_none(), "the fourth block is the rest of the third's sequence");
        cache.give_back(&short);
        assert!(cache.take(17).is_none());
        assert_eq!(cache.take(9).unwrap()[..], short[..9]);
        cache.give_back(&long);
        assert_eq!(cache.take(48).unwrap()[..33], long[..]);
    }
}

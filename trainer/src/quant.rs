//! Weights in few bits: the formats that other programs read, and their numbers back.
//!
//! Plain arithmetic on slices, without tensors. Each codec gives the bytes of the program it is named
//! after, and its tests hold it against that program's own.

pub(crate) mod nf4;

mod dynamic_map;
mod mean;

//! Many sorted streams as one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::error::Result;

/// What all of the streams give, sorted; each is sorted by itself. After an error the order is lost.
///
/// # Errors
/// That of a stream's first item.
pub(super) fn merge<T: Copy + Ord>(mut streams: Vec<impl Iterator<Item = Result<T>>>) -> Result<impl Iterator<Item = Result<T>>> {
    let mut heads = BinaryHeap::with_capacity(streams.len());
    for (number, stream) in streams.iter_mut().enumerate() {
        if let Some(first) = stream.next() {
            heads.push(Reverse((first?, number)));
        }
    }
    Ok(std::iter::from_fn(move || {
        let mut head = heads.peek_mut()?;
        let Reverse((least, number)) = *head;
        // Replaced in place: one sift instead of a pop and a push.
        match streams[number].next() {
            Some(Ok(next)) => *head = Reverse((next, number)),
            Some(Err(error)) => return Some(Err(error)),
            None => drop(PeekMut::pop(head)),
        }
        Some(Ok(least))
    }))
}

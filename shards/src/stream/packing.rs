//! Whole documents put together into rows: for instruction data, whose answers must not be cut off
//! from their questions.
//!
//! Best fit decreasing: documents go in from the longest to the shortest, each into the fullest row
//! that still has room for it. Ding et al. 2024 (arXiv 2404.10830) show that hardly a place stays empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What packing a bucket gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Packed {
    /// Rows of one epoch.
    pub rows: u64,
    /// Documents that are longer than a row. They are left out: cut, they would teach what is wrong.
    pub too_long_documents: u64,
    /// Their tokens.
    pub too_long_tokens: u64,
    /// Whether every document has a row to itself, so that rows count documents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

/// The documents of every row, by number. Eight bytes for each document.
#[derive(Debug)]
pub(crate) struct Packing {
    /// Number of documents up to and with each row.
    ends: Vec<u32>,
    /// Documents of the rows, one row after another, ascending in each.
    documents: Vec<u32>,
    packed: Packed,
}

/// In no row.
const NONE: u32 = u32::MAX;

impl Packing {
    /// Packs documents of these lengths, in tokens with the end token, into rows of `seq_len`; each into
    /// one of its own where they are to be `alone`.
    pub(crate) fn new(lengths: &[u32], seq_len: u32, alone: bool) -> Result<Self> {
        if u32::try_from(lengths.len()).is_err() {
            return Err(Error::Stream(format!("{} documents to pack in one bucket, at most {}", lengths.len(), u32::MAX)));
        }
        let mut order: Vec<u32> = (0..lengths.len() as u32).filter(|&document| lengths[document as usize] <= seq_len).collect();
        order.sort_by_key(|&document| std::cmp::Reverse(lengths[document as usize])); // stable: of equal ones the first
        let mut row_of = vec![NONE; lengths.len()];
        // Rows by the places they have left.
        let mut open = BTreeMap::<u32, Vec<u32>>::new();
        let mut rows = 0;
        for &document in &order {
            let length = lengths[document as usize];
            let room = open.range(length..).next().map(|(&room, _)| room);
            let (row, room) = match room.and_then(|room| Some((open.get_mut(&room)?.pop()?, room))) {
                Some(found) => found,
                None => {
                    rows += 1;
                    (rows - 1, seq_len)
                }
            };
            if open.get(&room).is_some_and(Vec::is_empty) {
                open.remove(&room);
            }
            row_of[document as usize] = row;
            if room > length && !alone {
                open.entry(room - length).or_default().push(row);
            }
        }
        drop((order, open));
        Ok(Self::gather(lengths, &row_of, rows, alone))
    }

    /// Lists the documents by row; rows are numbered in the order of their first documents.
    fn gather(lengths: &[u32], row_of: &[u32], rows: u32, alone: bool) -> Self {
        let mut number = vec![NONE; rows as usize];
        let mut counts = Vec::with_capacity(rows as usize);
        let mut packed = Packed { rows: u64::from(rows), alone, ..Packed::default() };
        for (&row, &length) in row_of.iter().zip(lengths) {
            if row == NONE {
                packed.too_long_documents += 1;
                packed.too_long_tokens += u64::from(length);
                continue;
            }
            let number = &mut number[row as usize];
            if *number == NONE {
                *number = counts.len() as u32;
                counts.push(0u32);
            }
            counts[*number as usize] += 1;
        }
        let mut end = 0;
        let ends: Vec<u32> = counts.iter().map(|count| (end += count, end).1).collect();
        let mut next: Vec<u32> = ends.iter().zip(&counts).map(|(end, count)| end - count).collect();
        let mut documents = vec![0; end as usize];
        for (document, &row) in row_of.iter().enumerate().filter(|(_, row)| **row != NONE) {
            let place = &mut next[number[row as usize] as usize];
            documents[*place as usize] = document as u32;
            *place += 1;
        }
        Self { ends, documents, packed }
    }

    pub(crate) fn packed(&self) -> Packed {
        self.packed
    }

    /// Numbers of the documents of a row; of none past the last.
    pub(crate) fn row(&self, row: u64) -> &[u32] {
        let Some((row, &end)) = usize::try_from(row).ok().and_then(|row| Some((row, self.ends.get(row)?))) else { return &[] };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.documents[start as usize..end as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documents_go_where_they_fit_best() {
        // The longest first, into the fullest row with room: 9; 6; 5; 5 to the other 5; 3 to the 6.
        let packing = Packing::new(&[3, 9, 5, 11, 6, 5, 1], 10, false).unwrap();
        let rows: Vec<&[u32]> = (0..3).map(|row| packing.row(row)).collect();
        assert_eq!(packing.packed(), Packed { rows: 3, too_long_documents: 1, too_long_tokens: 11, alone: false });
        // The 1 would fill both; of rows with equal room the one that was filled last is taken.
        assert_eq!(rows, [&[0, 4, 6][..], &[1], &[2, 5]]);
        assert!(packing.row(3).is_empty());
        assert_eq!(Packing::new(&[], 10, false).unwrap().packed(), Packed::default());
    }

    #[test]
    fn documents_that_are_alone_keep_their_order() {
        let packing = Packing::new(&[3, 9, 5, 11, 6, 5, 1], 10, true).unwrap();
        let rows: Vec<&[u32]> = (0..6).map(|row| packing.row(row)).collect();
        assert_eq!(packing.packed(), Packed { rows: 6, too_long_documents: 1, too_long_tokens: 11, alone: true });
        assert_eq!(rows, [[0], [1], [2], [4], [5], [6]]);
    }

    proptest! {
        #[test]
        fn every_document_is_in_one_row_and_rows_do_not_overflow(lengths in proptest::collection::vec(1u32..70, 0..300), seq_len in 1u32..64) {
            let packing = Packing::new(&lengths, seq_len, false).unwrap();
            let mut seen = vec![0; lengths.len()];
            let mut firsts = Vec::new();
            let mut halves = 0;
            for row in 0..packing.packed().rows {
                let documents = packing.row(row);
                prop_assert!(!documents.is_empty() && documents.is_sorted());
                documents.iter().for_each(|&document| seen[document as usize] += 1);
                let sum: u32 = documents.iter().map(|&document| lengths[document as usize]).sum();
                prop_assert!(sum <= seq_len);
                halves += u32::from(2 * sum <= seq_len);
                firsts.push(documents[0]);
            }
            prop_assert!(firsts.is_sorted() && halves <= 1, "two rows that would go into one");
            let long = lengths.iter().filter(|length| **length > seq_len);
            prop_assert_eq!(packing.packed().too_long_documents, long.clone().count() as u64);
            prop_assert_eq!(packing.packed().too_long_tokens, long.map(|length| u64::from(*length)).sum::<u64>());
            for (count, length) in seen.iter().zip(&lengths) {
                prop_assert_eq!(*count, i32::from(*length <= seq_len));
            }
        }
    }
}

//! A SentencePiece BPE model, as a [`Spec`].
//!
//! SentencePiece joins any two neighbours whose text is a piece, the best score first. That is one rank for
//! each piece, shared by all pairs that make it.

use std::collections::{BTreeSet, HashMap};

use super::super::Unsupported;
use super::super::added::Added;
use super::super::load::{Result, no};
use super::super::pairs::{MAX_MERGES, TIED};
use super::{Lead, MARK, Spec, UNKNOWN, Unknown};
use crate::tokenizer::MAX_VOCAB;
use crate::tokenizer::proto::{self, PieceKind};
use crate::tokenizer::sentencepiece::byte_piece;

/// The model, and whether the engine normalizes text as well.
pub(super) fn read(file: &[u8]) -> Result<(Spec, bool)> {
    let settings = proto::settings(file).map_err(Unsupported)?;
    let pieces = proto::pieces(file, MAX_VOCAB).map_err(Unsupported)?;
    if settings.model_type != 2 {
        return no("a model other than BPE");
    }
    if !settings.escape_spaces {
        return no("spaces that are not marks");
    }
    let spaced = |text: &str| text.replace(MARK, " ");
    let (mut ids, mut users, mut learnt, mut bytes) = (HashMap::new(), Vec::new(), Vec::new(), HashMap::new());
    let mut unknown = None;
    for (piece, id) in pieces.iter().zip(0..) {
        match piece.kind {
            PieceKind::Normal | PieceKind::UserDefined if piece.text.contains(' ') || piece.text.is_empty() => {
                return no("a piece with a space");
            }
            PieceKind::Normal => {
                ids.insert(spaced(&piece.text), id);
                if piece.text.chars().nth(1).is_some() {
                    learnt.push((piece.score, id));
                }
            }
            PieceKind::UserDefined => users.push(Added { content: spaced(&piece.text), id: Some(id) }),
            PieceKind::Unused => return no("unused pieces"),
            PieceKind::Unknown => unknown = Some(id),
            PieceKind::Byte => drop(byte_piece(&piece.text).map(|byte| bytes.insert(byte, id))),
            PieceKind::Control => {}
        }
    }
    let Some(unknown) = unknown else {
        return no("no unknown piece");
    };
    learnt.sort_by(|(a, _): &(f32, u32), (b, _)| b.total_cmp(a));
    if learnt.iter().any(|(score, _)| score.is_nan()) {
        return no("a score that is no number");
    }
    let hidden = pieces.len() as u32;
    let inside = learnt.iter().flat_map(|(_, id)| pieces[*id as usize].text.chars());
    let inside: BTreeSet<char> = inside.map(|character| if character == MARK { ' ' } else { character }).collect();
    let without: Vec<char> = inside.into_iter().filter(|character| !ids.contains_key(character.encode_utf8(&mut [0; 4]) as &str)).collect();
    ids.extend(without.into_iter().map(String::from).zip(hidden..));
    let mut characters: Vec<(char, u32)> = ids
        .iter()
        .filter_map(|(text, &id)| {
            let mut characters = text.chars();
            Some((characters.next().filter(|_| characters.next().is_none())?, id))
        })
        .collect();
    characters.sort_unstable();
    if characters.iter().any(|&(_, id)| id >= UNKNOWN) || pieces.len() >= UNKNOWN as usize || learnt.len() > MAX_MERGES {
        return no("too many pieces");
    }
    let (mut merges, mut tied) = (Vec::new(), Vec::new());
    for (rank, pieces_of_rank) in learnt.chunk_by(|a, b| a.0 == b.0).enumerate() {
        for &(_, id) in pieces_of_rank {
            let text = spaced(&pieces[id as usize].text);
            for (at, _) in text.char_indices().skip(1) {
                if let (Some(&left), Some(&right)) = (ids.get(&text[..at]), ids.get(&text[at..])) {
                    merges.push((left, right, rank as u32));
                    if pieces_of_rank.len() > 1 {
                        tied.push((left, right, id));
                    }
                }
            }
        }
    }
    let by_rank = learnt.chunk_by(|a, b| a.0 == b.0).map(|of_rank| if of_rank.len() > 1 { TIED } else { of_rank[0].1 }).collect();
    let made = learnt.iter().map(|&(_, id)| (id, spaced(&pieces[id as usize].text))).collect();
    let unknown = match settings.byte_fallback {
        false => Unknown::Id { id: unknown, fuse: true },
        true => {
            let ids: Option<Vec<u32>> = (0..=255u8).map(|byte| bytes.get(&byte).copied()).collect();
            let ids = ids.and_then(|ids| <Box<[u32; 256]>>::try_from(ids).ok());
            Unknown::Bytes(ids.ok_or_else(|| Unsupported("a byte without a piece".to_owned()))?)
        }
    };
    let normalizes = settings.plain_normalizer();
    let lead = if normalizes && settings.add_dummy_prefix { Lead::Always } else { Lead::Never };
    let spec = Spec {
        raw: Vec::new(),
        normalized: users,
        marked: true,
        lead,
        split: false,
        characters,
        hidden,
        merges,
        by_rank,
        tied,
        made,
        unknown,
    };
    Ok((spec, normalizes))
}

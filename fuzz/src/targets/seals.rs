//! Checksums made right again. Few mutations of a sealed file would get any further than to its seal.

use xxhash_rust::xxh3::xxh3_64;

/// The last eight bytes as the xxh3 of those before: models of filters.
pub(super) fn xxh3_last(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(8)];
    [body, &xxh3_64(body).to_le_bytes()].concat()
}

/// A file between stages of deduplication (`filters/src/dedup/sealed.rs`): header, body, a table with end and checksum of
/// each section, trailer. The body takes what header, table and trailer leave.
pub(super) fn shuffle(bytes: &[u8]) -> Vec<u8> {
    const HEADER: usize = 16;
    const TRAILER: usize = 64;
    const ENTRY: usize = 16;
    let mut sealed = bytes.to_vec();
    let Some(inside) = sealed.len().checked_sub(HEADER + TRAILER) else { return sealed };
    let trailer = HEADER + inside;
    let sections = (u64_at(&sealed, trailer + 40) % 64).min((inside / ENTRY) as u64) as usize;
    let body = inside - sections * ENTRY;
    let mut start = 0;
    for section in 0..sections {
        let entry = HEADER + body + section * ENTRY;
        let end = if section + 1 == sections { body } else { (u64_at(&sealed, entry) as usize).clamp(start, body) };
        put(&mut sealed, entry, end as u64);
        let hash = xxh3_64(&sealed[HEADER + start..HEADER + end]);
        put(&mut sealed, entry + 8, hash);
        start = end;
    }
    put(&mut sealed, trailer + 32, body as u64);
    put(&mut sealed, trailer + 40, sections as u64);
    let table = xxh3_64(&sealed[HEADER + body..trailer]);
    put(&mut sealed, trailer + 48, table);
    let seal = xxh3_64(&[&sealed[..HEADER], &sealed[trailer..trailer + 56]].concat());
    put(&mut sealed, trailer + 56, seal);
    sealed
}

/// A shard (`shards/FORMAT.md`): the hashes of sections, of blocks where tokens are not compressed, and of the header.
pub(super) fn shard(bytes: &[u8]) -> Vec<u8> {
    const HEADER: usize = 4096;
    const TOKENS: u32 = 1;
    const BLOCK_HASH: u32 = 6;
    let mut sealed = bytes.to_vec();
    if sealed.len() < HEADER {
        return sealed;
    }
    let length = sealed.len() as u64;
    put(&mut sealed, 80, length);
    let kind = |sealed: &[u8], row: usize| u64_at(sealed, row) as u32;
    let place = |sealed: &[u8], row: usize| {
        let start = (u64_at(sealed, row + 8) as usize).min(sealed.len());
        start..start.saturating_add(u64_at(sealed, row + 16) as usize).min(sealed.len())
    };
    let rows: Vec<usize> = (0..u64_at(&sealed, 52) as u32 as usize % 32).map(|row| 256 + 64 * row).collect();
    let find = |sealed: &[u8], wanted: u32| rows.iter().copied().find(|row| kind(sealed, *row) == wanted);
    if let (Some(tokens), Some(hashes)) = (find(&sealed, TOKENS), find(&sealed, BLOCK_HASH)) {
        let (tokens, hashes) = (place(&sealed, tokens), place(&sealed, hashes));
        // One block, as in any file of the size that is fuzzed.
        if hashes.len() == 32 && hashes.start >= HEADER {
            let hash = *blake3::hash(&sealed[tokens]).as_bytes();
            sealed[hashes].copy_from_slice(&hash);
        }
    }
    for row in &rows {
        let hashed = if kind(&sealed, *row) == TOKENS { find(&sealed, BLOCK_HASH).unwrap_or(*row) } else { *row };
        let hash = *blake3::hash(&sealed[place(&sealed, hashed)]).as_bytes();
        sealed[row + 32..row + 64].copy_from_slice(&hash);
    }
    sealed[16..48].fill(0);
    let hash = *blake3::hash(&sealed[..HEADER]).as_bytes();
    sealed[16..48].copy_from_slice(&hash);
    sealed
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

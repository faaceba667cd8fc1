//! llm.c's token files (`dev/data/data_common.py`): 256 numbers of 32 bits, of which the first three are
//! magic, version and count, then the tokens. `dev/data/fineweb.py` puts the end token before each
//! document and cuts files in the middle of documents.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::files::{NewFile, appended, exported, write_tokens};
use super::tokens::{Number, TokenFile};
use super::{Foreign, ForeignDocument, ForeignOptions};
use crate::error::{Error, Result};
use crate::header::u32_at;
use crate::reader::ShardReader;

const HEADER: u64 = 1024;
/// Magic, version and token type of `gpt-2` and `llama-3`.
const SHORT: (u32, u32, Number) = (20_240_520, 1, Number::U16);
const WIDE: (u32, u32, Number) = (20_240_801, 7, Number::U32);

pub(super) fn read(foreign: &Foreign, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
    let mut header = [0; 12];
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("inspect", path))?.len();
    if length < HEADER {
        let detail =
            format!("not a token file of llm.c: {length} bytes, its header alone has {HEADER}; for Megatron-LM an .idx is missing");
        return Err(Error::Format { path: path.to_path_buf(), detail });
    }
    file.read_exact(&mut header).map_err(Error::io("read", path))?;
    let (magic, version, count) = (u32_at(&header, 0), u32_at(&header, 4), u32_at(&header, 8));
    let Some(kind) = [SHORT, WIDE].into_iter().find(|kind| kind.0 == magic) else {
        let detail = format!("not a token file of llm.c (magic {magic}); for Megatron-LM an .idx is missing beside it");
        return Err(Error::Format { path: path.to_path_buf(), detail });
    };
    if version != kind.1 {
        return Err(Error::corrupt(path, 4, format!("version {version}, known is {} for magic {magic}", kind.1)));
    }
    let file = TokenFile::open(path, kind.2, HEADER, foreign.vocab_size)?;
    if file.tokens() != u64::from(count) {
        return Err(Error::corrupt(path, 8, format!("the header says {count} tokens, the file has {}", file.tokens())));
    }
    file.delimited(foreign.eos, true, visit)
}

pub(super) fn write(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    let (magic, version, number) = if shard.vocab_size() <= 1 << 16 { SHORT } else { WIDE };
    let count = if options.end_tokens { shard.token_count() } else { shard.token_count() - shard.len() };
    let Some(count) = i32::try_from(count).ok() else {
        let detail = format!("{count} tokens are more than a file of llm.c holds (2^31 - 1); smaller parts make smaller shards");
        return Err(Error::Format { path: shard.path().to_path_buf(), detail });
    };
    let width = number.width() as u32;
    let mut out = NewFile::create(appended(path, "bin"))?;
    let mut header = [0; HEADER as usize];
    header[..4].copy_from_slice(&magic.to_le_bytes());
    header[4..8].copy_from_slice(&version.to_le_bytes());
    header[8..12].copy_from_slice(&count.to_le_bytes());
    out.write(&header)?;
    for document in 0..shard.len() {
        let range = exported(shard, document, options)?;
        if options.end_tokens {
            out.write(&shard.eos().to_le_bytes()[..width as usize])?;
            write_tokens(shard, range.start..range.end - 1, width, &mut out)?;
        } else {
            write_tokens(shard, range, width, &mut out)?;
        }
    }
    Ok(vec![out.finish()?])
}

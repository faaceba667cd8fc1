//! Symbols by character.

const BLOCK: usize = 256;
const BLOCKS: usize = 0x11_0000 / BLOCK;
const NONE: u32 = u32::MAX;

/// The symbol of every character that has one: blocks of 256, of which those without any are one.
pub(super) struct Symbols {
    blocks: Vec<u16>,
    symbols: Vec<u32>,
    /// Symbols from this one on are not in the vocabulary.
    first_hidden: u32,
    /// Their characters.
    hidden: Vec<u32>,
}

impl Symbols {
    pub(super) fn new(characters: &[(char, u32)], first_hidden: u32) -> Self {
        let mut table = Self { blocks: vec![0; BLOCKS], symbols: vec![NONE; BLOCK], first_hidden, hidden: Vec::new() };
        for &(character, symbol) in characters {
            let (block, place) = (character as usize / BLOCK, character as usize % BLOCK);
            if table.blocks[block] == 0 {
                table.blocks[block] = (table.symbols.len() / BLOCK) as u16;
                table.symbols.resize(table.symbols.len() + BLOCK, NONE);
            }
            table.symbols[usize::from(table.blocks[block]) * BLOCK + place] = symbol;
            if symbol >= first_hidden {
                let at = (symbol - first_hidden) as usize;
                table.hidden.resize(table.hidden.len().max(at + 1), NONE);
                table.hidden[at] = character as u32;
            }
        }
        table
    }

    /// The symbol of a character.
    #[inline]
    pub(super) fn get(&self, code: u32) -> Option<u32> {
        let block = self.blocks.get(code as usize / BLOCK).copied().unwrap_or(0);
        let symbol = self.symbols[usize::from(block) * BLOCK + code as usize % BLOCK];
        (symbol != NONE).then_some(symbol)
    }

    /// The character of a symbol that is not in the vocabulary.
    #[inline]
    pub(super) fn hidden(&self, symbol: u32) -> Option<u32> {
        symbol.checked_sub(self.first_hidden).and_then(|at| self.hidden.get(at as usize)).copied()
    }
}

//! Text of a sequence as it grows.

use shards::Tokenizer;

use crate::error::Result;

/// What stands for bytes that are no whole character.
const BROKEN: char = '\u{FFFD}';
/// Tokens of the prompt that are decoded along: some tokenizers spell a token by what is before it.
const BEFORE: usize = 4;

/// Turns the tokens of one sequence into text, piece by piece: a character comes when all of its bytes
/// are there, and what could be the beginning of a stop string waits until it is not.
#[derive(Clone, Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    stops: Vec<String>,
    /// Tokens whose text is not given in full, with some before them.
    window: Vec<u32>,
    /// How many tokens of the window are before them.
    known: usize,
    /// Text that may be the beginning of a stop string.
    held: String,
    text: String,
    stopped: bool,
}

/// What a token added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// New text, often empty.
    pub text: String,
    /// Whether a stop string is complete: neither it nor what follows it is part of the text.
    pub stopped: bool,
}

impl<'a> TextStream<'a> {
    /// For a sequence that begins with `prompt`. Empty stop strings never stop.
    pub fn new(tokenizer: &'a Tokenizer, prompt: &[u32], stops: &[String]) -> Self {
        let window = prompt[prompt.len().saturating_sub(BEFORE)..].to_vec();
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { tokenizer, stops, known: window.len(), window, held: String::new(), text: String::new(), stopped: false }
    }

    /// Adds a token.
    pub fn push(&mut self, id: u32) -> Result<Piece> {
        self.window.push(id);
        let text = self.tokenizer.decode(&self.window)?;
        if self.stopped || text.ends_with(BROKEN) {
            return Ok(Piece { text: String::new(), stopped: self.stopped });
        }
        self.take(&text)
    }

    /// The rest of the text, when no token follows.
    pub fn finish(&mut self) -> Result<String> {
        if self.stopped {
            return Ok(String::new());
        }
        let text = self.tokenizer.decode(&self.window)?;
        let Piece { text, stopped } = self.take(&text)?;
        let rest = if stopped { String::new() } else { std::mem::take(&mut self.held) };
        self.text += &rest;
        Ok(text + &rest)
    }

    /// Whether a stop string is complete.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// All text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes the text of the window, all of whose characters are whole or will stay as they are.
    fn take(&mut self, text: &str) -> Result<Piece> {
        let before = self.tokenizer.decode(&self.window[..self.known])?;
        let new = text.strip_prefix(before.trim_end_matches(BROKEN)).unwrap_or(text);
        self.held += new;
        // What is given is context now, the last tokens of it.
        self.window.drain(..self.window.len().saturating_sub(BEFORE));
        self.known = self.window.len();
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop)).min();
        let end = found.unwrap_or_else(|| self.held.len() - self.waiting());
        let text: String = self.held.drain(..end).collect();
        self.stopped = found.is_some();
        self.text += &text;
        Ok(Piece { text, stopped: self.stopped })
    }

    /// Bytes at the end of what is held that begin a stop string.
    fn waiting(&self) -> usize {
        let starts = self.held.char_indices().map(|(at, _)| &self.held[at..]);
        starts
            .map(|rest| (rest, rest.len()))
            .find(|(rest, _)| self.stops.iter().any(|stop| stop.starts_with(rest)))
            .map_or(0, |(_, length)| length)
    }
}

#[cfg(test)]
mod tests;

//! The text of a page as the JSON parser takes it: UTF-8 without a byte order mark, a piece at a time.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use super::surrogates;
use crate::error::{Code, LinkError};

/// Bytes that are read at once.
pub(super) const PIECE: usize = 64 * 1024;
/// Bytes of the longest mark.
const LONGEST_MARK: usize = 3;

/// Reads bytes as text: UTF-8, or UTF-16 with its byte order mark. Unpaired surrogates become U+FFFD. What is not UTF-8 is passed on:
/// the parser finds it, and knows in which row and column.
///
/// Its errors carry a [`LinkError`] that says why; but [`io::ErrorKind::FileTooLarge`], which is for the reader of rows to explain.
pub(super) struct Text<'a, R> {
    bytes: R,
    /// Whether the caller has stopped waiting.
    is_gone: &'a dyn Fn() -> bool,
    /// Explains why the bytes cannot be read.
    unreadable: &'a dyn Fn(&io::Error) -> LinkError,
    encoding: Option<Encoding>,
    raw: Vec<u8>,
    decoded: Vec<u8>,
    /// Up to where `decoded` is final, and up to where it was given.
    is_final: usize,
    given: usize,
    is_over: bool,
    allowance: Allowance,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

const MARKS: [(&[u8], Encoding); 3] = [
    (&[0xEF, 0xBB, 0xBF], Encoding::Utf8),
    (&[0xFF, 0xFE], Encoding::Utf16(u16::from_le_bytes)),
    (&[0xFE, 0xFF], Encoding::Utf16(u16::from_be_bytes)),
];

/// How many bytes may be read before it is renewed: a page may be of any size, but what is kept of it at once is bounded.
#[derive(Clone)]
pub(super) struct Allowance(Rc<Cell<usize>>);

impl Allowance {
    /// The most of it.
    pub(super) const MOST: usize = 16 * 1024 * 1024;

    fn new() -> Self {
        Self(Rc::new(Cell::new(Self::MOST)))
    }

    pub(super) fn renew(&self) {
        self.0.set(Self::MOST);
    }

    /// For what is passed over, until it is renewed.
    pub(super) fn lift(&self) {
        self.0.set(usize::MAX);
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        self.0.set(self.0.get().checked_sub(bytes).ok_or(io::ErrorKind::FileTooLarge)?);
        Ok(())
    }
}

impl<'a, R: Read> Text<'a, R> {
    pub(super) fn new(
        bytes: R,
        is_gone: &'a dyn Fn() -> bool,
        unreadable: &'a dyn Fn(&io::Error) -> LinkError,
    ) -> Self {
        let (raw, decoded) = (Vec::new(), Vec::new());
        Self {
            bytes,
            is_gone,
            unreadable,
            encoding: None,
            raw,
            decoded,
            is_final: 0,
            given: 0,
            is_over: false,
            allowance: Allowance::new(),
        }
    }

    /// What may be read before the reader of rows renews it.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    fn read_more(&mut self) -> io::Result<()> {
        if (self.is_gone)() {
            return Err(io::Error::other(LinkError::new(Code::Internal, "Nobody waits for this import.")));
        }
        self.decoded.drain(..self.given);
        let before = self.raw.len();
        self.raw.resize(before + PIECE, 0);
        let read = loop {
            match self.bytes.read(&mut self.raw[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| io::Error::other((self.unreadable)(&error)))?,
            }
        };
        self.raw.truncate(before + read);
        self.is_over = read == 0;
        self.decode()?;
        (self.is_final, self.given) = (surrogates::replace_unpaired(&mut self.decoded, self.is_over), 0);
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            // A pipe may give a mark byte by byte.
            None if self.raw.len() < LONGEST_MARK && !self.is_over => return Ok(()),
            None => {
                let marked = MARKS.iter().find(|(mark, _)| self.raw.starts_with(mark));
                self.raw.drain(..marked.map_or(0, |(mark, _)| mark.len()));
                *self.encoding.insert(marked.map_or(Encoding::Utf8, |(_, encoding)| *encoding))
            }
        };
        match encoding {
            Encoding::Utf8 => self.decoded.append(&mut self.raw),
            Encoding::Utf16(unit) => {
                let (pairs, half) = self.raw.as_chunks();
                if self.is_over && !half.is_empty() {
                    let cut = io::Error::other("it is UTF-16 and ends within a character");
                    return Err(io::Error::other((self.unreadable)(&cut)));
                }
                let mut units: Vec<_> = pairs.iter().map(|pair| unit(*pair)).collect();
                // Its other half may come with the next piece.
                units.pop_if(|last| (0xD800..=0xDBFF).contains(last) && !self.is_over);
                self.raw.drain(..2 * units.len());
                let characters = char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER));
                self.decoded.extend_from_slice(characters.collect::<String>().as_bytes());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Text<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.is_final && !self.is_over {
            self.read_more()?;
        }
        let count = into.len().min(self.is_final - self.given);
        self.allowance.take(count)?;
        into[..count].copy_from_slice(&self.decoded[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

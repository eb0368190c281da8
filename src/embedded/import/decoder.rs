//! Decodes a page for the JSON parser: UTF-8 without a byte order mark, a chunk at a time.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use super::surrogates;
use crate::{embedded::error::cancelled, error::LinkError};

pub(super) const CHUNK: usize = 64 * 1024;
const LONGEST_MARK: usize = 3;

/// Decodes UTF-8, or UTF-16 with a byte order mark. Unpaired surrogates become U+FFFD. Invalid UTF-8 is passed on to the parser, which
/// can report the row and the column.
///
/// Its I/O errors wrap a [`LinkError`], except [`io::ErrorKind::FileTooLarge`] from the [`ReadLimit`], which the reader of rows explains.
pub(super) struct Decoder<'a, R> {
    bytes: R,
    is_cancelled: &'a dyn Fn() -> bool,
    /// Makes the error for bytes that cannot be read.
    unreadable: &'a dyn Fn(&io::Error) -> LinkError,
    encoding: Option<Encoding>,
    raw: Vec<u8>,
    decoded: Vec<u8>,
    /// End of the final bytes in `decoded`.
    final_end: usize,
    /// End of the bytes in `decoded` that the parser has read.
    consumed: usize,
    is_over: bool,
    limit: ReadLimit,
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

/// Bytes that may still be read before the limit is reset. A page may have any size, but a single row must fit into memory.
#[derive(Clone)]
pub(super) struct ReadLimit(Rc<Cell<usize>>);

impl ReadLimit {
    pub(super) const MAX: usize = 16 * 1024 * 1024;

    fn new() -> Self {
        Self(Rc::new(Cell::new(Self::MAX)))
    }

    pub(super) fn reset(&self) {
        self.0.set(Self::MAX);
    }

    /// Removes the limit until it is reset, for values that are skipped.
    pub(super) fn lift(&self) {
        self.0.set(usize::MAX);
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        self.0.set(self.0.get().checked_sub(bytes).ok_or(io::ErrorKind::FileTooLarge)?);
        Ok(())
    }
}

impl<'a, R: Read> Decoder<'a, R> {
    pub(super) fn new(
        bytes: R,
        is_cancelled: &'a dyn Fn() -> bool,
        unreadable: &'a dyn Fn(&io::Error) -> LinkError,
    ) -> Self {
        Self {
            bytes,
            is_cancelled,
            unreadable,
            encoding: None,
            raw: Vec::new(),
            decoded: Vec::new(),
            final_end: 0,
            consumed: 0,
            is_over: false,
            limit: ReadLimit::new(),
        }
    }

    /// The limit that the reader of rows resets after each row.
    pub(super) fn limit(&self) -> ReadLimit {
        self.limit.clone()
    }

    fn read_more(&mut self) -> io::Result<()> {
        if (self.is_cancelled)() {
            return Err(io::Error::other(cancelled()));
        }
        self.decoded.drain(..self.consumed);
        let before = self.raw.len();
        self.raw.resize(before + CHUNK, 0);
        let read = loop {
            match self.bytes.read(&mut self.raw[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| io::Error::other((self.unreadable)(&error)))?,
            }
        };
        self.raw.truncate(before + read);
        self.is_over = read == 0;
        self.decode()?;
        (self.final_end, self.consumed) = (surrogates::replace_unpaired(&mut self.decoded, self.is_over), 0);
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            // A pipe may deliver the mark byte by byte.
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
                // The second half of a pair may follow in the next chunk.
                units.pop_if(|last| (0xD800..=0xDBFF).contains(last) && !self.is_over);
                self.raw.drain(..2 * units.len());
                let characters =
                    char::decode_utf16(units).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
                self.decoded.extend_from_slice(characters.collect::<String>().as_bytes());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoder<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.consumed == self.final_end && !self.is_over {
            self.read_more()?;
        }
        let count = into.len().min(self.final_end - self.consumed);
        self.limit.take(count)?;
        into[..count].copy_from_slice(&self.decoded[self.consumed..self.consumed + count]);
        self.consumed += count;
        Ok(count)
    }
}

//! What the pages of a row group claim.

use parquet::basic::{Compression, Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::thrift::Thrift;
use super::{differences, malformed, thrift, unpack};
use crate::ingest::error::DecodeError;
use crate::ingest::meter::Meter;

/// What a row of a batch takes while it is decoded: its value or what points at it, and its levels.
const ROW_BYTES: u64 = 24;
/// Values are decoded into rooms of this size at least.
const COLUMN_BYTES: u64 = 64 << 10;

/// Bytes that decoding a row group takes, `batch_rows` at a time, apart from the batches themselves.
///
/// Everything that the library allocates by is looked at: sizes of pages, and numbers of values.
pub(super) fn bytes(
    file: &[u8],
    group: &RowGroupMetaData,
    batch_rows: usize,
    meter: &Meter<'_>,
) -> Result<u64, DecodeError> {
    let rows = u64::try_from(group.num_rows()).map_err(|_| malformed("a row group has a negative number of rows"))?;
    let batch_rows = rows.min(batch_rows as u64);
    group.columns().iter().try_fold(0_u64, |sum, chunk| {
        let pages = Pages::of(file, chunk, meter)?.survey(rows, batch_rows)?;
        Ok(sum.saturating_add(pages).saturating_add(ROW_BYTES * batch_rows + COLUMN_BYTES))
    })
}

/// The pages of one column.
struct Pages<'a> {
    rest: &'a [u8],
    compression: Compression,
    physical: Type,
    /// Whether values may be absent: then pages begin with which are.
    has_levels: bool,
    meter: &'a Meter<'a>,
}

/// A page as it is stored.
struct Page<'a> {
    header: Header,
    stored: &'a [u8],
    /// Its size when it is unpacked.
    size: u64,
}

/// What the header of a page says.
#[derive(Default)]
struct Header {
    kind: i64,
    unfolded: i64,
    stored: i64,
    values: i64,
    encoding: i64,
    /// Of the newer form: what comes before the compressed part.
    definition_levels: i64,
    repetition_levels: i64,
    is_stored_plain: bool,
}

impl Header {
    /// Reads field `inner` of the header that is field `field`.
    fn inner(
        &mut self,
        thrift: &mut Thrift<'_>,
        field: i16,
        inner: i16,
        kind: thrift::Kind,
    ) -> Result<bool, DecodeError> {
        match (field, inner) {
            (_, 1) => self.values = thrift.small_number(kind)?,
            (5 | 7, 2) | (8, 4) => self.encoding = thrift.small_number(kind)?,
            (8, 5) => self.definition_levels = thrift.small_number(kind)?,
            (8, 6) => self.repetition_levels = thrift.small_number(kind)?,
            (8, 7) => {
                self.is_stored_plain = Thrift::is_false(kind);
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'a> Page<'a> {
    /// The part that is compressed, and its length when it is not any more: in the newer form, levels come before it.
    fn packed(&self) -> Result<(&'a [u8], u64), DecodeError> {
        let [definition, repetition] =
            [self.header.definition_levels, self.header.repetition_levels].map(u64::try_from);
        let levels = definition.ok().zip(repetition.ok()).map(|(definition, repetition)| definition + repetition);
        let packed = levels.and_then(|levels| self.stored.get(usize::try_from(levels).ok()?..));
        let length = levels.and_then(|levels| self.size.checked_sub(levels));
        packed.zip(length).ok_or_else(|| malformed("the levels of a page are longer than the page"))
    }
}

const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

impl<'a> Pages<'a> {
    fn of(file: &'a [u8], chunk: &ColumnChunkMetaData, meter: &'a Meter<'a>) -> Result<Self, DecodeError> {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let start = usize::try_from(start).ok();
        let end =
            start.zip(usize::try_from(chunk.compressed_size()).ok()).and_then(|(start, size)| start.checked_add(size));
        let rest = start.zip(end).and_then(|(start, end)| file.get(start..end));
        let rest = rest.ok_or_else(|| malformed("a column lies outside of the file"))?;
        let has_levels = chunk.column_descr().max_def_level() > 0;
        Ok(Self { rest, compression: chunk.compression(), physical: chunk.column_type(), has_levels, meter })
    }

    /// The most that is at hand at one time: the dictionary, and the pages of a batch.
    fn survey(mut self, rows: u64, batch_rows: u64) -> Result<u64, DecodeError> {
        let (mut dictionaries, mut values) = (0_u64, 0_u64);
        let mut most = 0;
        // The pages of the batch that the last page lies in, and where that batch ends.
        let (mut at_hand, mut batch_end) = (0_u64, batch_rows);
        while !self.rest.is_empty() {
            let page = self.page()?;
            let size = page.size;
            let count =
                u64::try_from(page.header.values).map_err(|_| malformed("a page has a negative number of values"))?;
            match page.header.kind {
                DICTIONARY => {
                    if count.saturating_mul(self.least_value()) > size {
                        return Err(malformed("a dictionary has fewer values than it says"));
                    }
                    dictionaries = dictionaries.saturating_add(2 * size).saturating_add(16 * count);
                }
                DATA | DATA_V2 => {
                    values = values.saturating_add(count);
                    if values > rows {
                        return Err(malformed("the pages of a column have more values than there are rows"));
                    }
                    let size = size.saturating_add(self.by_differences(&page, count)?);
                    at_hand = at_hand.saturating_add(size);
                    most = most.max(at_hand);
                    if values >= batch_end {
                        at_hand = if values > batch_end { size } else { 0 };
                        batch_end = values.saturating_add(batch_rows);
                    }
                    // The last page is there twice while it is unpacked.
                    most = most.max(at_hand.saturating_add(size));
                }
                _ => {}
            }
        }
        Ok(dictionaries.saturating_add(most))
    }

    /// The header of the next page. It has one header more, that of its own kind: were there others, the library might
    /// go by them.
    fn header(&mut self) -> Result<Header, DecodeError> {
        let mut header = Header::default();
        let mut own = None;
        let mut thrift = Thrift::new(self.rest);
        thrift.structure(|thrift, field, kind| {
            match field {
                1 => header.kind = thrift.small_number(kind)?,
                2 => header.unfolded = thrift.small_number(kind)?,
                3 => header.stored = thrift.small_number(kind)?,
                5 | 7 | 8 => {
                    Thrift::expect_struct(kind)?;
                    if own.replace(field).is_some() {
                        return Err(malformed("a page has two headers"));
                    }
                    thrift.structure(|thrift, inner, kind| header.inner(thrift, field, inner, kind))?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        self.rest = thrift.rest();
        let fits = match header.kind {
            DATA => own == Some(5),
            DICTIONARY => own == Some(7),
            DATA_V2 => own == Some(8),
            _ => own.is_none(),
        };
        if fits { Ok(header) } else { Err(malformed("a page has the header of another kind")) }
    }

    /// The next page.
    fn page(&mut self) -> Result<Page<'a>, DecodeError> {
        let header = self.header()?;
        let stored = usize::try_from(header.stored).ok().and_then(|length| self.rest.split_at_checked(length));
        let (stored, rest) = stored.ok_or_else(|| malformed("a page breaks off"))?;
        self.rest = rest;
        let unfolded = u64::try_from(header.unfolded).map_err(|_| malformed("a page has a negative size"))?;
        let plain = header.is_stored_plain || self.compression == Compression::UNCOMPRESSED;
        let size = if plain { stored.len() as u64 } else { unfolded };
        let page = Page { header, stored, size };
        let (packed, length) = page.packed()?;
        if !plain && length > 0 {
            unpack::check(self.compression, packed, length)?;
        }
        Ok(page)
    }

    /// What values take beyond the page if they are texts that are stored by their differences.
    fn by_differences(&self, page: &Page<'_>, count: u64) -> Result<u64, DecodeError> {
        let texts = matches!(self.physical, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        if !texts || !differences::are_in(page.header.encoding) {
            return Ok(0);
        }
        let before = self.meter.used();
        let (packed, length) = page.packed()?;
        self.meter.take(length)?;
        let plain = page.header.is_stored_plain || self.compression == Compression::UNCOMPRESSED;
        let compression = if plain { Compression::UNCOMPRESSED } else { self.compression };
        let unpacked = match usize::try_from(length) {
            Ok(0) => Vec::new(),
            Ok(length) => unpack::unpack(compression, packed, length)?,
            Err(_) => return Err(malformed("a page is longer than memory")),
        };
        let values = match page.header.kind {
            DATA if self.has_levels => {
                let levels = unpacked.split_first_chunk::<4>();
                let levels = levels.and_then(|(length, rest)| rest.get(u32::from_le_bytes(*length) as usize..));
                levels.ok_or_else(|| malformed("a page breaks off"))?
            }
            _ => &unpacked,
        };
        let taken = differences::unfolded(page.header.encoding, values, count);
        self.meter.settle(before);
        taken
    }

    /// The fewest bytes that a value of a dictionary takes.
    fn least_value(&self) -> u64 {
        match self.physical {
            Type::BOOLEAN | Type::FIXED_LEN_BYTE_ARRAY => 1,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
        }
    }
}

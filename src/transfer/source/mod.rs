//! Files, read row by row.
//!
//! One file a format; each gives its rows in pieces of a few thousand, so that memory does not grow with the file.

mod arrow;
mod columnar;
mod counted;
mod csv;
mod ndjson;
mod parquet;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::arrow::error::ArrowError;
use clap::ValueEnum;

use self::counted::Counted;
use super::cell::Rows;
use super::mapping::Columns;

/// Rows that are read together.
const PIECE: usize = 8_192;
/// What gzip, zstd, bzip2 and xz begin with.
const COMPRESSED: [&[u8]; 4] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], b"BZh", b"\xfd7zXZ"];
/// The name that stands for the standard input.
pub const STANDARD_INPUT: &str = "-";

/// A form in which files hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Arrow IPC, stream or file
    Arrow,
    /// Parquet file
    Parquet,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system says no.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// Neither name nor contents say what it is.
    #[error("what {0} holds cannot be told from its name: say --format csv, ndjson, arrow or parquet")]
    UnknownFormat(String),
    /// It has to be unpacked.
    #[error(
        "{0} is compressed: unpack it first, or let another program do so and read its output, gzip -dc FILE | \
         observability-api import TABLE - --format csv for instance"
    )]
    Compressed(String),
    /// An array is whole only at its end.
    #[error("{0} is a JSON array: give one object a line instead (NDJSON), as export writes it to .ndjson")]
    JsonArray(String),
    /// A format that is read from its end.
    #[error("Parquet is read from its end, which the standard input does not have yet: give the name of a file")]
    NotSeekable,
    /// The contents are not of the format.
    #[error("{name} is not whole or not {format}: {reason}")]
    Malformed {
        /// The file.
        name: String,
        /// What it should be.
        format: &'static str,
        /// What is wrong with it, and where.
        reason: String,
    },
}

/// The rows of a file, piece by piece. Reading blocks.
pub struct Reader {
    columns: Columns,
    pieces: Box<dyn Pieces>,
    position: Arc<AtomicU64>,
    size: Option<u64>,
}

/// What each format knows how to do.
trait Pieces: Send {
    /// The next rows, or `None` at the end.
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError>;

    /// Columns that turned up after the first rows and that nobody knew of.
    fn late_columns(&self) -> &[String] {
        &[]
    }
}

/// A file on its way to its format's reader.
struct Input {
    name: String,
    bytes: BufReader<Counted<Box<dyn io::Read + Send>>>,
}

/// Opens a file, or the standard input for `-`. Its form follows `format`, else its name, else its first bytes. `wanted`
/// are columns that rows may have even if the first rows do not.
pub fn open(path: &Path, format: Option<FileFormat>, wanted: &[String]) -> Result<Reader, SourceError> {
    let name = name(path);
    let unreadable = |source| SourceError::Unreadable { name: name.clone(), source };
    let position = Arc::new(AtomicU64::new(0));
    let stdin = path.as_os_str() == STANDARD_INPUT;
    let (file, size) = match stdin {
        true => (None, None),
        false => {
            let file = File::open(path).map_err(unreadable)?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
            (Some(file), size)
        }
    };
    let bytes: Box<dyn io::Read + Send> = match &file {
        Some(file) => Box::new(file.try_clone().map_err(unreadable)?),
        None => Box::new(io::stdin()),
    };
    let mut bytes = BufReader::with_capacity(256 << 10, Counted::new(bytes, position.clone()));
    let first = bytes.fill_buf().map_err(unreadable)?;
    if COMPRESSED.iter().any(|magic| first.starts_with(magic)) {
        return Err(SourceError::Compressed(name));
    }
    let format = match format.or_else(|| FileFormat::of_name(path)) {
        Some(format) => format,
        None if first.trim_ascii_start().starts_with(b"[") => return Err(SourceError::JsonArray(name)),
        None => FileFormat::of_contents(first).ok_or_else(|| SourceError::UnknownFormat(name.clone()))?,
    };
    let input = Input { name: name.clone(), bytes };
    let (columns, pieces) = match format {
        FileFormat::Csv => csv::read(input)?,
        FileFormat::Ndjson => ndjson::read(input, wanted)?,
        FileFormat::Arrow => arrow::read(input)?,
        FileFormat::Parquet => parquet::read(name, file.ok_or(SourceError::NotSeekable)?, position.clone())?,
    };
    Ok(Reader { columns, pieces, position, size })
}

/// What reports call a file.
pub(super) fn name(path: &Path) -> String {
    if path.as_os_str() == STANDARD_INPUT { "standard input".to_owned() } else { path.display().to_string() }
}

impl Reader {
    /// Its columns.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Its size in bytes, where it has one.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes read so far, or about as many.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Columns that turned up later than [`columns`](Self::columns) tell, and that nobody takes.
    pub fn late_columns(&self) -> &[String] {
        self.pieces.late_columns()
    }

    /// The next rows, or `None` at the end.
    pub fn read(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        self.pieces.next()
    }
}

impl FileFormat {
    /// The form that the end of a name stands for.
    pub fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Self::Arrow),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    fn of_contents(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"PAR1") {
            Some(Self::Parquet)
        } else if bytes.starts_with(arrow::FILE_MAGIC) || bytes.starts_with(&[0xff; 4]) {
            Some(Self::Arrow)
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            Some(Self::Ndjson)
        } else {
            None
        }
    }
}

fn malformed<'a>(name: &'a str, format: &'static str) -> impl Fn(ArrowError) -> SourceError + 'a {
    move |error| SourceError::Malformed { name: name.to_owned(), format, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_form_of_rows_is_told_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        for (name, format, bytes, told) in [
            ("rows.csv.gz", None, &b"\x1f\x8b\x08\x00"[..], "compressed"),
            ("rows.csv", Some(FileFormat::Csv), b"\x1f\x8b\x08\x00", "compressed"),
            ("rows.ndjson.zst", None, b"\x28\xb5\x2f\xfd\x00", "compressed"),
            ("rows.json", None, b"\n[{}]", "JSON array"),
            ("rows.txt", None, b"hello", "--format"),
        ] {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = open(&path, format, &[]).err().map(|error| error.to_string()).unwrap();
            assert!(error.contains(told) && error.contains(name), "{error}");
        }
    }
}

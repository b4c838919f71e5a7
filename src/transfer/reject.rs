//! Rows that cannot be stored: counted by reason, the first of them shown, all of them written down if wanted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::output_file::OutputFile;

/// How many rows a report shows.
const SHOWN: usize = 10;
/// How much of a value it shows.
const SHOWN_CHARACTERS: usize = 60;

/// A row that is not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The file or table that it comes from.
    pub source: String,
    /// Its number there, from 1; a header does not count.
    pub row: u64,
    /// The column of the table that does not take its value; none where the whole row cannot be read.
    pub column: Option<&'static str>,
    /// The value as the source has it.
    pub value: String,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

/// All rows of an import that are not stored.
#[derive(Default)]
pub struct Rejects {
    total: u64,
    reasons: BTreeMap<(Option<&'static str>, Cow<'static, str>), u64>,
    first: Vec<Reject>,
    file: Option<(Target, OutputFile)>,
}

/// Where rejected rows are written down.
enum Target {
    Lines(BufWriter<File>),
    Csv(Box<csv::Writer<File>>),
}

impl Rejects {
    /// Writes every rejected row into a file as well: CSV when its name ends so, else one JSON object a line. The file
    /// is there when it is [finished](Rejects::finish).
    pub fn into_file(path: &Path) -> io::Result<Self> {
        let output = OutputFile::begin(path)?;
        let file = output.file().try_clone()?;
        let csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let target = match csv {
            true => Target::Csv(Box::new(csv::Writer::from_writer(file))),
            false => Target::Lines(BufWriter::new(file)),
        };
        Ok(Self { file: Some((target, output)), ..Self::default() })
    }

    /// One more.
    pub fn add(&mut self, reject: Reject) -> io::Result<()> {
        self.total += 1;
        *self.reasons.entry((reject.column, reject.reason.clone())).or_default() += 1;
        match &mut self.file {
            Some((Target::Lines(file), _)) => {
                serde_json::to_writer(&mut *file, &reject)?;
                file.write_all(b"\n")?;
            }
            Some((Target::Csv(file), _)) => file.serialize(&reject).map_err(io::Error::other)?,
            None => {}
        }
        if self.first.len() < SHOWN {
            self.first.push(reject);
        }
        Ok(())
    }

    /// How many they are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Ends the file, if there is one.
    pub fn finish(&mut self) -> io::Result<()> {
        let Some((target, output)) = self.file.take() else { return Ok(()) };
        match target {
            Target::Lines(mut file) => file.flush()?,
            Target::Csv(mut file) => file.flush()?,
        }
        output.complete()
    }
}

/// The report: how many of each reason, and the first rows.
impl fmt::Display for Rejects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "rejected: {} row{}", self.total, if self.total == 1 { "" } else { "s" })?;
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((column, reason), count) in reasons {
            writeln!(formatter, "{count:>9}  {}{reason}", Place(*column))?;
        }
        if !self.first.is_empty() {
            write!(formatter, "the first of them:")?;
        }
        for reject in &self.first {
            write!(formatter, "\n  {reject}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, row {}, {}", self.source, self.row, Place(self.column))?;
        match self.value.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => write!(formatter, "\"{}…\" ", self.value.get(..end).unwrap_or_default())?,
            None if self.value.is_empty() => {}
            None => write!(formatter, "\"{}\" ", self.value)?,
        }
        formatter.write_str(&self.reason)
    }
}

/// A column in front of what is said of it.
struct Place(Option<&'static str>);

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |column| write!(formatter, "{column}: "))
    }
}

//! Rows that were stored into buckets that are rolled up already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::FINEST;
use crate::tables::{TIME_COLUMN, Table, column};
use crate::time::{self, DAY, Micros};

/// The finest buckets of one table that no longer say what its rows say.
#[derive(Debug)]
pub struct Past {
    label: Option<&'static str>,
    /// What is rolled up lies before this.
    before: Micros,
    /// The oldest and the newest instant seen.
    seen: Option<(Micros, Micros)>,
    /// Rows seen.
    rows: usize,
    stale: HashMap<Box<str>, BTreeSet<Micros>>,
    /// The first instants of the days that gain, change or lose rows.
    days: BTreeSet<Micros>,
    /// Those of them whose rows were dropped once: their buckets stay as they are.
    dropped: BTreeSet<Micros>,
    marked: BTreeSet<Micros>,
    /// Keys of the rows, where they say nothing of the time: archived rows may have the same.
    keys: Vec<StringArray>,
}

impl Past {
    /// Nothing is stale yet; what is rolled up lies before `before`.
    pub fn new(table: &Table, before: Micros) -> Self {
        let (days, dropped, marked) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (stale, keys) = (HashMap::new(), Vec::new());
        Self { label: table.label, before, seen: None, rows: 0, stale, days, dropped, marked, keys }
    }

    /// What is rolled up lies before this.
    pub fn before(&self) -> Micros {
        self.before
    }

    /// The oldest and the newest instant among the rows noticed.
    pub fn seen(&self) -> Option<(Micros, Micros)> {
        self.seen
    }

    /// The number of rows noticed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Looks at rows that are being stored.
    pub fn notice(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let times = column::<TimestampMicrosecondArray>(batch, TIME_COLUMN)?;
        self.rows += times.len();
        let Some((oldest, newest)) = arrow::compute::min(times).zip(arrow::compute::max(times)) else { return Ok(()) };
        let (first, last) = self.seen.unwrap_or((oldest, newest));
        self.seen = Some((first.min(oldest), last.max(newest)));
        let (first, last) = (time::day_start(oldest), time::day_start(newest));
        if last - first <= DAY {
            self.days.extend([first, last]);
        } else {
            self.days.extend(times.values().iter().map(|instant| time::day_start(*instant)));
        }
        if oldest >= self.before {
            return Ok(());
        }
        let labels = self.label.map(|label| column::<StringArray>(batch, label)).transpose()?;
        for (row, instant) in times.values().iter().copied().enumerate() {
            if instant < self.before {
                self.add(instant, labels.map_or("", |labels| labels.value(row)));
            }
        }
        Ok(())
    }

    /// A row of this instant and label is added, changed or taken away.
    pub fn add(&mut self, instant: Micros, label: &str) {
        self.days.insert(time::day_start(instant));
        let bucket = time::floor(instant, FINEST.width());
        match self.stale.get_mut(label) {
            Some(buckets) => drop(buckets.insert(bucket)),
            None => drop(self.stale.insert(label.into(), BTreeSet::from([bucket]))),
        }
    }

    /// The stale buckets, whatever their label.
    pub fn buckets(&self) -> BTreeSet<Micros> {
        self.stale.values().flatten().copied().collect()
    }

    /// Of the stale buckets only those that start at `starts`, ascending, are made again. The days of the others were dropped.
    pub fn keep_outlived(&mut self, starts: &[Micros]) {
        let outlived = self.buckets().into_iter().filter(|bucket| starts.binary_search(bucket).is_err());
        self.dropped = outlived.map(time::day_start).collect();
    }

    /// The days among these that were dropped, and how many of the rows of some batches are of them: no bucket counts those.
    pub fn of_dropped_days(&self, batches: &[RecordBatch]) -> BTreeMap<Micros, usize> {
        let mut rows = BTreeMap::new();
        if self.dropped.is_empty() {
            return rows;
        }
        let times = batches.iter().filter_map(|batch| column::<TimestampMicrosecondArray>(batch, TIME_COLUMN).ok());
        for day in times.flat_map(|times| times.values().iter().map(|instant| time::day_start(*instant))) {
            if self.dropped.contains(&day) {
                *rows.entry(day).or_default() += 1;
            }
        }
        rows
    }

    /// The stale buckets of these hours are marked in the database, to be refreshed later.
    pub fn mark(&mut self, hours: BTreeSet<Micros>) {
        self.marked = hours;
    }

    /// The hours of which buckets are marked.
    pub fn marked(&self) -> &BTreeSet<Micros> {
        &self.marked
    }

    /// Rows with these keys are stored.
    pub fn add_keys(&mut self, keys: StringArray) {
        self.keys.push(keys);
    }

    /// Whether there are keys of rows.
    pub fn has_keys(&self) -> bool {
        self.keys.iter().any(|keys| !keys.is_empty())
    }

    /// The keys of the rows, for the last time.
    pub fn take_keys(&mut self) -> Vec<StringArray> {
        std::mem::take(&mut self.keys)
    }

    /// The first instants of the days that gain, change or lose rows.
    pub fn days(&self) -> &BTreeSet<Micros> {
        &self.days
    }

    /// The stale buckets as rows: `bucket` and, where the table has one, its label.
    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let pairs =
            self.stale.iter().flat_map(|(label, buckets)| buckets.iter().map(move |bucket| (*bucket, &**label)));
        let (buckets, labels): (Vec<Micros>, Vec<&str>) = pairs.unzip();
        let buckets = TimestampMicrosecondArray::from(buckets);
        let mut fields = vec![Field::new("bucket", buckets.data_type().clone(), true)];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(buckets)];
        if let Some(label) = self.label {
            let labels = StringArray::from(labels);
            fields.push(Field::new(label, labels.data_type().clone(), true));
            columns.push(Arc::new(labels));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

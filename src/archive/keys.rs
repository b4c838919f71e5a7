//! Which keys a file has: a Bloom filter that the database keeps, so that a key is looked for in few files.

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use parquet::bloom_filter::Sbbf;

use crate::tables::{ColumnKind, Table};

/// Enough for some three million keys; a file with fewer gets a smaller filter.
const LARGEST_BYTES: usize = 4 << 20;
/// Of the files without a key, how many have to be read all the same.
const FALSE_POSITIVES: f64 = 0.01;
/// A filter is a number of blocks of this size.
const BLOCK_BYTES: usize = 32;

/// The column that alone tells a row from every other, where it is a text.
pub fn key_column(table: &Table) -> Option<&'static str> {
    let [key] = table.key else { return None };
    table.columns.iter().find(|column| column.name == *key && column.kind == ColumnKind::Text).map(|column| column.name)
}

/// A filter on its way.
pub(super) struct KeyFilter {
    column: &'static str,
    filter: Sbbf,
}

impl KeyFilter {
    /// Of no rows yet; `None` for a table without such a key.
    pub fn of(table: &Table) -> Option<Self> {
        Some(Self { column: key_column(table)?, filter: Sbbf::new_with_num_of_bytes(LARGEST_BYTES) })
    }

    /// Takes rows in.
    pub fn add(&mut self, batch: &RecordBatch) {
        let keys = batch.column_by_name(self.column).and_then(|keys| keys.as_string_opt::<i32>());
        keys.into_iter().flatten().flatten().for_each(|key| self.filter.insert(key));
    }

    /// Its bytes.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.filter.fold_to_target_fpp(FALSE_POSITIVES);
        let mut bytes = Vec::new();
        // Writing to memory does not fail; without a filter, the file is read.
        self.filter.write_bitset(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// What is known of the keys in a file.
pub struct FileKeys {
    filter: Option<Sbbf>,
}

impl FileKeys {
    /// By the bytes of its filter, if there are any.
    pub fn new(filter: Option<&[u8]>) -> Self {
        let whole = |bytes: &&[u8]| !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK_BYTES);
        Self { filter: filter.filter(whole).map(Sbbf::new) }
    }

    /// Whether anything is known of them.
    pub fn are_known(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether the file may have a key; without a filter it may.
    pub fn may_have(&self, key: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.check(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MARKET_DATA, TRADES, TradeRow};

    #[test]
    fn a_filter_has_every_key_and_few_others_and_is_as_small_as_its_file() {
        assert!(KeyFilter::of(&MARKET_DATA).is_none());
        let row = |number: usize| TradeRow {
            trade_id: format!("t{number}"),
            timestamp: 0,
            symbol: "A".into(),
            side: "buy".into(),
            quantity: 1.0,
            price: 1.0,
            latency_ms: None,
            slippage_bps: None,
            strategy: None,
        };
        let rows: Vec<_> = (0..10_000).map(row).collect();
        let mut filter = KeyFilter::of(&TRADES).unwrap();
        filter.add(&TradeRow::batch(&rows).unwrap());
        let bytes = filter.finish().unwrap();
        assert!(bytes.len() <= 32 << 10, "{}", bytes.len());
        let keys = FileKeys::new(Some(&bytes));
        assert!(keys.are_known() && rows.iter().all(|row| keys.may_have(&row.trade_id)));
        let others = (10_000..20_000).filter(|number| keys.may_have(&format!("t{number}"))).count();
        assert!(others < 300, "{others}");
        for unknown in [None, Some(&[][..]), Some(&[0; 33])] {
            let keys = FileKeys::new(unknown);
            assert!(!keys.are_known() && keys.may_have("t1"));
        }
    }
}

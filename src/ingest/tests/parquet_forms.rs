//! Parquet in the forms that writers choose between.

use ::parquet::basic::{Compression, Encoding};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::*;

const PARQUET_FORMS: usize = 8;

/// A file in one of the forms that writers choose between.
fn parquet_body(form: usize) -> Bytes {
    let compressions =
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()), Compression::LZ4_RAW];
    let encodings = [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY];
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let mut properties = WriterProperties::builder()
        .set_compression(compressions[form % 4])
        .set_writer_version(versions[form / 2 % 2])
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50);
    if form < 6 {
        for column in ["trade_id", "symbol", "strategy"] {
            properties = properties
                .set_column_dictionary_enabled(column.into(), false)
                .set_column_encoding(column.into(), encodings[form % 2]);
        }
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), TRADES.schema(), Some(properties.build())).unwrap();
    writer.write(&trades(1_000)).unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn every_form_of_parquet_is_taken() {
    for form in 0..PARQUET_FORMS {
        let decoded = decode(&TRADES, Some(Format::Parquet.content_type()), parquet_body(form)).unwrap();
        assert!(one(&TRADES, &decoded) == trades(1_000), "form {form}");
    }
}

#[test]
fn texts_that_share_nearly_all_count_whole() {
    let prefix = "A".repeat(1_000);
    let texts = StringArray::from_iter_values((0..40_000).map(|row| format!("{prefix}{row}")));
    let columns = [
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_value(NOON, 40_000)) as ArrayRef),
        ("symbol", Arc::new(texts)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("symbol".into(), Encoding::DELTA_BYTE_ARRAY)
        .set_statistics_enabled(EnabledStatistics::None);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let body = Bytes::from(writer.into_inner().unwrap());
    assert!(body.len() < 1 << 20, "{}", body.len());
    let read = |limit| {
        let allowance = Allowance::alone(limit);
        crate::ingest::decode(&MARKET_DATA, Some(Format::Parquet.content_type()), body.clone(), &allowance)
    };
    assert_eq!(read(32 << 20), Err(DecodeError::TooLarge { limit: 32 << 20 }));
    assert_eq!(read(1 << 30).unwrap()[0].num_rows(), 40_000);
}

proptest! {
    #[test]
    fn a_damaged_parquet_file_is_read_or_refused(position in 0_usize..6_000, byte in any::<u8>(), form in 0..PARQUET_FORMS) {
        let mut body = parquet_body(form).to_vec();
        let position = position % body.len();
        body[position] = byte;
        let _ = decode(&TRADES, Some(Format::Parquet.content_type()), body.into());
    }
}

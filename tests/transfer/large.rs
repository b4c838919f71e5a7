//! A file that is much larger than the memory it may take.

use std::io::Write;
use std::time::Duration;

use crate::Desk;
use crate::common::{Server, eventually_within};

const ROWS: u32 = 1_500_000;

/// The most memory that a process has had, in MiB.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().unwrap() / 1_024)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn memory_does_not_grow_with_the_file() {
    let server = Server::start().await;
    let desk = Desk { directory: server.directory.clone() };
    let mut file = std::io::BufWriter::new(std::fs::File::create(desk.path().join("large.csv")).unwrap());
    writeln!(file, "timestamp,symbol,last_price,bid,ask,volume,trades,spread_bps").unwrap();
    for row in 0..ROWS {
        let millis = 1_761_048_000_000_u64 + u64::from(row / 50) * 1_000;
        writeln!(file, "{millis},SYMBOL-{:02},46319.25,46319.0,46319.5,{row},7,0.107946", row % 50).unwrap();
    }
    let bytes = file.into_inner().unwrap().metadata().unwrap().len() >> 20;
    let mut import = desk.launch(&["import", "market_data", "large.csv"]).spawn();
    let mut most = 0;
    let ended = eventually_within(Duration::from_secs(120), "the import ends", async || {
        most = most.max(peak(import.id()).unwrap_or(0));
        import.try_wait().unwrap()
    })
    .await;
    assert!(ended.success());
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, ROWS);
    assert_eq!(
        server.sql_value("SELECT sum(volume) FROM market_data").await,
        u64::from(ROWS) * u64::from(ROWS - 1) / 2
    );
    println!("{bytes} MiB of CSV, {most} MiB of memory");
    assert!(most > 0 && most < bytes, "{most} MiB of memory for a file of {bytes} MiB");
}
